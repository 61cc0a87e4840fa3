import { addrAdd, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { X86_64 } from '../src/abi/x86-64.js';
import { Indirection } from '../src/indirection.js';
import { SessionMemory } from '../src/memory.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';
import { finish } from './finish.js';

const MIB = 1024 * 1024;
const BASE = toExecutorAddr(0x7000_0000_0000n);
const RESOLVER = toExecutorAddr(0xfedc_ba98_7654_3210n);
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: 8 * MIB, constantBytes: 8 * MIB, dataBytes: MIB }),
);

function prepare(t: ExecutionContext) {
  const reservation = pool.take();
  t.teardown(() => reservation.release());
  const memory = new SessionMemory(reservation, BASE);
  return { memory, indirection: new Indirection(memory, RESOLVER, X86_64) };
}

/** Where the jump or call at an address goes through. */
function pointerOf(memory: SessionMemory, at: bigint): bigint {
  const code = memory.read(toExecutorAddr(at), 8);
  return at + 6n + BigInt(code.readInt32LE(2));
}

test('each of many stubs has its pointer and its trampoline, whatever slice and block it is in', (t) => {
  const { memory, indirection } = prepare(t);
  for (const count of [2600, 1, 1024]) {
    const { stubs, pointers, trampolines } = finish(indirection.emit(count));
    for (const index of [0, 1, 1023, 1024, 1025, 2047, 2048, count - 1].filter((at) => at < count)) {
      t.is(pointerOf(memory, stubs + BigInt(8 * index)), pointers + BigInt(8 * index), `stub ${index}`);
      const pointer = memory.read(addrAdd(pointers, 8 * index), 8).readBigUInt64LE();
      t.is(pointer, trampolines + BigInt(8 * index), `pointer ${index}`);
    }
    for (const part of [stubs, pointers, trampolines])
      t.deepEqual([...memory.read(addrAdd(part, 8 * count), 8)], Array(8).fill(0));
  }
});

test('each trampoline calls the resolver through the one pointer', (t) => {
  const { memory, indirection } = prepare(t);
  const [start, other] = [3000, 1].map((count) => finish(indirection.emit(count)).trampolines);
  if (!start || !other) return t.fail();
  const pointer = pointerOf(memory, start);
  t.is<bigint, bigint>(memory.read(toExecutorAddr(pointer), 8).readBigUInt64LE(), RESOLVER);
  for (const index of [1, 1023, 1024, 2047, 2048, 2999])
    t.is(pointerOf(memory, start + BigInt(8 * index)), pointer);
  t.is(pointerOf(memory, other), pointer);
  t.is<bigint, bigint>(other, addrAdd(start, 8 * 3000));
  for (const [address, is] of [
    [start, true],
    [addrAdd(start, 8 * 2999), true],
    [other, true],
    [addrAdd(other, 8), false],
    [addrAdd(start, 4), false],
    [addrAdd(start, 1), false],
    [addrAdd(start, -8), false],
    [toExecutorAddr(pointer), false],
    [toExecutorAddr(0n), false],
  ] as const)
    t.is(indirection.isTrampoline(address), is, `${address - start}`);
});

test('stubs are no trampolines', (t) => {
  const { indirection } = prepare(t);
  const { stubs, pointers } = finish(indirection.emit(1));
  t.false(indirection.isTrampoline(stubs));
  t.false(indirection.isTrampoline(pointers));
});

test("stubs that were prepared are as those that are not, and are nobody's before they are emitted", (t) => {
  const [made, plain] = [prepare(t), prepare(t)];
  finish(made.indirection.prepare(100));
  const trampolines = made.memory.addressOf(made.memory.layout.trampolines.offset);
  t.false(made.indirection.isTrampoline(trampolines));
  for (const [count, known] of [
    [40, 40],
    // Beyond what was prepared.
    [100, 140],
  ] as const) {
    const [block, other] = [made, plain].map(({ indirection }) => finish(indirection.emit(count)));
    t.deepEqual(block, other);
    t.true(made.indirection.isTrampoline(addrAdd(trampolines, 8 * (known - 1))));
    t.false(made.indirection.isTrampoline(addrAdd(trampolines, 8 * known)));
  }
  for (const region of ['stubs', 'pointers', 'trampolines'] as const) {
    const contents = [made, plain].map(({ memory }) =>
      memory.read(memory.addressOf(memory.layout[region].offset), 8 * 150),
    );
    t.deepEqual(contents[0], contents[1], region);
  }
});

test('no more stubs are prepared than there is room for', (t) => {
  const { memory, indirection } = prepare(t);
  const { stubs, pointers, trampolines } = memory.layout;
  const capacity = Math.min(stubs.sizeBytes, pointers.sizeBytes - 8, trampolines.sizeBytes) / 8;
  t.notThrows(() => finish(indirection.prepare(capacity + 1)));
  t.is(finish(indirection.emit(capacity)).count, capacity);
  t.throws(() => finish(indirection.emit(1)), { code: 'LIMIT_EXCEEDED' });
});
