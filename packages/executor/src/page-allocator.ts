import { alignUp } from './align-up.js';
import type { Region } from './reservation-layout.js';

interface FreeRange {
  offset: number;
  sizeBytes: number;
}

/**
 * First-fit allocation of whole pages in one region; neighbours that are free become one range again. There is one more
 * free range than there are allocated ones at most, so what bounds those bounds the walk to the first that fits.
 */
export class PageAllocator {
  /** By ascending offset, never touching each other. */
  readonly #free: FreeRange[];
  readonly #pageBytes: number;
  #freeBytes: number;

  constructor(region: Region, pageBytes: number) {
    this.#pageBytes = pageBytes;
    this.#free = [{ offset: region.offset, sizeBytes: region.sizeBytes }];
    this.#freeBytes = region.sizeBytes;
  }

  /** Offset of a free range of at least `sizeBytes`, or `undefined` when none is that long. */
  allocate(sizeBytes: number): Region | undefined {
    const wanted = Math.max(alignUp(sizeBytes, this.#pageBytes), this.#pageBytes);
    const index = this.#free.findIndex((range) => range.sizeBytes >= wanted);
    const range = this.#free[index];
    if (!range) return undefined;
    const taken = { offset: range.offset, sizeBytes: wanted };
    range.offset += wanted;
    range.sizeBytes -= wanted;
    if (range.sizeBytes === 0) this.#free.splice(index, 1);
    this.#freeBytes -= wanted;
    return taken;
  }

  /** Frees what `allocate` answered, once. */
  free({ offset, sizeBytes }: Region): void {
    const at = this.#indexAfter(offset);
    const before = this.#free[at - 1];
    const after = this.#free[at];
    const touchesBefore = before !== undefined && before.offset + before.sizeBytes === offset;
    const touchesAfter = after !== undefined && offset + sizeBytes === after.offset;
    if (touchesBefore) {
      before.sizeBytes += sizeBytes + (touchesAfter ? after.sizeBytes : 0);
      if (touchesAfter) this.#free.splice(at, 1);
    } else if (touchesAfter) {
      after.offset = offset;
      after.sizeBytes += sizeBytes;
    } else this.#free.splice(at, 0, { offset, sizeBytes });
    this.#freeBytes += sizeBytes;
  }

  /** Bytes not allocated. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Index of the first free range that starts after `offset`. */
  #indexAfter(offset: number): number {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#free[middle];
      if (range && range.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
