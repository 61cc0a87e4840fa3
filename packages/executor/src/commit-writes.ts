import type { Segment } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { formatAddr } from '@farjit/protocol/executor-addr';
import type { Reservation } from './reservation.js';

/** A segment, and where it goes. */
export interface SegmentWrite {
  /** From the start of the reservation. */
  readonly offset: number;
  readonly segment: Segment;
}

/** What a commit is about to write, side by side. */
export class CommitWrites {
  readonly #reservation: Reservation;
  /** By ascending offset, without empty ones. */
  readonly #sorted: readonly SegmentWrite[];

  /** @throws {RequestError} INVALID_ADDRESS when two overlap. */
  constructor(reservation: Reservation, writes: readonly SegmentWrite[]) {
    this.#reservation = reservation;
    this.#sorted = writes
      .filter(({ segment }) => segment.memoryBytes > 0)
      .sort((a, b) => a.offset - b.offset);
    for (const [index, { offset, segment }] of this.#sorted.entries()) {
      const next = this.#sorted[index + 1];
      if (next && offset + segment.memoryBytes > next.offset)
        throw new RequestError(
          'INVALID_ADDRESS',
          `segments at ${formatAddr(segment.address)} and ${formatAddr(next.segment.address)} overlap`,
        );
    }
  }

  /** Memory as it will be when all is written; to be read only. */
  read(offset: number, sizeBytes: number): Buffer {
    const whole = this.#contentOf(offset, sizeBytes);
    if (whole) return whole;
    const copy = this.#reservation.read(offset, sizeBytes);
    const end = offset + sizeBytes;
    for (let index = this.#firstEndingAfter(offset); index < this.#sorted.length; index++) {
      const write = this.#sorted[index];
      if (!write || write.offset >= end) break;
      const { content, memoryBytes } = write.segment;
      const from = Math.max(write.offset, offset);
      const to = Math.min(write.offset + memoryBytes, end);
      copy.fill(0, from - offset, to - offset);
      copy.set(content.subarray(from - write.offset, to - write.offset), from - offset);
    }
    return copy;
  }

  /** What one segment has for all of it, as mostly one has. */
  #contentOf(offset: number, sizeBytes: number): Buffer | undefined {
    const write = this.#sorted[this.#firstEndingAfter(offset)];
    if (!write || offset < write.offset) return undefined;
    const { buffer, byteOffset, byteLength } = write.segment.content;
    const from = offset - write.offset;
    if (from + sizeBytes > byteLength) return undefined;
    return Buffer.from(buffer as ArrayBuffer, byteOffset + from, sizeBytes);
  }

  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const write = this.#sorted[middle];
      if (write && write.offset + write.segment.memoryBytes <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
