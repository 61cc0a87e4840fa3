import { COUNTER_BITS_BYTES, COUNTER_PAGE_BYTES } from '@farjit/protocol/counter-page';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import type { CommitQueue } from './commit-queue.js';

const COUNTER_BYTES = 4;
/** The largest threshold a counter of 32 bits gets to. */
export const MAX_THRESHOLD = 0xffff_ffff;

/** Where the threshold of a counter is: its page begins with it. */
export function thresholdOf(counter: ExecutorAddr): ExecutorAddr {
  return addrAdd(counter, -Number(counter % BigInt(COUNTER_PAGE_BYTES)));
}

/** What counters need of a runner. */
export interface CounterMemory {
  readonly commits: CommitQueue;
  /** Tells also whether the memory held something else before; if not, it is zero. */
  allocateData(sizeBytes: number, alignment: number): { address: ExecutorAddr; reused: boolean };
}

/**
 * Counters of a runner's counted functions: words that begin at zero, in pages that begin with the threshold. Of a
 * page only that is sent; a counter costs nothing unless its place held something before.
 */
export class CounterPages {
  readonly threshold: number;
  readonly #memory: CounterMemory;
  readonly #units = new Map<ExecutorAddr, MaterializationUnit>();
  readonly #free: ExecutorAddr[] = [];
  #page: { readonly address: ExecutorAddr; readonly reused: boolean } | undefined;
  #usedBytes = 0;

  constructor(memory: CounterMemory, threshold: number) {
    this.#memory = memory;
    this.threshold = threshold;
  }

  /** A counter for a unit, at zero once what is queued has been sent. */
  allocate(unit: MaterializationUnit): ExecutorAddr {
    const counter = this.#reuse() ?? this.#next();
    this.#units.set(counter, unit);
    return counter;
  }

  /** The caller knows that nothing counts there any more. */
  free(counter: ExecutorAddr): void {
    this.#memory.commits.dropSegment(counter, COUNTER_BYTES);
    this.#units.delete(counter);
    this.#free.push(counter);
  }

  /** Whose counter is at an address that a runner told; undefined when nobody's (any more). */
  unitAt(counter: ExecutorAddr): MaterializationUnit | undefined {
    return this.#units.get(counter);
  }

  #reuse(): ExecutorAddr | undefined {
    const counter = this.#free.pop();
    if (counter !== undefined) this.#write(counter, 0);
    return counter;
  }

  #next(): ExecutorAddr {
    if (!this.#page || this.#usedBytes === COUNTER_PAGE_BYTES - COUNTER_BITS_BYTES) {
      this.#page = this.#memory.allocateData(COUNTER_PAGE_BYTES, COUNTER_PAGE_BYTES);
      this.#usedBytes = COUNTER_BYTES;
      this.#write(this.#page.address, this.threshold);
      if (this.#page.reused) this.#clearBits(this.#page.address);
    }
    const counter = addrAdd(this.#page.address, this.#usedBytes);
    this.#usedBytes += COUNTER_BYTES;
    if (this.#page.reused) this.#write(counter, 0);
    return counter;
  }

  #clearBits(page: ExecutorAddr): void {
    const address = addrAdd(page, COUNTER_PAGE_BYTES - COUNTER_BITS_BYTES);
    const content = new Uint8Array(0);
    this.#memory.commits.addSegments(
      [{ address, prot: 'data', content, memoryBytes: COUNTER_BITS_BYTES }],
      false,
    );
  }

  /** Word by word, so that no two of the segments that are queued overlap. */
  #write(address: ExecutorAddr, word: number): void {
    const content = new Uint8Array(COUNTER_BYTES);
    new DataView(content.buffer).setUint32(0, word, true);
    this.#memory.commits.addSegments([{ address, prot: 'data', content, memoryBytes: COUNTER_BYTES }], false);
  }
}
