import type { RemoteInfo, RunnerStarted, StubBlock } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import { addrAdd, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { checkInfo, checkRunner, checkSize, checkStubs } from '../../src/executor-client/executor-checks.js';

const INFO: RemoteInfo = {
  triple: 'x86_64-unknown-linux-gnu',
  cpuName: 'x86-64',
  cpuFeatures: '',
  pointerBytes: 8,
  pageBytes: 4096,
  trampolineBytes: 8,
  stubBytes: 8,
};
const CODE = toExecutorAddr(0x7000_0000_0000n);
const GIB = 1024 ** 3;

/** Parts of so many bytes, one after the other or where it is said. */
function runnerWith(parts: {
  code?: number;
  constant?: number;
  data?: number;
  start?: bigint;
  dataAt?: bigint;
}): RunnerStarted {
  const { code = 4096, constant = 4096, data = 4096, start = CODE, dataAt } = parts;
  const at = (address: bigint, sizeBytes: number) => ({ address: toExecutorAddr(address), sizeBytes });
  const memory = {
    code: at(start, code),
    constant: at(start + BigInt(code), constant),
    data: at(dataAt ?? start + BigInt(code + constant), data),
  };
  return { memory } as unknown as RunnerStarted;
}

const refused = { instanceOf: ProtocolError };

test('sizes that a target has are taken', (t) => {
  for (const right of [
    {},
    { pageBytes: 16384 },
    { pageBytes: 1 << 20 },
    { stubBytes: 1 },
    { stubBytes: 256, trampolineBytes: 256 },
  ])
    t.deepEqual(checkInfo({ ...INFO, ...right }), { ...INFO, ...right });
  for (const wrong of [
    { pointerBytes: 4 },
    { pointerBytes: 16 },
    { pageBytes: 2048 },
    { pageBytes: 1 << 21 },
    { pageBytes: 4096 + 8 },
    { pageBytes: 12288 },
    { stubBytes: 0 },
    { stubBytes: 257 },
    { trampolineBytes: 0 },
    { trampolineBytes: 257 },
  ])
    t.throws(() => checkInfo({ ...INFO, ...wrong }), refused, JSON.stringify(wrong));
});

test('memory is in reach of itself, in user space and on pages', (t) => {
  const reach = 0x7fff_ffff;
  const whole = Math.floor(reach / 4096) * 4096;
  for (const right of [
    runnerWith({}),
    runnerWith({ data: whole - 8192 }),
    runnerWith({ data: reach - 8192 }),
    // Data may lie below code.
    runnerWith({ dataAt: CODE - BigInt(GIB) }),
    runnerWith({ start: (1n << 47n) - 12288n }),
  ])
    t.is(checkRunner(right, INFO), right);
  for (const wrong of [
    runnerWith({ data: reach - 8191 }),
    runnerWith({ dataAt: CODE - BigInt(2 * GIB) }),
    runnerWith({ dataAt: CODE + BigInt(2 * GIB) }),
    runnerWith({ start: (1n << 47n) - 8192n }),
    runnerWith({ start: CODE + 8n }),
    runnerWith({ dataAt: CODE + 8192n + 2048n }),
  ])
    t.throws(() => checkRunner(wrong, INFO), refused);
  // A page is as large as the executor's are.
  const pages = { ...INFO, pageBytes: 16384 };
  t.throws(() => checkRunner(runnerWith({}), pages), refused);
  t.notThrows(() => checkRunner(runnerWith({ code: 16384, constant: 16384 }), pages));
});

test('stubs, trampolines and pointers lie beside the memory of the compiler, in reach of all of it', (t) => {
  const runner = runnerWith({ code: 8192 });
  const end = addrAdd(CODE, 16384);
  const reach = 0x7fff_ffff;
  const blockAt = (change: Partial<StubBlock>): StubBlock => ({
    stubs: end,
    trampolines: addrAdd(end, 32),
    pointers: addrAdd(end, 64),
    count: 4,
    ...change,
  });
  for (const [change, info] of [
    [{}, INFO],
    [{ stubs: addrAdd(CODE, -32) }, INFO],
    [{ stubs: addrAdd(CODE, reach - 32) }, INFO],
    [{ pointers: addrAdd(end, -(reach + 1) + 1) }, INFO],
    [{ stubs: addrAdd(CODE, -64) }, { ...INFO, stubBytes: 16 }],
  ] as const)
    t.notThrows(() => checkStubs({ memory: runner.memory, stubs: blockAt(change) }, info, 4));
  for (const [change, info] of [
    [{ stubs: addrAdd(CODE, -31) }, INFO],
    [{ stubs: addrAdd(end, -1) }, INFO],
    [{ trampolines: addrAdd(CODE, 4096) }, INFO],
    [{ pointers: addrAdd(end, -8) }, INFO],
    [{ stubs: addrAdd(CODE, reach - 31) }, INFO],
    [{ pointers: addrAdd(end, -(reach + 1)) }, INFO],
    [{ stubs: addrAdd(CODE, -32) }, { ...INFO, stubBytes: 16 }],
    [{ count: 3 }, INFO],
    [{ count: 5 }, INFO],
  ] as const)
    t.throws(
      () => checkStubs({ memory: runner.memory, stubs: blockAt(change) }, info, 4),
      refused,
      JSON.stringify(change, (_, value) => (typeof value === 'bigint' ? `${value - CODE}` : value)),
    );
});

test('memory that was read has the length that was asked for', (t) => {
  t.notThrows(() => checkSize(new Uint8Array(4), 4));
  for (const sizeBytes of [3, 5])
    t.throws(() => checkSize(new Uint8Array(4), sizeBytes), {
      instanceOf: ProtocolError,
      message: `4 bytes of memory where ${sizeBytes} were asked for`,
    });
});

test('room for thread-local variables is memory like the other parts, at a distance that threads are aligned to', (t) => {
  const withRoom = (room: { at?: bigint; sizeBytes?: number; offset?: number }) => {
    const { at = CODE + 12288n, sizeBytes = 65_536, offset = -69_632 } = room;
    return { ...runnerWith({}), threadLocals: { address: toExecutorAddr(at), sizeBytes, offset } };
  };
  for (const right of [{}, { offset: 64 }, { sizeBytes: 0 }])
    t.notThrows(() => checkRunner(withRoom(right), INFO), JSON.stringify(right));
  for (const wrong of [
    { offset: -65_537 },
    { offset: 32 },
    { at: CODE + 8192n },
    { at: CODE - 4096n },
    { at: CODE + 12288n + 64n },
    { at: CODE + BigInt(3 * GIB) },
  ])
    t.throws(() => checkRunner(withRoom(wrong), INFO), refused, `${Object.entries(wrong)}`);
});
