import {
  ArgumentError,
  DeadlineExceededError,
  ExecutionTrapError,
  type ExecutorPool,
  MapChunkError,
  type MapProgress,
  MaterializationError,
  NoExecutorError,
  RunnerLostError,
  SymbolsNotFoundError,
} from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { maxElements } from '#compiler/src/calls/loop-calls.js';
import { kill, socketUrl, startExecutor, startExecutors } from './executor-process.js';
import { eventually } from './jit-fixture.js';
import { countingCodegen, doubles, openPool } from './pool-fixture.js';

const CUBE = 'def cube(x) x * x * x;';
const cubeOf = (x: number) => x * x * x;

/** A pool on so many executors. */
async function openOn(t: ExecutionContext, count: number, options: Parameters<typeof openPool>[2] = {}) {
  const executors = await startExecutors(t, count);
  const pool = await openPool(
    t,
    executors.map(({ url }) => url),
    options,
  );
  return { pool, executors };
}

/** Whether results are what a function in JavaScript gives. */
function isMapOf(results: Float64Array, data: Float64Array, fn: (x: number) => number): boolean {
  return (
    results.length === data.length && results.every((value, index) => Object.is(value, fn(data[index] ?? 0)))
  );
}

const chunksOf = (pool: ExecutorPool) => pool.executors.map(({ chunks }) => chunks);
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test('results come in the order of the data, each chunk in one round trip', async (t) => {
  const { pool } = await openOn(t, 2);
  await pool.addSource(CUBE);
  const data = doubles(10_007);
  const progress: MapProgress[] = [];
  const results = await pool.map('cube', data, { chunk: 100, onProgress: (event) => progress.push(event) });
  t.true(isMapOf(results, data, cubeOf));
  t.is(progress.length, 101);
  t.deepEqual(
    progress.map(({ chunk }) => chunk).sort((a, b) => a - b),
    Array.from({ length: 101 }, (_, index) => index),
  );
  t.like(progress.at(-1), { doneChunks: 101, chunkCount: 101, doneElements: 10_007, elementCount: 10_007 });
  const figures = pool.executors;
  t.is(sum(figures.map(({ chunks }) => chunks)), 101);
  t.is(sum(figures.map(({ elements }) => elements)), 10_007);
  t.is(sum(figures.map(({ bytesSent }) => bytesSent)), 80_056);
  t.is(sum(figures.map(({ bytesReceived }) => bytesReceived)), 80_056);
  for (const { chunks, statistics, busyMs } of figures) {
    t.true(chunks > 0);
    t.true(busyMs > 0);
    t.is(statistics?.roundTrips.callAndRead, chunks);
    t.is(statistics?.roundTrips.readMemory, undefined);
    // No element has called anything.
    t.is(statistics?.compileCallbacks, 0);
  }
  t.is(pool.statistics()?.loopsCompiled, 1);
});

test('a function of several parameters takes a column for each', async (t) => {
  const { pool } = await openOn(t, 2);
  await pool.addSource('def weighted(x y z) x * y + z; extern fmax(a b); def one() 1;');
  const [x, y, z] = [doubles(1000), doubles(1000).reverse(), doubles(1000)];
  const results = await pool.map('weighted', { columns: [x, y, z] });
  t.true(results.every((value, index) => value === (x[index] ?? 0) * (y[index] ?? 0) + (z[index] ?? 0)));
  // Four chunks for each executor, since there are few elements.
  t.deepEqual(sum(chunksOf(pool)), 8);
  // What nobody has a body of is called.
  const larger = await pool.map('fmax', { columns: [x, y] });
  t.true(larger.every((value, index) => value === Math.max(x[index] ?? 0, y[index] ?? 0)));
  const weighted = await pool.lookup('weighted');
  t.deepEqual(await pool.map(weighted, { columns: [x, y, z] }), results);
  t.is(
    (await pool.map('weighted', { columns: [x.subarray(0, 0), y.subarray(0, 0), z.subarray(0, 0)] })).length,
    0,
  );
  t.deepEqual(
    await pool.map('fmax', { columns: [Float64Array.of(1), Float64Array.of(2)] }),
    Float64Array.of(2),
  );
  await t.throwsAsync(pool.map('weighted', x), {
    instanceOf: ArgumentError,
    message: /takes 3 columns, got 1/,
  });
  await t.throwsAsync(pool.map('fmax', { columns: [x, y.subarray(1)] }), {
    instanceOf: ArgumentError,
    message: 'fmax: column 2 has 999 elements, column 1 has 1000',
  });
  await t.throwsAsync(pool.map('one', { columns: [] }), { instanceOf: ArgumentError });
  await t.throwsAsync(pool.map('nobody', x), { instanceOf: SymbolsNotFoundError });
  await t.throwsAsync(pool.map('fmax', { columns: [x, y] }, { chunk: 0 }), { instanceOf: ArgumentError });
  await t.throwsAsync(pool.map('fmax', { columns: [x, y] }, { chunk: 10_000_000 }), {
    instanceOf: ArgumentError,
    message: /from 1 to \d+, which is what a call takes/,
  });
});

