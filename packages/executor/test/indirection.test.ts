import { indirection as limits, memory as memoryLimits } from '@farjit/protocol';
import { addrAdd, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { X86_64 } from '../src/abi/x86-64.js';
import { Indirection } from '../src/indirection.js';
import { SessionMemory } from '../src/memory.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';
import { finish } from './finish.js';
import { commitOf, segmentOf } from './session-fixture.js';

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

test('each of many stubs has its pointer and its target, whatever slice it is in', (t) => {
  const { memory, indirection } = prepare(t);
  const count = 2600;
  for (const stride of [0, 8, 4096]) {
    const first = toExecutorAddr(0x1000n);
    const { stubs, pointers } = finish(
      indirection.emitStubs(indirection.createOwner(), count, first, stride),
    );
    for (const index of [0, 1, 1023, 1024, 1025, 2047, 2048, count - 1]) {
      t.is(pointerOf(memory, stubs + BigInt(8 * index)), pointers + BigInt(8 * index), `stub ${index}`);
      const pointer = memory.read(addrAdd(pointers, 8 * index), 8).readBigUInt64LE();
      t.is(pointer, first + BigInt(index * stride), `pointer ${index}`);
    }
    t.deepEqual([...memory.read(addrAdd(stubs, 8 * count), 8)], Array(8).fill(0));
  }
});

test('targets may reach to the last address and not beyond, and what is refused takes nothing', (t) => {
  const { memory, indirection } = prepare(t);
  const owner = indirection.createOwner();
  const last = 0xffff_ffff_ffff_ffffn;
  const start = toExecutorAddr(last - 8n * 99n);
  const { pointers } = finish(indirection.emitStubs(owner, 100, start, 8));
  t.is(memory.read(addrAdd(pointers, 8 * 99), 8).readBigUInt64LE(), last);
  const refused = { code: 'INVALID_PARAMS', message: /beyond 64 bits/ };
  t.throws(() => finish(indirection.emitStubs(owner, 101, start, 8)), refused);
  t.throws(() => finish(indirection.emitStubs(owner, 100, addrAdd(start, 1), 8)), refused);
  t.notThrows(() => finish(indirection.emitStubs(owner, 101, start, 0)));
});

test('each trampoline calls the resolver through the one pointer', (t) => {
  const { memory, indirection } = prepare(t);
  t.is(indirection.emitResolverBlock(), RESOLVER);
  const blocks = [3000, 1].map((count) => finish(indirection.emitTrampolines(count)));
  const [start = RESOLVER, other = RESOLVER] = blocks;
  const pointer = pointerOf(memory, start);
  t.is(memory.read(toExecutorAddr(pointer), 8).readBigUInt64LE(), RESOLVER);
  for (const index of [1, 1023, 1024, 2047, 2048, 2999])
    t.is(pointerOf(memory, start + BigInt(8 * index)), pointer);
  t.is(pointerOf(memory, other), pointer);
  for (const [address, is] of [
    [start, true],
    [addrAdd(start, 8 * 2999), true],
    [addrAdd(start, 8 * 3000), false],
    [addrAdd(start, 4), false],
    [addrAdd(start, 1), false],
    [other, true],
    [addrAdd(other, 8), false],
    [toExecutorAddr(pointer), false],
    [toExecutorAddr(0n), false],
  ] as const)
    t.is(indirection.isTrampoline(address), is, `${address - start}`);
});

test('stubs are no trampolines', (t) => {
  const { indirection } = prepare(t);
  const { stubs, pointers } = finish(indirection.emitStubs(indirection.createOwner(), 1, RESOLVER, 0));
  t.false(indirection.isTrampoline(stubs));
  t.false(indirection.isTrampoline(pointers));
});

test('trampolines count as blocks, and an owner that goes gives back its own and no more', (t) => {
  const { indirection } = prepare(t);
  const [first, second] = [indirection.createOwner(), indirection.createOwner()];
  const stubs = (owner: number) => finish(indirection.emitStubs(owner, 1, RESOLVER, 0));
  for (let count = 0; count < limits.MAX_BLOCKS - 3; count++) finish(indirection.emitTrampolines(1));
  stubs(first);
  stubs(second);
  stubs(second);
  const full = { code: 'LIMIT_EXCEEDED' };
  t.throws(() => stubs(first), full);
  t.throws(() => finish(indirection.emitTrampolines(1)), full);
  finish(indirection.destroyOwner(second));
  finish(indirection.emitTrampolines(1));
  stubs(first);
  t.throws(() => stubs(first), full);
});

test('an owner that there is not is refused by number, before there was one and after', (t) => {
  const { indirection } = prepare(t);
  const unknown = (owner: number) => ({
    code: 'INVALID_PARAMS',
    message: `there is no indirect-stubs owner ${owner}`,
  });
  t.throws(() => finish(indirection.emitStubs(1, 1, RESOLVER, 0)), unknown(1));
  const owner = indirection.createOwner();
  finish(indirection.destroyOwner(owner));
  t.throws(() => finish(indirection.destroyOwner(owner)), unknown(owner));
  t.throws(() => finish(indirection.emitStubs(owner, 1, RESOLVER, 0)), unknown(owner));
  t.not(indirection.createOwner(), owner);
});

test('memory of stubs is reserved again when their owner has gone', (t) => {
  const { memory, indirection } = prepare(t);
  const reserveAll = () => {
    const allocator = memory.createAllocator();
    for (let count = 0; count < memoryLimits.MAX_RESERVATIONS; count++)
      try {
        memory.reserve(allocator, 'code', 1);
      } catch {
        break;
      }
    finish(memory.destroyAllocator(allocator));
  };
  const owner = indirection.createOwner();
  const { stubs, pointers } = finish(indirection.emitStubs(owner, 600, RESOLVER, 0));
  finish(indirection.destroyOwner(owner));
  reserveAll();
  const allocator = memory.createAllocator();
  t.is(memory.reserve(allocator, 'code', 8192), stubs);
  t.is(memory.reserve(allocator, 'constant', 8192), pointers);
  t.notThrows(() =>
    finish(memory.apply(commitOf({ segments: [segmentOf(stubs, 'code', Uint8Array.of(1))] }))),
  );
});
