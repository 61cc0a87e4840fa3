import { assert } from '@farjit/protocol/assert';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';

/** Small functions come in a few sizes: rounding to a cache line lets freed blocks fit again. */
export const GRANULE_BYTES = 64;

interface FreeRange {
  start: number;
  end: number;
}

/**
 * Sub-allocates one executor reservation, so that linking asks the executor nothing. First fit over a sorted
 * free list, neighbours joined on free.
 */
export class SlabAllocator {
  readonly base: ExecutorAddr;
  readonly sizeBytes: number;
  readonly #free: FreeRange[];
  /** Offset to size of what is allocated. */
  readonly #allocated = new Map<number, number>();
  #allocatedBytes = 0;
  /** Below this offset every byte has been handed out at least once. */
  #highWater = 0;

  constructor(base: ExecutorAddr, sizeBytes: number) {
    this.base = base;
    this.sizeBytes = sizeBytes;
    this.#free = [{ start: 0, end: sizeBytes }];
  }

  /**
   * @param alignment a power of two.
   * @returns the address and whether any of it was handed out before, or undefined when nothing fits.
   */
  allocate(sizeBytes: number, alignment: number): { address: ExecutorAddr; reused: boolean } | undefined {
    const size = roundUp(Math.max(sizeBytes, 1), GRANULE_BYTES);
    const align = Math.max(alignment, GRANULE_BYTES);
    // The address is what is to be aligned, and the slab's own may be less so.
    const skew = Number(this.base % BigInt(align));
    for (let i = 0; i < this.#free.length; i++) {
      const range = this.#free[i];
      assert(range, 'free ranges have no holes');
      const start = roundUp(range.start + skew, align) - skew;
      if (start + size > range.end) continue;
      const rest: FreeRange[] = [];
      if (start > range.start) rest.push({ start: range.start, end: start });
      if (start + size < range.end) rest.push({ start: start + size, end: range.end });
      this.#free.splice(i, 1, ...rest);
      this.#allocated.set(start, size);
      this.#allocatedBytes += size;
      const reused = start < this.#highWater;
      this.#highWater = Math.max(this.#highWater, start + size);
      return { address: addrAdd(this.base, start), reused };
    }
    return undefined;
  }

  /** Gives back what `allocate` returned. */
  free(address: ExecutorAddr): void {
    const start = Number(address - this.base);
    const size = this.#allocated.get(start);
    assert(size !== undefined, 'freed what was not allocated');
    this.#allocated.delete(start);
    this.#allocatedBytes -= size;
    const index = this.#firstAtOrAfter(start);
    const range: FreeRange = { start, end: start + size };
    const before = this.#free[index - 1];
    const after = this.#free[index];
    if (after?.start === range.end) {
      range.end = after.end;
      this.#free.splice(index, 1);
    }
    if (before?.end === range.start) before.end = range.end;
    else this.#free.splice(index, 0, range);
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  #firstAtOrAfter(start: number): number {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#free[middle]?.start ?? 0) < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