test('a chunk of the largest size, and its memory is used again', async (t) => {
  const { pool } = await openOn(t, 1);
  await pool.addSource(CUBE);
  const data = doubles(6_000_000);
  const chunk = maxElements(1);
  const results = await pool.map('cube', data, { chunk });
  t.true(isMapOf(results, data, cubeOf));
  // 144 MB go through 107 MiB of memory.
  for (let i = 0; i < 2; i++) await pool.map('cube', data, { chunk });
  t.deepEqual(chunksOf(pool), [3 * Math.ceil(data.length / chunk)]);
});

test('an executor that is slow has less to do', async (t) => {
  const { pool, executors } = await openOn(t, 2);
  const slow = executors[1];
  if (!slow) return t.fail();
  await pool.addSource(CUBE);
  const data = doubles(4000);
  let isStopped = false;
  const results = await pool.map('cube', data, {
    chunk: 100,
    onProgress: ({ executor, doneChunks }) => {
      if (executor.url === slow.url && !isStopped) {
        isStopped = true;
        slow.child.kill('SIGSTOP');
      }
      // Whatever is left is what it had been given.
      if (isStopped && doneChunks >= 38) slow.child.kill('SIGCONT');
    },
  });
  t.true(isMapOf(results, data, cubeOf));
  const [fast = 0, few = 0] = chunksOf(pool);
  t.is(fast + few, 40);
  t.true(few >= 1 && few <= 40 - fast && fast >= 30, `${fast} and ${few}`);
});

test("a lost executor's chunks go to the others, and nothing is compiled again", async (t) => {
  const codegen = countingCodegen(t);
  const { pool, executors } = await openOn(t, 3, { codegen });
  const victim = executors[1];
  if (!victim) return t.fail();
  await pool.addSource(`def sq(x) x * x; def cube(x) sq(x) * x;`);
  const data = doubles(20_000);
  let killedAt = 0;
  const results = await pool.map('cube', data, {
    chunk: 100,
    onProgress: ({ doneChunks, executor }) => {
      if (doneChunks < 20 || killedAt > 0 || executor.url === victim.url) return;
      killedAt = doneChunks;
      victim.child.kill('SIGKILL');
    },
  });
  t.true(isMapOf(results, data, cubeOf));
  t.true(killedAt >= 20 && killedAt < 100);
  t.is(sum(chunksOf(pool)), 200);
  const [, lost] = pool.executors;
  t.is(lost?.state, 'lost');
  t.is(lost?.lostChunks, 2);
  t.deepEqual(
    codegen.compiled.map((name) => name.split(' ')[0]),
    ['map$cube'],
  );
});

