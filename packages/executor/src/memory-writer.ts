import type { Reservation } from './reservation.js';
import { SLICE_BYTES, type Slices } from './turns.js';

/** Pages looked at between two yields: tens of microseconds. */
const SLICE_PAGES = 8192;
/** From so many bytes on, data memory is cleared by giving its pages back: below, clearing them costs less. */
const GIVE_BACK_BYTES = 64 * 1024;
/** Pages given back between two yields, in bytes: some 100 microseconds, where all of them are in use. */
const GIVE_BACK_SLICE_BYTES = 2 * 1024 * 1024;

/**
 * Writes a runner's memory in slices, and clears it at a cost that is not its size. Sealed memory is written by nobody
 * else, so it is known which of its pages hold anything; data memory is the runner's, too, and whole pages of it are given
 * back to the kernel, which has zeros in their place.
 */
export class MemoryWriter {
  readonly #reservation: Reservation;
  /** A bit for each page of sealed memory: whether anything was written into it since it was clear. */
  readonly #written: Uint8Array;
  readonly #pageBytes: number;
  #gone: Error | undefined;

  constructor(reservation: Reservation) {
    this.#reservation = reservation;
    this.#pageBytes = reservation.layout.pageBytes;
    this.#written = new Uint8Array(Math.ceil(reservation.layout.sealedBytes / this.#pageBytes / 8));
  }

  /** The memory is gone: what is being written ends with the error. */
  release(error: Error): void {
    this.#gone = error;
  }

  *write(offset: number, content: Uint8Array): Slices<void> {
    for (let done = 0; done < content.byteLength; ) {
      const piece = content.subarray(done, done + SLICE_BYTES);
      this.#reservation.write(offset + done, piece);
      this.#mark(offset + done, piece.byteLength);
      done += piece.byteLength;
      if (done < content.byteLength) yield* this.pause();
    }
  }

  /** Makes all of it zeros. */
  *clear(offset: number, sizeBytes: number): Slices<void> {
    if (sizeBytes === 0) return;
    if (offset < this.#reservation.layout.sealedBytes) yield* this.#clearSealed(offset, sizeBytes);
    else yield* this.#clearData(offset, sizeBytes);
  }

  /** As `Reservation.storePointer`. */
  storePointer(offset: number, value: bigint): void {
    this.#reservation.storePointer(offset, value);
    this.#mark(offset, 8);
  }

  /** Lets others have their turn. Throws when the memory is gone afterwards: it may be another session's. */
  *pause(): Slices<void> {
    yield;
    if (this.#gone) throw this.#gone;
  }

  /** Only pages with anything in them cost more than a look at their bits. */
  *#clearSealed(offset: number, sizeBytes: number): Slices<void> {
    const end = offset + sizeBytes;
    let clearedBytes = 0;
    for (let page = Math.floor(offset / this.#pageBytes); page * this.#pageBytes < end; page++) {
      if (this.#isWritten(page)) {
        const from = Math.max(offset, page * this.#pageBytes);
        const to = Math.min(end, (page + 1) * this.#pageBytes);
        this.#reservation.fillZero(from, to - from);
        if (to - from === this.#pageBytes) this.#unmark(page);
        clearedBytes += to - from;
      }
      if (clearedBytes >= SLICE_BYTES || page % SLICE_PAGES === 0) {
        clearedBytes = 0;
        yield* this.pause();
      }
    }
  }

  *#clearData(offset: number, sizeBytes: number): Slices<void> {
    const end = offset + sizeBytes;
    const firstPage = Math.ceil(offset / this.#pageBytes) * this.#pageBytes;
    const lastPage = Math.floor(end / this.#pageBytes) * this.#pageBytes;
    if (lastPage - firstPage < GIVE_BACK_BYTES) return this.#reservation.fillZero(offset, sizeBytes);
    this.#reservation.fillZero(offset, firstPage - offset);
    for (let at = firstPage; at < lastPage; at += GIVE_BACK_SLICE_BYTES) {
      this.#reservation.giveBack(at, Math.min(GIVE_BACK_SLICE_BYTES, lastPage - at));
      yield* this.pause();
    }
    this.#reservation.fillZero(lastPage, end - lastPage);
  }

  #isWritten(page: number): boolean {
    return ((this.#written[page >>> 3] ?? 0) & (1 << (page & 7))) !== 0;
  }

  #mark(offset: number, sizeBytes: number): void {
    if (offset >= this.#reservation.layout.sealedBytes) return;
    for (let page = Math.floor(offset / this.#pageBytes); page * this.#pageBytes < offset + sizeBytes; page++)
      this.#written[page >>> 3] = (this.#written[page >>> 3] ?? 0) | (1 << (page & 7));
  }

  #unmark(page: number): void {
    this.#written[page >>> 3] = (this.#written[page >>> 3] ?? 0) & ~(1 << (page & 7));
  }
}
