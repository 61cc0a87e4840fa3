import type { MemProt } from '@farjit/protocol';
import type { Region } from './reservation-layout.js';

/** Who may write a reserved range: commits of the compiler, pointers alone, or nobody but the host. */
export type Writable = 'commit' | 'pointers' | 'host';

/** A reserved range of executor memory, in bytes from the start of the session's reservation. */
export interface MemoryRange extends Region {
  readonly prot: MemProt;
  readonly writable: Writable;
  /** Registered EH frames that lie in it. */
  frameCount: number;
}

/** The ranges of one runner that are reserved, found by where they lie. */
export class RangeTable {
  /** By ascending offset. */
  readonly #ranges: MemoryRange[] = [];

  get size(): number {
    return this.#ranges.length;
  }

  add(range: MemoryRange): void {
    this.#ranges.splice(this.#indexAfter(range.offset), 0, range);
  }

  /** Removes a range that is in it. */
  remove(range: MemoryRange): void {
    const index = this.#indexAfter(range.offset) - 1;
    if (this.#ranges[index] !== range) throw new Error('releasing a range that is not reserved');
    this.#ranges.splice(index, 1);
  }

  /** The range that holds all of `sizeBytes` at `offset`. */
  at(offset: number, sizeBytes: number): MemoryRange | undefined {
    const range = this.#ranges[this.#indexAfter(offset) - 1];
    return range && contains(range, offset, sizeBytes) ? range : undefined;
  }

  clear(): void {
    this.#ranges.length = 0;
  }

  /** Index of the first range that starts after `offset`. */
  #indexAfter(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range && range.offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whether a region holds all of `sizeBytes` at `offset`. */
export function contains(region: Region, offset: number, sizeBytes: number): boolean {
  return offset >= region.offset && offset + sizeBytes <= region.offset + region.sizeBytes;
}