test('a lost executor gets work again when it is back', async (t) => {
  const codegen = countingCodegen(t);
  const { pool, executors } = await openOn(t, 2, { codegen });
  const [first, second] = executors;
  if (!first || !second) return t.fail();
  await pool.addSource(CUBE);
  const data = doubles(10_000);
  const comeBack = async () => {
    await kill(second.child);
    // What it had answered before has been counted then.
    await eventually(() => pool.executors[1]?.state === 'lost', 'it is missed');
    const chunksBefore = pool.executors[1]?.chunks ?? 0;
    await startExecutor(t, second.url);
    await eventually(() => (pool.executors[1]?.chunks ?? 0) > chunksBefore, 'it works again');
  };
  let returned: Promise<unknown> | undefined;
  const results = await pool.map('cube', data, {
    chunk: 100,
    onProgress: ({ doneChunks }) => {
      if (doneChunks < 10 || returned) return;
      // Nobody else works meanwhile, so there is something left when it is back.
      first.child.kill('SIGSTOP');
      returned = comeBack().finally(() => first.child.kill('SIGCONT'));
    },
  });
  await returned;
  t.true(isMapOf(results, data, cubeOf));
  t.is(pool.executors[1]?.sessionCount, 2);
  t.is(codegen.compiled.length, 1);
});

test('an executor that joins during a map gets chunks of it', async (t) => {
  const { pool, executors } = await openOn(t, 1);
  const [first] = executors;
  const joining = await startExecutor(t);
  await pool.addSource(CUBE);
  const data = doubles(10_000);
  let joined: Promise<unknown> | undefined;
  const results = await pool.map('cube', data, {
    chunk: 100,
    onProgress: ({ doneChunks }) => {
      if (doneChunks < 5 || joined) return;
      first?.child.kill('SIGSTOP');
      joined = pool
        .add(joining.url)
        .then(() => eventually(() => (pool.executors[1]?.chunks ?? 0) > 0, 'it has done a chunk'))
        .finally(() => first?.child.kill('SIGCONT'));
    },
  });
  await joined;
  t.true(isMapOf(results, data, cubeOf));
  const [old = 0, young = 0] = chunksOf(pool);
  t.is(old + young, 100);
  t.true(young > 0);
  t.is(pool.statistics()?.loopsCompiled, 1);
});

test('a map can be cancelled, before and in the middle, and the next one is not disturbed', async (t) => {
  const { pool } = await openOn(t, 2);
  await pool.addSource(`${CUBE} def spin(x) for i = 0, 1 in x;`);
  const data = doubles(10_000);
  const reason = new Error('enough');
  await t.throwsAsync(pool.map('cube', data, { signal: AbortSignal.abort(reason) }), { code: 'CANCELLED' });
  t.deepEqual(chunksOf(pool), [0, 0]);
  const controller = new AbortController();
  const error = await t.throwsAsync(
    pool.map('cube', data, {
      chunk: 10,
      signal: controller.signal,
      onProgress: ({ doneChunks }) => {
        if (doneChunks === 7) controller.abort(reason);
      },
    }),
    { code: 'CANCELLED' },
  );
  t.is(error?.cause, reason);
  t.is(sum(chunksOf(pool)), 7);
  const spinning = new AbortController();
  const sent = () => sum(pool.executors.map(({ statistics }) => statistics?.roundTrips.callAndRead ?? 0));
  const sentBefore = sent();
  const spin = pool.map('spin', data, { signal: spinning.signal });
  await eventually(() => sent() === sentBefore + 4, 'it spins in both executors');
  spinning.abort();
  await t.throwsAsync(spin, { code: 'CANCELLED' });
  t.true(isMapOf(await pool.map('cube', data), data, cubeOf));
  t.deepEqual(await pool.addSource('cube(2);'), [{ status: 'fulfilled', value: 8 }]);
});

