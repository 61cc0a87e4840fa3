import { untilAborted } from '../core/aborting.js';
import type { MapOptions } from './chunked-map.js';
import type { MapData } from './pool-types.js';

/** Chunks to be mapped, as they come. */
export type MapChunks = Iterable<MapData> | AsyncIterable<MapData>;

/** How a stream of chunks is mapped. */
export interface MapStreamOptions extends Omit<MapOptions, 'chunk' | 'onProgress'> {
  /**
   * Chunks that have been taken from the source and whose results have not been taken from here: unless given two for each
   * executor. The source is asked for no more while there are so many, and not before somebody asks for a result.
   */
  readonly window?: number | undefined;
  /** Whether results come in the order of the chunks, as they do unless told otherwise, or as soon as they are there. */
  readonly ordered?: boolean | undefined;
}

/** What has become of a chunk, the first of which is 0. A `reason` is a `MapChunkError`, or an `ArgumentError`. */
export type MapChunkResult = { readonly chunk: number } & PromiseSettledResult<Float64Array>;

/** How a chunk is mapped. */
type MapOne = (data: MapData, signal: AbortSignal) => Promise<Float64Array>;

/** What comes next: a chunk of the source or its end, or a result. */
type Arrival =
  | { readonly from: 'source'; readonly next: IteratorResult<MapData> }
  | { readonly from: 'map'; readonly result: MapChunkResult };

/**
 * Maps chunks as they come, so many at a time. One that fails is a result like others; whoever stops iterating, or whose signal
 * is aborted, ends what is under way.
 * @throws {AbortError} when the signal is aborted, and what the source throws, after the results of what it gave before.
 */
export async function* mapStream(
  chunks: MapChunks,
  mapOne: MapOne,
  { window, ordered = true, signal }: MapStreamOptions & { readonly window: number },
): AsyncGenerator<MapChunkResult, void, undefined> {
  const iterator = iteratorOf(chunks);
  const stopping = new AbortController();
  const results = new Map<number, Promise<Arrival>>();
  let taken = 0;
  let asked: Promise<Arrival> | undefined;
  let end: { readonly error?: unknown } | undefined;
  try {
    for (;;) {
      if (!end && results.size < window)
        asked ??= iterator.next().then((next) => ({ from: 'source', next }) as const);
      const deliverable = [...results.values()].slice(0, ordered ? 1 : undefined);
      const waited = asked ? [asked, ...deliverable] : deliverable;
      if (waited.length === 0) break;
      const race = () => Promise.race(waited);
      const arrival = await untilAborted(signal, 'the map was cancelled', race).catch((error: unknown) => {
        // The source may be given up over a signal of its own.
        if (signal?.aborted) throw error;
        end = { error };
        return undefined;
      });
      if (!arrival || arrival.from === 'source') {
        asked = undefined;
        if (!arrival) continue;
        if (arrival.next.done) end = {};
        else {
          const chunk = taken++;
          results.set(chunk, settled(chunk, mapOne(arrival.next.value, stopping.signal)));
        }
      } else {
        results.delete(arrival.result.chunk);
        yield arrival.result;
      }
    }
    if (end && 'error' in end) throw end.error;
  } finally {
    stopping.abort(new Error('nobody takes more results'));
    // One that waits for its own source may never come back.
    const returned = end ? undefined : iterator.return?.();
    if (!asked) await returned;
    else returned?.catch(() => {});
    await Promise.all(results.values());
  }
}

async function settled(chunk: number, mapping: Promise<Float64Array>): Promise<Arrival> {
  const [result] = await Promise.allSettled([mapping]);
  return { from: 'map', result: { chunk, ...result } };
}

/** What a source is asked with; one that is not asynchronous is answered for later. */
function iteratorOf(chunks: MapChunks): AsyncIterator<MapData> {
  return Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : later(chunks);
}

async function* later(chunks: Iterable<MapData>): AsyncGenerator<MapData> {
  yield* chunks;
}
