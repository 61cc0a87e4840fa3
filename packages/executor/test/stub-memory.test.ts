import { indirection as indirectionLimits } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { finish } from './finish.js';
import { MIB, prepare, RESOLVER, roomy } from './memory-fixture.js';
import { commitOf, segmentOf } from './session-fixture.js';

test('blocks are bounded, and so are the stubs of all together', (t) => {
  const { indirection } = prepare(t, roomy);
  const { MAX_STUB_BLOCKS } = indirectionLimits;
  for (let count = 0; count < MAX_STUB_BLOCKS; count++) finish(indirection.emit(1));
  t.throws(() => finish(indirection.emit(1)), { code: 'LIMIT_EXCEEDED', message: /64 blocks of stubs/ });
});

test('stubs for which there is no room are refused, and those for which there is are not', (t) => {
  const { memory, indirection } = prepare(t);
  // A sixteenth of the constants is pointers, the first of which is that to the resolver.
  const capacity = MIB / 16 / 8 - 1;
  const message = `no room for 3 more stubs: the runner has ${capacity - 2}, and room for ${capacity}`;
  finish(indirection.emit(capacity - 2));
  t.throws(() => finish(indirection.emit(3)), { code: 'LIMIT_EXCEEDED', message });
  const { pointers } = finish(indirection.emit(2));
  t.is(memory.offsetOf(pointers) + 16, memory.layout.frameNodes.offset);
  t.throws(() => finish(indirection.emit(1)), { code: 'LIMIT_EXCEEDED' });
});

test('stubs jump through pointers that commits may write, and only those', (t) => {
  const { memory, indirection } = prepare(t);
  const { stubs, pointers, trampolines, count } = finish(indirection.emit(3));
  t.is(count, 3);
  t.is(memory.read(addrAdd(pointers, 16), 8).readBigUInt64LE(), trampolines + 16n);
  const code = memory.read(stubs, 24);
  for (const index of [0, 1, 2]) {
    t.is(code.readUInt16BE(8 * index), 0xff25);
    const next = stubs + BigInt(8 * index + 6);
    t.is(next + BigInt(code.readInt32LE(8 * index + 2)), pointers + BigInt(8 * index));
  }
  const target = { address: addrAdd(pointers, 8), value: toExecutorAddr(0x42n) };
  finish(memory.apply(commitOf({ pointers: [target] }))).connect();
  t.is(memory.read(target.address, 8).readBigUInt64LE(), 0x42n);
  const outside = { message: /not inside memory that is allotted to the compiler/ };
  for (const segment of [
    segmentOf(stubs, 'code', Uint8Array.of(0x90)),
    segmentOf(trampolines, 'code', Uint8Array.of(0x90)),
    segmentOf(pointers, 'constant', Uint8Array.of(0)),
  ])
    t.throws(() => finish(memory.apply(commitOf({ segments: [segment] }))), outside);
  // The pointer behind the last stub's is nobody's until there is a stub for it.
  const next = { address: addrAdd(pointers, 24), value: RESOLVER };
  t.throws(() => finish(memory.apply(commitOf({ pointers: [next] }))), { code: 'INVALID_ADDRESS' });
  finish(indirection.emit(1));
  t.notThrows(() => finish(memory.apply(commitOf({ pointers: [next] }))));
});

test('blocks follow each other, and a stub keeps where it leads when more come', (t) => {
  const { memory, indirection, code } = prepare(t);
  const first = finish(indirection.emit(512));
  finish(memory.apply(commitOf({ pointers: [{ address: first.pointers, value: code }] }))).connect();
  const second = finish(indirection.emit(512));
  for (const part of ['stubs', 'pointers', 'trampolines'] as const)
    t.is<bigint, bigint>(second[part], first[part] + 512n * 8n);
  t.is<bigint, bigint>(memory.read(first.pointers, 8).readBigUInt64LE(), code);
});

test('a trampoline is known by its start, and its pointer is written by nobody', (t) => {
  const { memory, indirection } = prepare(t);
  const { trampolines: start, pointers } = finish(indirection.emit(600));
  t.true(indirection.isTrampoline(start));
  t.true(indirection.isTrampoline(addrAdd(start, 599 * 8)));
  t.false(indirection.isTrampoline(addrAdd(start, 600 * 8)));
  t.false(indirection.isTrampoline(addrAdd(start, 6)));
  t.false(indirection.isTrampoline(addrAdd(start, -8)));
  t.false(indirection.isTrampoline(toExecutorAddr(0x1000n)));
  finish(indirection.emit(1));
  t.true(indirection.isTrampoline(addrAdd(start, 600 * 8)));
  for (const index of [0, 600]) {
    const at = start + BigInt(8 * index);
    const pointer = toExecutorAddr(at + 6n + BigInt(memory.read(toExecutorAddr(at), 8).readInt32LE(2)));
    t.is<bigint, bigint>(pointer, pointers - 8n);
    t.is(memory.read(pointer, 8).readBigUInt64LE(), RESOLVER);
    t.throws(() => finish(memory.apply(commitOf({ pointers: [{ address: pointer, value: RESOLVER }] }))), {
      instanceOf: RequestError,
    });
  }
});
