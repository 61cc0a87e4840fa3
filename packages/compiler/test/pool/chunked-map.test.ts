import test from 'ava';
import { ExecutorDrainingError, QuotaExceededError } from '../../src/core/errors.js';
import { ChunkedMap, MapChunkError, type MapProgress } from '../../src/pool/chunked-map.js';
import { AwayError, type PoolExecutor } from '../../src/pool/pool-executor.js';

/** Doubles what it is given, unless it has an error left. */
function executorThat(errors: readonly Error[]): PoolExecutor {
  const left = [...errors];
  const jit = {
    applyToColumns: async (_name: string, [column]: readonly Float64Array[]) => column?.map((x) => 2 * x),
  };
  const executor = {
    endpoint: { url: 'ws://there', address: undefined },
    done: { chunks: 0, elements: 0, lostChunks: 0, bytesSent: 0, bytesReceived: 0 },
    taskLimit: 2,
    occupyUntilAway: async (work: (session: typeof jit) => Promise<Float64Array>) => {
      const error = left.shift();
      if (error) throw error;
      return work(jit);
    },
  };
  return executor as unknown as PoolExecutor;
}

/** Maps one chunk, which an executor takes until it is done or the map has failed. */
async function mapBy(executor: PoolExecutor): Promise<Float64Array> {
  const map = new ChunkedMap('f', [Float64Array.of(1, 2, 3)], { chunk: 3 }, 1);
  const result = map.run();
  // It fails while nobody waits for it yet.
  result.catch(() => {});
  for (let task = map.take(executor); task; task = map.take(executor)) await task();
  return result;
}

const times = (count: number, error: () => Error) => Array.from({ length: count }, error);
const away = () => new AwayError('it is away');
const draining = () => new ExecutorDrainingError('f');
const quota = () => new QuotaExceededError({ name: 'calls', value: 1, identity: 'token a' });

test('a chunk is begun four times at most', async (t) => {
  const executor = executorThat(times(3, away));
  t.deepEqual(await mapBy(executor), Float64Array.of(2, 4, 6));
  t.is(executor.done.lostChunks, 3);
  const error = await t.throwsAsync(mapBy(executorThat(times(4, away))), { instanceOf: MapChunkError });
  t.true(error?.cause instanceof AwayError);
});

for (const [what, refusals] of [
  ['an executor that drains', times(10, draining)],
  ['a quota', [quota()]],
] as const)
  test(`a chunk that ${what} kept from beginning has not been begun`, async (t) => {
    const executor = executorThat([...refusals, ...times(3, away)]);
    t.deepEqual(await mapBy(executor), Float64Array.of(2, 4, 6));
    t.is(executor.done.lostChunks, 3);
  });

test('a chunk that is done after the map has failed is not told of', async (t) => {
  const told: number[] = [];
  const onProgress = ({ chunk }: MapProgress) => void told.push(chunk);
  const map = new ChunkedMap('f', [Float64Array.of(1, 2)], { chunk: 1, onProgress }, 1);
  const result = map.run();
  result.catch(() => {});
  const executor = executorThat([]);
  await map.take(executor)?.();
  const late = map.take(executor)?.();
  map.fail(new Error('enough'));
  await late;
  t.deepEqual(told, [0]);
  t.is(executor.done.chunks, 1);
  await t.throwsAsync(result, { message: 'enough' });
});
