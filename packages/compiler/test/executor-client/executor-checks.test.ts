import type { RemoteInfo, RunnerStarted } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import { addrAdd, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { checkInfo, checkInside, checkRunner, checkSize } from '../../src/executor-client/executor-checks.js';

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
    t.is(checkRunner(right), right);
  for (const wrong of [
    runnerWith({ data: reach - 8191 }),
    runnerWith({ dataAt: CODE - BigInt(2 * GIB) }),
    runnerWith({ dataAt: CODE + BigInt(2 * GIB) }),
    runnerWith({ start: (1n << 47n) - 8192n }),
    runnerWith({ start: CODE + 8n }),
    runnerWith({ dataAt: CODE + 8192n + 2048n }),
  ])
    t.throws(() => checkRunner(wrong), refused);
});

test('what was reserved is inside the part of its kind', (t) => {
  const runner = runnerWith({ code: 8192 });
  for (const [address, sizeBytes] of [
    [CODE, 8192],
    [addrAdd(CODE, 4096), 4096],
    [addrAdd(CODE, 8192), 0],
  ] as const)
    t.notThrows(() => checkInside(runner, address, sizeBytes, 'code'));
  for (const [address, sizeBytes, prot] of [
    [CODE, 8193, 'code'],
    [addrAdd(CODE, -1), 8, 'code'],
    [addrAdd(CODE, 8192), 1, 'code'],
    [CODE, 1, 'constant'],
    [addrAdd(CODE, 8192), 1, 'data'],
  ] as const)
    t.throws(() => checkInside(runner, address, sizeBytes, prot), refused);
});

test('memory that was read has the length that was asked for', (t) => {
  t.notThrows(() => checkSize(new Uint8Array(4), 4));
  for (const sizeBytes of [3, 5])
    t.throws(() => checkSize(new Uint8Array(4), sizeBytes), {
      instanceOf: ProtocolError,
      message: `4 bytes of memory where ${sizeBytes} were asked for`,
    });
});
