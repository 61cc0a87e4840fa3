import { alignUp } from './native/shared-layout.js';
import { PAGE_BYTES, type Region } from './reservation-layout.js';

interface FreeRange {
  offset: number;
  sizeBytes: number;
}

/** First-fit allocation of whole pages in one region; neighbours that are free become one range again. */
export class PageAllocator {
  /** By ascending offset, never touching each other. */
  readonly #free: FreeRange[];

  constructor(region: Region) {
    this.#free = [{ offset: region.offset, sizeBytes: region.sizeBytes }];
  }

  /** Offset of a free range of at least `sizeBytes`, or `undefined` when none is that long. */
  allocate(sizeBytes: number): Region | undefined {
    const wanted = Math.max(alignUp(sizeBytes, PAGE_BYTES), PAGE_BYTES);
    const index = this.#free.findIndex((range) => range.sizeBytes >= wanted);
    const range = this.#free[index];
    if (!range) return undefined;
    const taken = { offset: range.offset, sizeBytes: wanted };
    range.offset += wanted;
    range.sizeBytes -= wanted;
    if (range.sizeBytes === 0) this.#free.splice(index, 1);
    return taken;
  }

  /** Frees what `allocate` answered, once. */
  free(region: Region): void {
    const index = this.#free.findIndex((range) => range.offset > region.offset);
    const at = index < 0 ? this.#free.length : index;
    const before = this.#free[at - 1];
    const after = this.#free[at];
    const end = region.offset + region.sizeBytes;
    if (after && after.offset === end) {
      after.offset = region.offset;
      after.sizeBytes += region.sizeBytes;
    } else {
      this.#free.splice(at, 0, { ...region });
    }
    const merged = this.#free[at];
    if (before && merged && before.offset + before.sizeBytes === merged.offset) {
      before.sizeBytes += merged.sizeBytes;
      this.#free.splice(at, 1);
    }
  }

  /** Bytes not allocated. */
  get freeBytes(): number {
    return this.#free.reduce((sum, range) => sum + range.sizeBytes, 0);
  }
}
