import { run, type Segment } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { throwIfAborted } from '../core/aborting.js';
import { ArgumentError } from '../core/argument-error.js';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import { MESSAGE_LIMITS, STAGED_LIMITS } from '../runner/commit-queue.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { CallingSession } from './calling-session.js';
import { loopBlock } from './loop-block.js';
import { type CallOptions, notCalled } from './session-calls.js';

/** Columns begin at cache lines, which also suits the widest vectors. */
const COLUMN_ALIGNMENT = 64;
const DOUBLE_BYTES = 8;

/** Elements that one call takes of so many columns at most: they travel with the call, and the results in its answer. */
export function maxElements(columnCount: number, { bytes } = STAGED_LIMITS): number {
  const columnBytes = Math.min(bytes / columnCount - COLUMN_ALIGNMENT, run.MAX_READ_BYTES);
  return Math.floor(columnBytes / DOUBLE_BYTES);
}

/** A loop over columns, with the function that it applies in it. */
export interface LoopUnit {
  readonly unit: MaterializationUnit;
  /** Symbol of the loop. */
  readonly entry: string;
  /** Whether all that it was compiled from still means the same. */
  isCurrent(): boolean;
  /** It is not used any more. */
  release(): void;
}

/** Makes loops. */
export interface LoopLayer {
  /** A loop that applies a function of doubles to columns. */
  loopUnit(callee: string, parameterCount: number): LoopUnit;
}

/** A loop, and how many calls are about to be or are in it. */
interface UsedLoop extends LoopUnit {
  userCount: number;
}

/**
 * Applies functions to columns of doubles, a call for all elements: the loop is compiled, with the bodies that it needs in
 * its module. The columns travel with the call and the results with its answer.
 */
export class LoopCalls {
  readonly #session: CallingSession;
  readonly #functions: LoopLayer;
  /** By the function's name. */
  readonly #loops = new Map<string, UsedLoop>();
  readonly #outdated = new Set<UsedLoop>();

  constructor(session: CallingSession, functions: LoopLayer) {
    this.#session = session;
    this.#functions = functions;
  }

  /**
   * @param columns of one length; they must stay as they are until the call has ended.
   * @returns the results as bytes.
   * @throws {ArgumentError} when there are too many elements for a call.
   * @throws as `ExecutionSession.call`, and a `Diagnostic` when the function does not take so many columns.
   */
  async call(name: string, columns: readonly Float64Array[], options: CallOptions): Promise<Uint8Array> {
    const elementCount = columns[0]?.length ?? 0;
    const isStaged = this.#session.executor.has('staged-commits');
    const most = maxElements(columns.length, isStaged ? STAGED_LIMITS : MESSAGE_LIMITS);
    if (elementCount > most)
      throw new ArgumentError(
        `${name}: ${elementCount} elements of ${columns.length} columns are too many for a call, ` +
          `it takes ${most}${isStaged ? '' : ': the executor has no feature "staged-commits"'}`,
      );
    let release = () => {};
    const prepare = async (runner: RunnerContext) => {
      release();
      const { loop, entry } = await this.#linkCurrent(name, columns.length, runner, options.signal);
      const strideBytes = Math.ceil((DOUBLE_BYTES * elementCount) / COLUMN_ALIGNMENT) * COLUMN_ALIGNMENT;
      const { address } = this.#allocate(loop, runner, strideBytes * columns.length);
      release = () => {
        release = () => {};
        if (!runner.lost) runner.free('data', address);
        this.#leave(loop);
      };
      const places = columns.map((_, index) => addrAdd(address, strideBytes * index));
      return {
        entry,
        block: loopBlock(elementCount, places),
        data: columns.map((column, index) => segmentOf(column, places[index] ?? address)),
        read: { address, sizeBytes: DOUBLE_BYTES * elementCount },
      };
    };
    try {
      const { content } = await this.#session.callOnData(name, prepare, options);
      return content;
    } finally {
      release();
    }
  }

  /** Links a loop that is current when this returns, and counts the caller as its user. */
  async #linkCurrent(
    name: string,
    parameterCount: number,
    runner: RunnerContext,
    signal: AbortSignal | undefined,
  ): Promise<{ loop: UsedLoop; entry: ExecutorAddr }> {
    for (;;) {
      const loop = this.#enter(name, parameterCount);
      try {
        const entry = await this.#session.link(loop.unit, loop.entry, runner);
        throwIfAborted(signal, notCalled(name));
        if (loop.isCurrent()) return { loop, entry };
      } catch (error) {
        this.#leave(loop);
        throw error;
      }
      this.#leave(loop);
    }
  }

  #allocate(loop: UsedLoop, runner: RunnerContext, sizeBytes: number) {
    try {
      return runner.allocate('data', sizeBytes, COLUMN_ALIGNMENT);
    } catch (error) {
      this.#leave(loop);
      throw error;
    }
  }

  #enter(name: string, parameterCount: number): UsedLoop {
    for (const [known, loop] of this.#loops) {
      if (loop.isCurrent()) continue;
      this.#loops.delete(known);
      this.#outdated.add(loop);
      this.#discardUnused(loop);
    }
    const loop = this.#loops.get(name) ?? { ...this.#functions.loopUnit(name, parameterCount), userCount: 0 };
    this.#loops.set(name, loop);
    loop.userCount++;
    return loop;
  }

  #leave(loop: UsedLoop): void {
    loop.userCount--;
    this.#discardUnused(loop);
  }

  /** A call that is still linking one would have it compiled again. */
  #discardUnused(loop: UsedLoop): void {
    if (loop.userCount > 0 || !this.#outdated.delete(loop)) return;
    loop.release();
    this.#session.discard(loop.unit);
  }
}

function segmentOf(column: Float64Array, address: ExecutorAddr): Segment {
  const content = new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
  return { address, prot: 'data', content, memoryBytes: content.byteLength };
}
