import { memory } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { CommitWrites } from './commit-writes.js';
import { type FrameRecord, frameRecords, noCie } from './eh-frame-records.js';
import { type FrameLevel, frameLevels } from './frame-cells.js';
import { FRAME_INDEX, FRAME_NODE, FRAME_NODE_BYTES, FRAME_RECORD } from './native/shared-layout.js';
import type { Reservation } from './reservation.js';
import type { Region } from './reservation-layout.js';
import type { Slices } from './turns.js';

const HEAD_BYTES = 8;
/** Of the record within a node. */
const { start: START, end: END, fde: FDE, cell: CELL } = FRAME_RECORD;

/** A section that can be added. */
export interface ParsedSection {
  readonly address: bigint;
  /** A node for each. */
  readonly places: readonly { readonly record: FrameRecord; readonly cell: number }[];
}

/** Nodes linked between two pauses: some tens of microseconds. */
const SLICE_NODES = 32;

/**
 * Unwind information of one runner's code, in sealed memory: the runner finds there how to unwind through code, so
 * nothing has to be done in it for new code. See `struct farjit_frame_index`.
 */
export class FrameIndex {
  readonly #reservation: Reservation;
  readonly #base: bigint;
  readonly #levels: readonly FrameLevel[];
  readonly #pause: () => Slices<void>;
  /** First node of each section that is in the index, by the section's address. */
  readonly #sections = new Map<bigint, number>();
  /** Offsets of nodes that were used, and can be again. */
  readonly #free: number[] = [];
  /** Nodes that were ever used. */
  #nodeCount = 0;
  #removals = 0n;
  /** A node that is being made; those that are new have no previous one. */
  readonly #node = new DataView(new ArrayBuffer(FRAME_NODE_BYTES));
  readonly #nodeBytes = new Uint8Array(this.#node.buffer);
  /** Compilers write the same one in each section. */
  readonly #cie = noCie();

  /**
   * @param base address of the reservation in the runner.
   * @param pause lets others have their turn.
   */
  constructor(reservation: Reservation, base: bigint, pause: () => Slices<void>) {
    this.#reservation = reservation;
    this.#base = base;
    this.#levels = frameLevels(reservation.layout.code.sizeBytes).levels;
    this.#pause = pause;
  }

  /**
   * Reads the records of `.eh_frame` sections, and sees that there is room for them: nothing keeps them from being added
   * then.
   * @param regions of the sections, in the reservation.
   * @param written what the sections are in when it is written.
   * @throws {RequestError} INVALID_PARAMS when one is malformed, LIMIT_EXCEEDED when memory is short or they are too long.
   */
  *parse(regions: readonly Region[], written: CommitWrites): Slices<ParsedSection[]> {
    const sizeBytes = regions.reduce((sum, region) => sum + region.sizeBytes, 0);
    if (sizeBytes > memory.MAX_EH_FRAME_BYTES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `${sizeBytes} bytes of EH frames, a commit carries ${memory.MAX_EH_FRAME_BYTES}`,
      );
    const code = this.#reservation.layout.code.sizeBytes;
    const sections: ParsedSection[] = [];
    let nodeCount = 0;
    for (const { offset, sizeBytes } of regions) {
      const content = written.read(offset, sizeBytes);
      const records = yield* frameRecords(content, offset, this.#base, this.#cie);
      const places: { record: FrameRecord; cell: number }[] = [];
      for (const record of records)
        if (record.end <= code) for (const cell of this.#cellsOf(record)) places.push({ record, cell });
      sections.push({ address: this.#base + BigInt(offset), places });
      nodeCount += places.length;
    }
    const capacity = Math.floor(this.#reservation.layout.frameNodes.sizeBytes / FRAME_NODE_BYTES);
    if (this.#nodeCount - this.#free.length + nodeCount > capacity)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `no room for ${nodeCount} more EH frames: a runner has ${capacity}`,
      );
    return sections;
  }

  /** Adds the records of a section that is in memory. */
  *add({ address, places }: ParsedSection): Slices<void> {
    let sibling = 0;
    for (const [index, { record, cell }] of places.entries()) {
      if (index % SLICE_NODES === SLICE_NODES - 1) yield* this.#pause();
      sibling = this.#insert(record, cell, sibling);
    }
    this.#sections.set(address, sibling);
  }

  /** Takes out the records of a section, if it was added. */
  *remove(address: bigint): Slices<void> {
    const removed: number[] = [];
    for (let at = this.#sections.get(address) ?? 0; at !== 0; ) {
      if (removed.length % SLICE_NODES === SLICE_NODES - 1) yield* this.#pause();
      const node = this.#reservation.read(at, FRAME_NODE_BYTES);
      const next = Number(node.readBigUInt64LE(FRAME_NODE.next));
      const previous = Number(node.readBigUInt64LE(FRAME_NODE.previous));
      const leading = previous || this.#headOffset(node.readUInt32LE(FRAME_NODE.record + CELL));
      this.#reservation.storePointer(previous ? leading + FRAME_NODE.next : leading, BigInt(next));
      if (next) this.#reservation.storePointer(next + FRAME_NODE.previous, BigInt(previous));
      removed.push(at);
      at = Number(node.readBigUInt64LE(FRAME_NODE.sibling));
    }
    this.#sections.delete(address);
    if (removed.length === 0) return;
    // Whoever searches now notices, before any of them is used again.
    this.#reservation.storePointer(
      this.#reservation.layout.frameHeads.offset + FRAME_INDEX.removals,
      ++this.#removals,
    );
    for (const at of removed) this.#free.push(at);
  }

  /** One cell, or two that are side by side, of the lowest level where that is enough. */
  #cellsOf({ start, end }: FrameRecord): number[] {
    for (const { shift, firstHead } of this.#levels) {
      const first = start >>> shift;
      const last = (end - 1) >>> shift;
      if (last === first) return [firstHead + first];
      if (last === first + 1) return [firstHead + first, firstHead + last];
    }
    throw new RangeError('code beyond the code part');
  }

  #takeNode(): number {
    const { frameNodes } = this.#reservation.layout;
    return this.#free.pop() ?? frameNodes.offset + this.#nodeCount++ * FRAME_NODE_BYTES;
  }

  /** @returns the node's offset. */
  #insert({ start, end, fde }: FrameRecord, cell: number, sibling: number): number {
    const at = this.#takeNode();
    const headOffset = this.#headOffset(cell);
    const next = this.#reservation.loadPointer(headOffset);
    const node = this.#node;
    node.setUint32(FRAME_NODE.record + START, start, true);
    node.setUint32(FRAME_NODE.record + END, end, true);
    node.setUint32(FRAME_NODE.record + FDE, fde, true);
    node.setUint32(FRAME_NODE.record + CELL, cell, true);
    node.setBigUint64(FRAME_NODE.next, next, true);
    node.setBigUint64(FRAME_NODE.sibling, BigInt(sibling), true);
    this.#reservation.write(at, this.#nodeBytes);
    if (next) this.#reservation.storePointer(Number(next) + FRAME_NODE.previous, BigInt(at));
    this.#reservation.storePointer(headOffset, BigInt(at));
    return at;
  }

  #headOffset(cell: number): number {
    return this.#reservation.layout.frameHeads.offset + FRAME_INDEX.heads + cell * HEAD_BYTES;
  }
}
