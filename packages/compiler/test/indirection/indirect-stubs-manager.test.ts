import { addrAdd } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { JITDylib } from '../../src/core/jit-dylib.js';
import { IndirectStubsManager } from '../../src/indirection/indirect-stubs-manager.js';
import { openBlocks } from './stub-blocks-fixture.js';

const DYLIB = new JITDylib('main', { mayReplace: () => true, isPlaced: () => false });

test('a name has one stub, and stubs cost nothing until they are emitted', async (t) => {
  const { host, blocks } = await openBlocks(t);
  const stubs = new IndirectStubsManager();
  stubs.attach(blocks);
  t.is(stubs.findStub(DYLIB.ref('f')), undefined);
  const f = stubs.createStub(DYLIB.ref('f'));
  t.is(stubs.createStub(DYLIB.ref('f')), f);
  t.is(stubs.findStub(DYLIB.ref('f')), f);
  t.is(stubs.createStub(DYLIB.ref('g')).index, 1);
  const many = Array.from({ length: 511 }, (_, index) => stubs.createStub(DYLIB.ref(`h${index}`)));
  const last = many.at(-1);
  if (!last) return t.fail();
  t.true(stubs.isEmitted(f));
  t.false(stubs.isEmitted(last));
  t.is(host.askedFor('emitStubs'), 0);
  await stubs.ensureEmitted([last]);
  t.true(stubs.isEmitted(last));
});

test('only the stubs asked for must exist', async (t) => {
  const { blocks } = await openBlocks(t);
  const stubs = new IndirectStubsManager();
  stubs.attach(blocks);
  const all = Array.from({ length: 600 }, (_, index) => stubs.createStub(DYLIB.ref(`f${index}`)));
  await stubs.ensureEmitted(all.slice(0, 3));
  t.is(blocks.capacity, 512);
  t.deepEqual(
    [511, 512].map((index) => all[index] && stubs.isEmitted(all[index])),
    [true, false],
  );
  await stubs.ensureEmitted([]);
  t.is(blocks.capacity, 512);
  await stubs.ensureEmitted(all);
  t.is(blocks.capacity, 1024);
});

test('a trampoline leads to its stub', async (t) => {
  const { blocks } = await openBlocks(t);
  const stubs = new IndirectStubsManager();
  stubs.attach(blocks);
  const [f, g] = [stubs.createStub(DYLIB.ref('f')), stubs.createStub(DYLIB.ref('g'))];
  await stubs.ensureEmitted([f, g]);
  t.is(stubs.stubOfTrampoline(stubs.trampolineAddress(f)), f);
  t.is(stubs.stubOfTrampoline(stubs.trampolineAddress(g)), g);
  t.is(stubs.stubOfTrampoline(addrAdd(stubs.trampolineAddress(g), 8)), undefined);
  t.is(stubs.stubOfTrampoline(stubs.stubAddress(f)), undefined);
  t.is(stubs.stubAddress(g) - stubs.stubAddress(f), 8n);
  t.is(stubs.pointerAddress(g) - stubs.pointerAddress(f), 8n);
});

test('a released stub is the next name that needs one, and its trampoline leads there', async (t) => {
  const { blocks } = await openBlocks(t);
  const stubs = new IndirectStubsManager();
  stubs.attach(blocks);
  const f = stubs.createStub(DYLIB.ref('f'));
  const g = stubs.createStub(DYLIB.ref('g'));
  await stubs.ensureEmitted([f, g]);
  const trampoline = stubs.trampolineAddress(f);
  stubs.release(f);
  t.is(stubs.findStub(DYLIB.ref('f')), undefined);
  t.is(stubs.stubOfTrampoline(trampoline), undefined);
  t.deepEqual([...stubs.stubs()], [g]);
  const h = stubs.createStub(DYLIB.ref('h'));
  t.is(h.index, f.index);
  t.not(h, f);
  t.is(stubs.stubOfTrampoline(trampoline), h);
  t.is(stubs.createStub(DYLIB.ref('f')).index, 2);
});

test('a new runner keeps names and indices; addresses are its own, and nothing is linked to it', async (t) => {
  const first = await openBlocks(t);
  const second = await openBlocks(t);
  await second.blocks.ensure(512);
  const stubs = new IndirectStubsManager();
  stubs.attach(first.blocks);
  stubs.createStub(DYLIB.ref('e'));
  const f = stubs.createStub(DYLIB.ref('f'));
  await stubs.ensureEmitted([f]);
  f.referenceCount = 3;
  stubs.attach(second.blocks);
  t.is(stubs.findStub(DYLIB.ref('f')), f);
  t.is(f.index, 1);
  t.is(f.referenceCount, 0);
  t.is(stubs.stubAddress(f), second.blocks.stubAddress(1));
});

test('without a runner there are no addresses', (t) => {
  const stubs = new IndirectStubsManager();
  const f = stubs.createStub(DYLIB.ref('f'));
  t.throws(() => stubs.stubAddress(f), { message: 'no runner has been attached' });
});
