import { AbortError, ArgumentError, MapChunkError, type MapChunkResult } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { doubles, openPool } from './pool-fixture.js';

const SOURCE =
  'def cube(x) x * x * x; def spin(x) for i = 0, 1 in x; def slow(x) (for i = 0, i < x in i) + x;';
const TRAP = `
define double @positive(double %x) {
  %isBad = fcmp olt double %x, 0.0
  br i1 %isBad, label %bad, label %good
bad:
  call void @llvm.trap()
  unreachable
good:
  ret double %x
}
declare void @llvm.trap()
`;

async function open(t: ExecutionContext) {
  const pool = await openPool(t, ['local', 'local']);
  await pool.addSource(SOURCE);
  return pool;
}

async function collect(results: AsyncIterable<MapChunkResult>): Promise<MapChunkResult[]> {
  const all: MapChunkResult[] = [];
  for await (const result of results) all.push(result);
  return all;
}

/** Chunks of a few elements, and how many have been taken, and whether whoever takes them has said that it is enough. */
function counted(count: number) {
  const state = { taken: 0, isReturned: false };
  async function* chunks() {
    try {
      for (let index = 0; index < count; index++) {
        state.taken++;
        yield Float64Array.of(index, -index);
      }
    } finally {
      state.isReturned = true;
    }
  }
  return { state, chunks };
}

test('chunks of an array, of something iterable, and of something asynchronous are mapped in order', async (t) => {
  const pool = await open(t);
  const chunks = Array.from({ length: 20 }, (_, index) => doubles(index * 50));
  const expected = chunks.map((chunk, index) => ({
    chunk: index,
    status: 'fulfilled',
    value: chunk.map((x) => x * x * x),
  }));
  async function* later() {
    yield* chunks;
  }
  for (const source of [chunks, new Set(chunks), later()])
    t.deepEqual<unknown, unknown>(await collect(pool.map('cube', source)), expected);
  t.deepEqual(await collect(pool.map('cube', [])), []);
  // Columns, and a callable.
  await pool.addSource('def add(x y) x + y;');
  const columns = [{ columns: [Float64Array.of(1, 2), Float64Array.of(3, 4)] }];
  t.like(await collect(pool.map(await pool.lookup('add'), columns)), [
    { chunk: 0, value: Float64Array.of(4, 6) },
  ]);
});

test('no more chunks are taken than the window has room for, and none before somebody asks', async (t) => {
  const pool = await open(t);
  const { state, chunks } = counted(50);
  const results = pool.map('cube', chunks(), { window: 3 });
  await new Promise(setImmediate);
  t.is(state.taken, 0);
  let delivered = 0;
  for await (const { chunk } of results) {
    t.is(chunk, delivered++);
    t.true(state.taken - delivered <= 3, `${state.taken} taken, ${delivered} delivered`);
  }
  t.is(delivered, 50);
});

test('results come as they are there when that is asked for', async (t) => {
  const pool = await open(t);
  const source = [Float64Array.of(3e8), ...Array.from({ length: 6 }, () => Float64Array.of(1))];
  const results = await collect(pool.map('slow', source, { ordered: false, window: 4 }));
  t.is(results.length, 7);
  t.true(results.findIndex(({ chunk }) => chunk === 0) > 0, 'the first is not waited for');
  t.deepEqual(results.map(({ chunk }) => chunk).sort(), [0, 1, 2, 3, 4, 5, 6]);
});

test('a chunk that fails is a result, and the others are mapped', async (t) => {
  const pool = await open(t);
  await pool.addIR(TRAP);
  const source = [Float64Array.of(1), Float64Array.of(2, -1), { columns: [] }, Float64Array.of(3)];
  const [first, trapped, wrong, last] = await collect(pool.map('positive', source, { window: 1 }));
  t.like(first, { chunk: 0, value: Float64Array.of(1) });
  t.true(trapped?.status === 'rejected' && trapped.reason instanceof MapChunkError);
  t.true(wrong?.status === 'rejected' && wrong.reason instanceof ArgumentError);
  t.like(last, { chunk: 3, value: Float64Array.of(3) });
});

test('whoever stops iterating ends the source and what is under way', async (t) => {
  const pool = await open(t);
  const { state, chunks } = counted(1_000_000);
  for await (const { chunk } of pool.map('cube', chunks())) if (chunk === 5) break;
  t.true(state.isReturned);
  t.true(state.taken < 20);
  async function* endless() {
    yield Float64Array.of(1);
    for (;;) await new Promise(() => {});
  }
  // One that never comes back is not waited for, nor is a call without an end.
  for await (const result of pool.map('cube', endless())) {
    t.is(result.status, 'fulfilled');
    break;
  }
  const spinning = pool.map('spin', [Float64Array.of(1), Float64Array.of(2)], { ordered: false });
  const next = spinning.next();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const controller = new AbortController();
  const aborted = pool.map('spin', [Float64Array.of(1)], { signal: controller.signal });
  const rejected = t.throwsAsync(collect(aborted), { instanceOf: AbortError, code: 'CANCELLED' });
  controller.abort('enough');
  t.is((await rejected)?.cause, 'enough');
  await t.throwsAsync(collect(pool.map('cube', chunks(), { signal: AbortSignal.abort() })), {
    name: 'AbortError',
  });
  void next.catch(() => {});
  await pool.close();
  t.like(await next, { done: false });
});

test('what the source throws comes after the results of what it gave', async (t) => {
  const pool = await open(t);
  // Also when it is a signal of its own that it was given up over.
  for (const error of [new TypeError('no more data'), new AbortError('no more data', 'late')]) {
    async function* failing() {
      yield Float64Array.of(2);
      throw error;
    }
    const results = pool.map('cube', failing());
    t.like(await results.next(), { value: { chunk: 0, value: Float64Array.of(8) } });
    t.is(await t.throwsAsync(results.next()), error);
    t.deepEqual(await results.next(), { done: true, value: undefined });
  }
});

test('what are no options is refused by the iteration', async (t) => {
  const pool = await open(t);
  for (const options of [{ window: 0 }, { ordered: 'no' }, { onProgress: () => {} }])
    await t.throwsAsync(collect(pool.map('cube', [], options as object)), { instanceOf: ArgumentError });
});
