import { RequestError } from '@farjit/protocol/errors';
import { type FrameRecord, frameRecords } from './eh-frame-records.js';
import {
  alignUp,
  FRAME_CELL_SHIFT,
  FRAME_HEADS,
  FRAME_LEVEL_SHIFT,
  FRAME_NODE,
  FRAME_NODE_BYTES,
} from './native/shared-layout.js';
import type { Reservation } from './reservation.js';
import { PAGE_BYTES, type Region, type ReservationLayout } from './reservation-layout.js';

const POINTER_BYTES = 8;
/** Most `.eh_frame` sections end before this; longer ones are read again. */
const USUAL_SECTION_BYTES = 512;
/** Nodes are taken from memory in pieces of so many bytes. */
const CHUNK_BYTES = 64 * 1024;

/** A level of cells: those of code with equal bits from `shift` on. */
interface Level {
  readonly shift: number;
  /** Index of the first cell's head. */
  readonly firstHead: number;
}

/**
 * Unwind information of one runner's code, in sealed memory: the runner finds there how to unwind through code, so
 * nothing has to be done in it for new code. See `struct farjit_frame_index`.
 */
export class FrameIndex {
  readonly #reservation: Reservation;
  readonly #base: bigint;
  readonly #region: Region;
  readonly #levels: readonly Level[];
  readonly #reserve: (sizeBytes: number) => number;
  /** First node of each section that is in the index, by the section's address. */
  readonly #sections = new Map<bigint, number>();
  /** Offsets of nodes that can be used. */
  readonly #free: number[] = [];
  #removals = 0n;

  /**
   * @param base address of the reservation in the runner.
   * @param reserve reserves constant memory that only the host writes, and answers its offset.
   */
  constructor(reservation: Reservation, base: bigint, reserve: (sizeBytes: number) => number) {
    this.#reservation = reservation;
    this.#base = base;
    this.#region = frameIndexRegion(reservation.layout);
    this.#levels = levelsOf(reservation.layout.code.sizeBytes).levels;
    this.#reserve = reserve;
  }

  /**
   * Adds the records of an `.eh_frame` that is in memory.
   * @param offset of the section, which ends before `endOffset`.
   * @throws {RequestError} INVALID_PARAMS when it is malformed, LIMIT_EXCEEDED when memory is short; then none is added.
   */
  add(offset: number, endOffset: number): void {
    const code = this.#reservation.layout.code.sizeBytes;
    const records = this.#read(offset, endOffset).filter(({ end }) => end <= code);
    const places = records.flatMap((record) => this.#cellsOf(record).map((cell) => ({ record, cell })));
    this.#makeRoom(places.length);
    let sibling = 0;
    for (const { record, cell } of places) sibling = this.#insert(record, cell, sibling);
    this.#sections.set(this.#base + BigInt(offset), sibling);
  }

  /** Takes out the records of a section, if it was added. */
  remove(address: bigint): void {
    const removed: number[] = [];
    for (let at = this.#sections.get(address) ?? 0; at !== 0; ) {
      const node = this.#reservation.read(at, FRAME_NODE_BYTES);
      const next = Number(node.readBigUInt64LE(FRAME_NODE.next));
      const previous = Number(node.readBigUInt64LE(FRAME_NODE.previous));
      const leading = previous || this.#headOffset(node.readUInt32LE(FRAME_NODE.cell));
      this.#reservation.storePointer(previous ? leading + FRAME_NODE.next : leading, BigInt(next));
      if (next) this.#reservation.storePointer(next + FRAME_NODE.previous, BigInt(previous));
      removed.push(at);
      at = Number(node.readBigUInt64LE(FRAME_NODE.sibling));
    }
    this.#sections.delete(address);
    if (removed.length === 0) return;
    // Whoever searches now notices, before any of them is used again.
    this.#reservation.storePointer(this.#region.offset, ++this.#removals);
    this.#free.push(...removed);
  }

  #read(offset: number, endOffset: number): FrameRecord[] {
    for (let sizeBytes = USUAL_SECTION_BYTES; ; sizeBytes *= 4) {
      const isWhole = offset + sizeBytes >= endOffset;
      const content = this.#reservation.read(offset, isWhole ? endOffset - offset : sizeBytes);
      const records = frameRecords(content, offset, this.#base);
      if (records) return records;
      if (isWhole) throw new RequestError('INVALID_PARAMS', 'EH frames have no terminator in their memory');
    }
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

  #makeRoom(nodeCount: number): void {
    while (this.#free.length < nodeCount) {
      const start = this.#reserve(CHUNK_BYTES);
      for (let at = CHUNK_BYTES - FRAME_NODE_BYTES; at >= 0; at -= FRAME_NODE_BYTES)
        this.#free.push(start + at);
    }
  }

  /** @returns the node's offset. */
  #insert({ start, end, fde }: FrameRecord, cell: number, sibling: number): number {
    const at = this.#free.pop();
    if (at === undefined) throw new RangeError('no room was made for a node');
    const headOffset = this.#headOffset(cell);
    const next = this.#reservation.read(headOffset, POINTER_BYTES).readBigUInt64LE();
    const node = Buffer.alloc(FRAME_NODE_BYTES);
    node.writeUInt32LE(start, FRAME_NODE.start);
    node.writeUInt32LE(end, FRAME_NODE.end);
    node.writeUInt32LE(fde, FRAME_NODE.fde);
    node.writeUInt32LE(cell, FRAME_NODE.cell);
    node.writeBigUInt64LE(next, FRAME_NODE.next);
    node.writeBigUInt64LE(BigInt(sibling), FRAME_NODE.sibling);
    this.#reservation.write(at, node);
    if (next) this.#reservation.storePointer(Number(next) + FRAME_NODE.previous, BigInt(at));
    this.#reservation.storePointer(headOffset, BigInt(at));
    return at;
  }

  #headOffset(cell: number): number {
    return this.#region.offset + FRAME_HEADS + cell * POINTER_BYTES;
  }
}

/** Where the index is: the last pages of the constant part. */
export function frameIndexRegion({ code, constant }: ReservationLayout): Region {
  const { headCount } = levelsOf(code.sizeBytes);
  const sizeBytes = alignUp(FRAME_HEADS + headCount * POINTER_BYTES, PAGE_BYTES);
  return { offset: constant.offset + constant.sizeBytes - sizeBytes, sizeBytes };
}

function levelsOf(codeBytes: number): { readonly levels: readonly Level[]; readonly headCount: number } {
  const levels: Level[] = [];
  let headCount = 0;
  for (let shift = FRAME_CELL_SHIFT; ; shift += FRAME_LEVEL_SHIFT) {
    levels.push({ shift, firstHead: headCount });
    const last = (codeBytes - 1) >>> shift;
    headCount += last + 1;
    if (last === 0) return { levels, headCount };
  }
}
