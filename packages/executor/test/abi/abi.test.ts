import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run } from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import type { Abi } from '../../src/abi/abi.js';
import { chooseAbi } from '../../src/abi/choose-abi.js';
import { createHostResources } from '../../src/index.js';
import { SessionMemory } from '../../src/memory.js';
import { ReservationPool } from '../../src/reservation.js';
import { layoutReservation } from '../../src/reservation-layout.js';
import { callDouble as callDoubleCode, doubleIt, loadFrom } from '../machine-code.js';
import { callDouble, commitOf, emitStub, load, openSession, reserve, segmentOf } from '../session-fixture.js';

const MIB = 1024 * 1024;
const SOURCES = fileURLToPath(new URL('../../../src/', import.meta.url));

test('only the place that chooses an ABI imports one', (t) => {
  const importers = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .filter((path) => /from '[^']*\/x86-64[^/]*\.js'/.test(readFileSync(SOURCES + path, 'utf8')));
  t.deepEqual(importers.sort(), ['abi/choose-abi.ts', 'abi/x86-64.ts']);
});

test('an architecture without a runner is refused by name', (t) => {
  t.is(chooseAbi('x64').triple, 'x86_64-unknown-linux-gnu');
  for (const architecture of ['arm64', 'constructor'])
    t.throws(() => chooseAbi(architecture), {
      instanceOf: RangeError,
      message: `there is no runner for the architecture ${architecture}, only for x64`,
    });
});

/** Stubs and trampolines in 32 bytes each, the code in their last 8, and a report of two registers. */
function wideAbi(): Abi {
  const abi = chooseAbi();
  const ENTRY_BYTES = 32;
  const NOP = 0x90;
  const spread = (count: number, encode: (index: number) => Buffer) =>
    Buffer.concat(
      Array.from({ length: count }, (_, index) =>
        Buffer.concat([Buffer.alloc(ENTRY_BYTES - 8, NOP), encode(index)]),
      ),
    );
  const codeAt = (start: bigint, index: number) => start + BigInt((index + 1) * ENTRY_BYTES - 8);
  return {
    ...abi,
    stubBytes: ENTRY_BYTES,
    trampolineBytes: ENTRY_BYTES,
    registerNames: ['first', 'second'],
    encodeStubs: (stubs, pointers, count) =>
      spread(count, (index) => abi.encodeStubs(codeAt(stubs, index), pointers + BigInt(8 * index), 1)),
    encodeTrampolines: (trampolines, pointer, count) =>
      spread(count, (index) => abi.encodeTrampolines(codeAt(trampolines, index), pointer, 1)),
    trampolineOf: (returnAddress) => abi.trampolineOf(returnAddress) - BigInt(ENTRY_BYTES - 8),
  };
}

test('stubs, trampolines and registers are those of the ABI, whatever they are', async (t) => {
  const compiler = await openSession(t, createHostResources({ abi: wideAbi() }));
  t.like(compiler.opened.info, { stubBytes: 32, trampolineBytes: 32 });
  const { trampoline, stub, pointer } = await emitStub(compiler);
  const landing = reserve(compiler, 'code', 16);
  const asked: bigint[] = [];
  compiler.onReenter = async (address) => {
    asked.push(address);
    const commit = commitOf({
      segments: [segmentOf(landing, 'code', doubleIt())],
      pointers: [{ address: pointer, value: landing }],
    });
    return { outcome: 'landed', landing, commit };
  };
  const entry = await load(compiler, callDoubleCode(stub));
  t.is(await callDouble(compiler, entry, 21.5), 43);
  t.is(await callDouble(compiler, entry, -1), -2);
  t.deepEqual(asked, [trampoline]);

  const trap = await load(compiler, loadFrom(0x1230n));
  const call = { entry: trap, block: new Uint8Array(8), commit: commitOf() };
  const error = await t.throwsAsync<Error & { data?: unknown }>(
    compiler.connection.request(run.call, call, compiler.live),
    { code: 'RUNNER_LOST' },
  );
  const { data } = error ?? {};
  t.like(data, { end: { kind: 'trap', trap: { registers: { first: 0x1230n } } } });
  t.deepEqual(Object.keys(Object(data).end.trap.registers), ['first', 'second']);
});

for (const pageBytes of [4096, 16384, 65536])
  test(`memory is cut up in pages of ${pageBytes} bytes`, (t) => {
    const layout = layoutReservation(pageBytes, { codeBytes: MIB, constantBytes: MIB, dataBytes: MIB });
    const { control, data, allotted, stubs, trampolines, pointers, frameNodes, frameHeads } = layout;
    const parts = [
      control,
      data,
      ...Object.values(allotted),
      stubs,
      trampolines,
      pointers,
      frameNodes,
      frameHeads,
    ];
    for (const { offset, sizeBytes } of parts)
      t.deepEqual([offset % pageBytes, sizeBytes % pageBytes], [0, 0]);
    t.throws(() => layoutReservation(pageBytes, { codeBytes: MIB + pageBytes / 2 }), {
      message: new RegExp(`page size, ${pageBytes}`),
    });
    const reservation = new ReservationPool(layout).take();
    t.teardown(() => reservation.release());
    const memory = new SessionMemory(reservation, toExecutorAddr(0x7000_0000_0000n));
    for (const { address, sizeBytes } of Object.values(memory.describe()))
      t.deepEqual([Number(address) % pageBytes, sizeBytes % pageBytes], [0, 0]);
  });
