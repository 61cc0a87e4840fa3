import { setMaxListeners } from 'node:events';
import { monotonicMs } from '@farjit/protocol/clock';
import { AbortError, FarJITError } from '@farjit/protocol/errors';
import { maxElements } from '../calls/loop-calls.js';
import { ArgumentError } from '../core/argument-error.js';
import { isDoubles } from '../core/arguments.js';
import { ExecutorDrainingError, QuotaExceededError, RunnerLostError } from '../core/errors.js';
import type { Task, TaskSource } from './dispatcher.js';
import { AwayError, isExecutorLoss, type PoolExecutor, reasonOf } from './pool-executor.js';
import type { MapData } from './pool-types.js';

/** Elements of a chunk unless told otherwise: half a megabyte, and far more work than a round trip for most functions. */
const DEFAULT_CHUNK_ELEMENTS = 65_536;
/** Chunks for each executor at least, if there are so many elements: a slow one must not have half of the work. */
const CHUNKS_PER_EXECUTOR = 4;
/** A chunk that has been lost so often takes its runners down itself, however it does that. */
const MAX_CHUNK_ATTEMPTS = 4;
/** Longest wait for chunks under way to end when the map has failed: an executor may be out of reach. */
const END_GRACE_MS = 2000;

/** How far a map is, told after every chunk. */
export interface MapProgress {
  readonly doneChunks: number;
  readonly chunkCount: number;
  readonly doneElements: number;
  readonly elementCount: number;
  /** The chunk that has just been done, who did it, and how long that took. */
  readonly chunk: number;
  readonly executor: { readonly url: string; readonly address: string | undefined };
  readonly chunkMs: number;
}

/** How a map is done. */
export interface MapOptions {
  /** Elements of a chunk: by default 65,536, or less where there are too few of them for all executors. */
  readonly chunk?: number | undefined;
  /** Aborting ends the map, and the runners that are at work for it. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: MapProgress) => void) | undefined;
  /** Whether functions in JavaScript may be called, as often as a chunk is begun: false unless given. */
  readonly callsJavaScript?: boolean | undefined;
  /** How long one chunk may take on an executor's clock, and how long the initialisers before the first one there. */
  readonly deadlineMs?: number | undefined;
}

/**
 * A chunk could not be computed, and neither could the map. The cause says why.
 * @remarks Look at the cause, and at the elements from `firstElement` on; give fewer elements at a time with `chunk` where one
 * takes too long.
 */
export class MapChunkError extends FarJITError {
  readonly chunk: number;
  /** The elements of the chunk: from `firstElement` up to and without `endElement`. */
  readonly firstElement: number;
  readonly endElement: number;
  readonly executor: string;

  constructor(name: string, { index, first, end }: Chunk, executor: string, cause: unknown) {
    const words = cause instanceof Error ? cause.message : String(cause);
    super(
      'MAP_FAILED',
      `${name} failed in chunk ${index} (elements ${first} to ${end - 1}) on ${executor}: ${words}`,
      { cause },
    );
    this.chunk = index;
    this.firstElement = first;
    this.endElement = end;
    this.executor = executor;
  }
}

interface Chunk {
  readonly index: number;
  readonly first: number;
  readonly end: number;
  /** How often it has been begun. */
  attempts: number;
}

/** One map: hands out its chunks to executors, puts the results where they belong, and begins again what was lost. */
export class ChunkedMap implements TaskSource {
  readonly #name: string;
  readonly #columns: readonly Float64Array[];
  readonly #options: MapOptions;
  readonly #result: Float64Array;
  readonly #chunkElements: number;
  readonly #chunkCount: number;
  readonly #stopping = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** Chunks under way by executor. */
  readonly #busy = new Map<PoolExecutor, number>();
  /** Executors that begin none of its chunks, for a quota that somebody else uses up. */
  readonly #refusing = new Set<PoolExecutor>();
  /** Chunks that were lost, to be done before any new one. */
  readonly #again: Chunk[] = [];
  #nextIndex = 0;
  #doneChunks = 0;
  #doneElements = 0;
  #settle!: { resolve: () => void; reject: (error: unknown) => void };
  readonly #settled: Promise<void>;
  #isSettled = false;

