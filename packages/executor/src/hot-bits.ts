import type { ControlArea } from './control-area.js';
import { COUNTER_PAGE_BYTES, DATA_PAGES, HOT_BITS_OFFSET } from './native/shared-layout.js';
import type { Reservation } from './reservation.js';

const WORD_BYTES = 4;
const WORD_BITS = 32;
/** The first word of a page is its threshold, those at its end are bits. */
const FIRST_COUNTER = 1;
const AFTER_COUNTERS = HOT_BITS_OFFSET / WORD_BYTES;

/**
 * Bits that counters set when they reach their threshold, in memory of the runner's: one for each counter, at the end of
 * its page, and one for each page. A hostile runner sets any.
 */
export class HotBits {
  readonly #control: ControlArea;
  readonly #reservation: Reservation;

  constructor(control: ControlArea, reservation: Reservation) {
    this.#control = control;
    this.#reservation = reservation;
  }

  /** What is set from now on, the runner rings for again. */
  clearPending(): void {
    this.#control.clearHotPending();
  }

  /** Numbers of the first pages with bits, at most so many, whose own bits are cleared. */
  takePages(limit: number): number[] {
    const pageCount = Math.min(this.#reservation.layout.data.sizeBytes / COUNTER_PAGE_BYTES, DATA_PAGES);
    return this.#control.takeHotPages(pageCount, limit);
  }

  /**
   * Offsets in the data part of a page's counters that have reached its threshold, whose bits are cleared.
   * @returns undefined when there can be no such counters.
   */
  takeCounters(page: number): number[] | undefined {
    const pageOffset = page * COUNTER_PAGE_BYTES;
    const bitsOffset = this.#reservation.layout.data.offset + pageOffset + HOT_BITS_OFFSET;
    const words = this.#reservation.read(bitsOffset, COUNTER_PAGE_BYTES - HOT_BITS_OFFSET);
    const offsets: number[] = [];
    for (let at = 0; at < words.byteLength; at += WORD_BYTES) {
      if (words.readUInt32LE(at) === 0) continue;
      const bits = this.#reservation.exchangeWord(bitsOffset + at, 0);
      for (let bit = 0; bit < WORD_BITS; bit++) {
        if (((bits >>> bit) & 1) === 0) continue;
        const word = (at / WORD_BYTES) * WORD_BITS + bit;
        if (word < FIRST_COUNTER || word >= AFTER_COUNTERS) return undefined;
        offsets.push(pageOffset + word * WORD_BYTES);
      }
    }
    return offsets;
  }
}
