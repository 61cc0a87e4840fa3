import { RequestError } from '@farjit/protocol/errors';
import { addrAdd } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { openBlocks } from '../indirection/stub-blocks-fixture.js';

test('the first block comes with the runner: nothing is asked for until there is need of more', async (t) => {
  const { host, blocks } = await openBlocks(t);
  t.is(blocks.capacity, 512);
  await blocks.ensure(512);
  t.deepEqual(host.asked, ['openSession']);
  t.throws(() => blocks.stubAddress(512), {
    instanceOf: RangeError,
    message: 'stub 512 has not been emitted',
  });
});

test('blocks double: each growth is one message', async (t) => {
  const { host, blocks } = await openBlocks(t);
  for (const [count, capacity, messages] of [
    [1, 512, 0],
    [513, 1024, 1],
    [1025, 2048, 2],
    [5000, 8192, 4],
  ] as const) {
    await blocks.ensure(count);
    t.is(blocks.capacity, capacity);
    t.is(host.askedFor('emitStubs'), messages);
  }
});

test('a block never asks for more stubs than a message may', async (t) => {
  const counts: number[] = [];
  const { host, blocks } = await openBlocks(t);
  const { emitStubs } = host.answers;
  host.answers.emitStubs = (params, context) => {
    counts.push(params.stubCount);
    return emitStubs(params, context);
  };
  await blocks.ensure(200_000);
  t.is(Math.max(...counts), 65_536);
  t.is(blocks.capacity, 262_144);
});

test('those who wait for growth share it', async (t) => {
  const { host, blocks } = await openBlocks(t);
  await Promise.all([blocks.ensure(513), blocks.ensure(600), blocks.ensure(1024), blocks.ensure(1100)]);
  t.is(blocks.capacity, 2048);
  t.is(host.askedFor('emitStubs'), 2);
});

test('growth that fails rejects for all who wait, and is tried again by the next', async (t) => {
  const { host, blocks } = await openBlocks(t);
  const { emitStubs } = host.answers;
  host.answers.emitStubs = () => {
    throw new RequestError('LIMIT_EXCEEDED', 'no memory');
  };
  const results = await Promise.allSettled([blocks.ensure(513), blocks.ensure(514)]);
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  t.is(blocks.capacity, 512);
  host.answers.emitStubs = emitStubs;
  await blocks.ensure(514);
  t.is(blocks.capacity, 1024);
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
  host.answers.emitStubs = (_params, { generation }) => {
    generations.push(generation);
    throw new RequestError('STALE_GENERATION', 'gone');
  };
  await executor.startRunner(1);
  await t.throwsAsync(blocks.ensure(513), { code: 'STALE_GENERATION' });
  t.deepEqual(generations, [1]);
});