  /** @param columns checked: of one length, as many as the function has parameters. */
  constructor(name: string, columns: readonly Float64Array[], options: MapOptions, executorCount: number) {
    this.#name = name;
    this.#columns = columns;
    this.#options = options;
    const elementCount = columns[0]?.length ?? 0;
    this.#result = new Float64Array(elementCount);
    this.#chunkElements = chunkElements(options.chunk, elementCount, columns.length, executorCount);
    this.#chunkCount = Math.ceil(elementCount / this.#chunkElements);
    // Every chunk under way listens, and there are two for each executor.
    setMaxListeners(0, this.#stopping.signal);
    this.#settled = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  /** The results, in the order of the elements, when all chunks have been done by whoever `take`s them. */
  async run(): Promise<Float64Array> {
    const { signal } = this.#options;
    const onAbort = () => this.fail(new AbortError(`map of ${this.#name} was cancelled`, signal?.reason));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    if (this.#chunkCount === 0) this.#settle.resolve();
    try {
      await this.#settled;
      return this.#result;
    } catch (error) {
      this.#stopping.abort(error);
      await endOf([...this.#underWay]);
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Gives the map up. */
  fail(error: unknown): void {
    this.#isSettled = true;
    this.#settle.reject(error);
  }

  take(executor: PoolExecutor): Task | undefined {
    if (this.#isSettled || this.#refusing.has(executor)) return undefined;
    const chunk = this.#again.shift() ?? this.#nextChunk();
    if (!chunk) return undefined;
    return () => {
      const done = this.#do(chunk, executor);
      this.#underWay.add(done);
      return done.finally(() => this.#underWay.delete(done));
    };
  }

  #nextChunk(): Chunk | undefined {
    if (this.#nextIndex === this.#chunkCount) return undefined;
    const index = this.#nextIndex++;
    const first = index * this.#chunkElements;
    return { index, first, end: Math.min(first + this.#chunkElements, this.#result.length), attempts: 0 };
  }

  /** Never rejects. */
  async #do(chunk: Chunk, executor: PoolExecutor): Promise<void> {
    const { first, end } = chunk;
    const startMs = monotonicMs();
    chunk.attempts++;
    this.#busy.set(executor, (this.#busy.get(executor) ?? 0) + 1);
    try {
      const columns = this.#columns.map((column) => column.subarray(first, end));
      const options = { deadlineMs: this.#options.deadlineMs, signal: this.#stopping.signal };
      const results = await executor.occupyUntilAway(
        (jit) => jit.applyToColumns(this.#name, columns, options),
        options,
      );
      if (this.#isSettled) return;
      this.#result.set(results, first);
      this.#noteDone(chunk, executor, monotonicMs() - startMs);
    } catch (error) {
      if (!this.#isSettled) this.#noteFailed(chunk, executor, error);
    } finally {
      this.#busy.set(executor, (this.#busy.get(executor) ?? 1) - 1);
    }
  }

  #noteDone({ index, first, end }: Chunk, { done, endpoint }: PoolExecutor, chunkMs: number): void {
    const elementCount = end - first;
    const bytes = elementCount * Float64Array.BYTES_PER_ELEMENT;
    done.chunks++;
    done.elements += elementCount;
    done.bytesSent += bytes * this.#columns.length;
    done.bytesReceived += bytes;
    this.#doneChunks++;
    this.#doneElements += elementCount;
    const { url, address } = endpoint;
    try {
      this.#options.onProgress?.({
        doneChunks: this.#doneChunks,
        chunkCount: this.#chunkCount,
        doneElements: this.#doneElements,
        elementCount: this.#result.length,
        chunk: index,
        executor: { url, address: address?.address },
        chunkMs,
      });
    } catch (error) {
      return this.fail(error);
    }
    if (this.#doneChunks < this.#chunkCount) return;
    this.#isSettled = true;
    this.#settle.resolve();
  }

  #noteFailed(chunk: Chunk, executor: PoolExecutor, error: unknown): void {
    if (this.#isRefusal(reasonOf(error), executor)) {
      chunk.attempts--;
      this.#again.push(chunk);
      return;
    }
    if (isLoss(reasonOf(error))) {
      executor.done.lostChunks++;
      if (chunk.attempts < MAX_CHUNK_ATTEMPTS) return void this.#again.push(chunk);
    }
    const { url, address } = executor.endpoint;
    this.fail(new MapChunkError(this.#name, chunk, address ? `${url} (${address.address})` : url, error));
  }

  /**
   * Whether a chunk was not begun and others can begin it: the executor gets fewer from now on, or none while there is
   * another one at work.
   */
  #isRefusal(error: unknown, executor: PoolExecutor): boolean {
    if (error instanceof ExecutorDrainingError) return true;
    if (!(error instanceof QuotaExceededError)) return false;
    if (executor.taskLimit !== 1) {
      executor.taskLimit = 1;
      return true;
    }
    this.#refusing.add(executor);
    return [...this.#busy].some(([other, count]) => count > 0 && !this.#refusing.has(other));
  }
}

/**
 * Whether a chunk may fare better elsewhere: its executor is gone, or its runner for a reason that need not be the chunk's.
 * A trap, a deadline or a limit of its own comes as an error of that name.
 */
function isLoss(error: unknown): boolean {
  return isExecutorLoss(error) || error instanceof AwayError || error instanceof RunnerLostError;
}

function chunkElements(
  asked: number | undefined,
  elementCount: number,
  columnCount: number,
  executorCount: number,
): number {
  const most = maxElements(columnCount);
  if (asked !== undefined) {
    if (!Number.isInteger(asked) || asked < 1 || asked > most)
      throw new ArgumentError(
        `chunk is ${asked}: give a whole number of elements from 1 to ${most}, which is what a call takes`,
      );
    return asked;
  }
  const share = Math.ceil(elementCount / (CHUNKS_PER_EXECUTOR * Math.max(1, executorCount)));
  return Math.max(1, Math.min(share, DEFAULT_CHUNK_ELEMENTS, most));
}

/** The size of a chunk that is all of the data, or as much of it as a call takes. */
export function wholeChunk(data: MapData): number {
  const columns = isDoubles(data) ? [data] : data.columns;
  return Math.max(1, Math.min(columns[0]?.length ?? 0, maxElements(Math.max(1, columns.length))));
}

/** Waits for what is under way, and not for ever. */
async function endOf(underWay: readonly Promise<void>[]): Promise<void> {
  if (underWay.length === 0) return;
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, END_GRACE_MS);
  });
  await Promise.race([Promise.all(underWay), patience]);
  clearTimeout(timer);
}
