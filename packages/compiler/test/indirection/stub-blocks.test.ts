import { RequestError } from '@farjit/protocol/errors';
import { addrAdd } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { openBlocks } from './stub-blocks-fixture.js';

test('nothing is emitted before it is needed', async (t) => {
  const { host, blocks } = await openBlocks(t);
  await blocks.ensure(0);
  t.is(blocks.capacity, 0);
  t.is(host.askedFor('emitTrampolineBlock'), 0);
  t.throws(() => blocks.stubAddress(0), { instanceOf: RangeError, message: 'stub 0 has not been emitted' });
});

test('blocks double: each growth is one pair of messages', async (t) => {
  const { host, blocks } = await openBlocks(t);
  for (const [count, capacity, messages] of [
    [1, 512, 1],
    [512, 512, 1],
    [513, 1024, 2],
    [1025, 2048, 3],
    [5000, 8192, 5],
  ] as const) {
    await blocks.ensure(count);
    t.is(blocks.capacity, capacity);
    t.is(host.askedFor('emitTrampolineBlock'), messages);
    t.is(host.askedFor('emitIndirectStubs'), messages);
  }
});

test('a block never asks for more stubs than a message may', async (t) => {
  const counts: number[] = [];
  const { host, blocks } = await openBlocks(t);
  const { emitTrampolineBlock } = host.answers;
  host.answers.emitTrampolineBlock = (params, context) => {
    counts.push(params.trampolineCount);
    return emitTrampolineBlock(params, context);
  };
  await blocks.ensure(200_000);
  t.is(Math.max(...counts), 65_536);
  t.is(blocks.capacity, 262_144);
});

test('those who wait for growth share it', async (t) => {
  const { host, blocks } = await openBlocks(t);
  await Promise.all([blocks.ensure(1), blocks.ensure(300), blocks.ensure(512), blocks.ensure(600)]);
  t.is(blocks.capacity, 1024);
  t.is(host.askedFor('emitIndirectStubs'), 2);
});

test('growth that fails rejects for all who wait, and is tried again by the next', async (t) => {
  const { host, blocks } = await openBlocks(t);
  const { emitIndirectStubs } = host.answers;
  host.answers.emitIndirectStubs = () => {
    throw new RequestError('LIMIT_EXCEEDED', 'no memory');
  };
  const results = await Promise.allSettled([blocks.ensure(1), blocks.ensure(2)]);
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  t.is(blocks.capacity, 0);
  host.answers.emitIndirectStubs = emitIndirectStubs;
  await blocks.ensure(2);
  t.is(blocks.capacity, 512);
});

test('stub, pointer and trampoline of an index go together, over the border of a block', async (t) => {
  const { host, blocks } = await openBlocks(t);
  await blocks.ensure(1000);
  for (const index of [0, 1, 511, 512, 513, 1023]) {
    t.is(blocks.trampolineIndex(blocks.trampolineAddress(index)), index);
    t.is(host.pointers.get(blocks.pointerAddress(index)), blocks.trampolineAddress(index));
  }
  t.is(blocks.stubAddress(511) - blocks.stubAddress(0), 511n * 8n);
  const addresses = [...Array(1024).keys()].map((index) => blocks.stubAddress(index));
  t.is(new Set(addresses).size, 1024);
});

test('an address that is no trampoline has no index', async (t) => {
  const { host, blocks } = await openBlocks(t);
  await blocks.ensure(1000);
  const first = blocks.trampolineAddress(0);
  for (const address of [
    addrAdd(first, -8),
    addrAdd(first, 1),
    addrAdd(first, 7),
    blocks.stubAddress(0),
    blocks.pointerAddress(0),
    host.runner.memory.data.address,
    addrAdd(first, -first),
    addrAdd(first, 0xffff_ffff_ffff_ffffn - first),
  ])
    t.is(blocks.trampolineIndex(address), undefined, address.toString(16));
});

test('a block for a runner that has been replaced is refused, not emitted in the next one', async (t) => {
  const generations: number[] = [];
  const { executor, blocks, host } = await openBlocks(t);
  host.answers.emitTrampolineBlock = (_params, { generation }) => {
    generations.push(generation);
    throw new RequestError('STALE_GENERATION', 'gone');
  };
  await executor.startRunner();
  await t.throwsAsync(blocks.ensure(1), { code: 'STALE_GENERATION' });
  t.deepEqual(generations, [1]);
});