test('a chunk that fails by itself fails the map, and says which elements it was', async (t) => {
  const { pool } = await openOn(t, 2);
  await pool.addSource(`
    def deep(x) if x < 0 then x else deep(x + 1) * 0.5 + 1;
    def fails(x) if x < 500 then x else deep(x);
    def broken(x) if x < 500 then x else missing(x);
    def endless(x) for i = 0, 1 in x;
  `);
  const data = Float64Array.from({ length: 1000 }, (_, index) => index);
  const trapped = await t.throwsAsync(pool.map('fails', data, { chunk: 100 }), { instanceOf: MapChunkError });
  t.true(trapped?.cause instanceof ExecutionTrapError, String(trapped?.cause));
  t.like(trapped, { code: 'MAP_FAILED' });
  t.true(
    trapped instanceof MapChunkError && trapped.chunk >= 5 && trapped.firstElement === trapped.chunk * 100,
  );
  t.regex(
    trapped?.message ?? '',
    /^fails failed in chunk \d \(elements \d00 to \d99\) on ws\+unix:\S+: SIGSEGV in \S+ \(pc 0x\w+, stack overflow\)/,
  );
  const uncompiled = await t.throwsAsync(pool.map('broken', data, { chunk: 100 }), {
    instanceOf: MapChunkError,
  });
  t.true(uncompiled?.cause instanceof MaterializationError);
  const late = await t.throwsAsync(pool.map('endless', data, { deadlineMs: 50 }), {
    instanceOf: MapChunkError,
  });
  t.true(late?.cause instanceof DeadlineExceededError || late?.cause instanceof RunnerLostError);
  t.true((await pool.map('fails', data.subarray(0, 500))).every((value, index) => value === index));
  for (const { lostChunks, state } of pool.executors) {
    t.is(state, 'connected');
    t.true(lostChunks <= 4);
  }
});

test('a chunk that takes runners down goes round a few times, and not for ever', async (t) => {
  const { pool } = await openOn(t, 2);
  await pool.addSource('extern abort(); def f(x) if x < 99 then x else abort();');
  const data = Float64Array.from({ length: 100 }, (_, index) => index);
  const error = await t.throwsAsync(pool.map('f', data, { chunk: 100 }), { instanceOf: MapChunkError });
  t.true(error?.cause instanceof RunnerLostError);
  t.is(sum(pool.executors.map(({ lostChunks }) => lostChunks)), 4);
  t.is(pool.statistics()?.runnersLost, 4);
  t.is(pool.statistics()?.loopsCompiled, 1);
});

test('a redefinition holds for all chunks that are begun after it', async (t) => {
  const { pool } = await openOn(t, 2);
  await pool.addSource('def inner(x) x + 1; def f(x) inner(x) * 2;');
  const data = new Float64Array(5000);
  let doneBefore = 0;
  const results = await pool.map('f', data, {
    chunk: 50,
    onProgress: ({ doneChunks }) => {
      if (doneChunks !== 20) return;
      doneBefore = doneChunks;
      const [item] = pool.parse('def inner(x) x + 100;');
      if (item?.kind === 'definition') pool.addFunctionAST(item.function);
    },
  });
  const chunks = Array.from(
    { length: 100 },
    (_, index) => new Set(results.subarray(index * 50, index * 50 + 50)),
  );
  t.true(chunks.every(({ size }) => size === 1));
  const values = chunks.map((values) => [...values][0] ?? 0);
  const oldCount = values.filter((value) => value === 2).length;
  t.is(values.filter((value) => value === 200).length, 100 - oldCount);
  // Two under way in each executor at most.
  t.true(oldCount >= doneBefore && oldCount <= doneBefore + 4, `${oldCount}`);
  t.is(values.at(-1), 200);
  t.is((await pool.map('f', Float64Array.of(1)))[0], 202);
});

test('work waits for an executor, and not for ever', async (t) => {
  const url = socketUrl(t);
  const { child } = await startExecutor(t, url);
  const pool = await openPool(t, [url], { waitMs: 100 });
  await pool.addSource(CUBE);
  await kill(child);
  await eventually(() => pool.executors[0]?.state === 'lost', 'the loss is known');
  await t.throwsAsync(pool.map('cube', doubles(10)), {
    instanceOf: NoExecutorError,
    message: /no executor is connected/,
  });
  const [result] = await pool.addSource('1 + 1;');
  t.true(result?.status === 'rejected' && result.reason instanceof NoExecutorError);
  await startExecutor(t, url);
  await eventually(() => pool.executors[0]?.state === 'connected', 'it is back');
  t.deepEqual(await pool.map('cube', Float64Array.of(3)), Float64Array.of(27));
  const closing = pool.map('cube', doubles(100_000), { chunk: 1 });
  await pool.close();
  await t.throwsAsync(closing, { code: 'SESSION_CLOSED' });
});
