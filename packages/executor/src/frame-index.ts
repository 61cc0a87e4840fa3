import { memory } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { formatAddr } from '@farjit/protocol/executor-addr';
import { alignUp } from './align-up.js';
import type { CommitWrites } from './commit-writes.js';
import { type FrameRecord, frameRecords } from './eh-frame-records.js';
import {
  FRAME_CELL_SHIFT,
  FRAME_INDEX,
  FRAME_LEVEL_SHIFT,
  FRAME_NODE,
  FRAME_NODE_BYTES,
  FRAME_RECORD,
} from './native/shared-layout.js';
import type { Reservation } from './reservation.js';
import type { Region, ReservationLayout } from './reservation-layout.js';
import type { Slices } from './turns.js';

const HEAD_BYTES = 8;
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

/** Where an `.eh_frame` begins, and where its memory ends, from the start of the reservation. */
export interface SectionPlace {
  readonly offset: number;
  readonly endOffset: number;
}

/** A section that can be added. */
export interface ParsedSection {
  readonly address: bigint;
  /** A node for each. */
  readonly places: readonly { readonly record: FrameRecord; readonly cell: number }[];
}

/** What the index needs of the memory that it is in. */
export interface FrameIndexMemory {
  /** Reserves constant memory that only the host writes, and answers its offset. */
  reserve(sizeBytes: number): number;
  /** Lets others have their turn. */
  pause(): Slices<void>;
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
  readonly #region: Region;
  readonly #levels: readonly Level[];
  readonly #memory: FrameIndexMemory;
  /** First node of each section that is in the index, by the section's address. */
  readonly #sections = new Map<bigint, number>();
  /** Offsets of nodes that can be used. */
  readonly #free: number[] = [];
  #removals = 0n;

  /** @param base address of the reservation in the runner. */
  constructor(reservation: Reservation, base: bigint, memory: FrameIndexMemory) {
    this.#reservation = reservation;
    this.#base = base;
    this.#region = frameIndexRegion(reservation.layout);
    this.#levels = levelsOf(reservation.layout.code.sizeBytes).levels;
    this.#memory = memory;
  }

  /**
   * Reads the records of `.eh_frame` sections, and makes room for them: nothing keeps them from being added then.
   * @param written what the sections are in when it is written.
   * @throws {RequestError} INVALID_PARAMS when one is malformed, LIMIT_EXCEEDED when memory is short or they are too long.
   */
  *parse(places: readonly SectionPlace[], written: CommitWrites): Slices<ParsedSection[]> {
    const code = this.#reservation.layout.code.sizeBytes;
    const sections: ParsedSection[] = [];
    let nodeCount = 0;
    let leftBytes = memory.MAX_EH_FRAME_BYTES;
    for (const place of places) {
      const { records, sizeBytes } = yield* this.#read(place, leftBytes, written);
      leftBytes -= sizeBytes;
      const inCode = records.filter(({ end }) => end <= code);
      const nodes = inCode.flatMap((record) => this.#cellsOf(record).map((cell) => ({ record, cell })));
      sections.push({ address: this.#base + BigInt(place.offset), places: nodes });
      nodeCount += nodes.length;
    }
    yield* this.#makeRoom(nodeCount);
    return sections;
  }

  /** Adds the records of a section that is in memory. */
  *add({ address, places }: ParsedSection): Slices<void> {
    let sibling = 0;
    for (const [index, { record, cell }] of places.entries()) {
      if (index % SLICE_NODES === SLICE_NODES - 1) yield* this.#memory.pause();
      sibling = this.#insert(record, cell, sibling);
    }
    this.#sections.set(address, sibling);
  }

  /** Takes out the records of a section, if it was added. */
  *remove(address: bigint): Slices<void> {
    const removed: number[] = [];
    for (let at = this.#sections.get(address) ?? 0; at !== 0; ) {
      if (removed.length % SLICE_NODES === SLICE_NODES - 1) yield* this.#memory.pause();
      const node = this.#reservation.read(at, FRAME_NODE_BYTES);
      const next = Number(node.readBigUInt64LE(FRAME_NODE.next));
      const previous = Number(node.readBigUInt64LE(FRAME_NODE.previous));
      const leading = previous || this.#headOffset(node.readUInt32LE(FRAME_NODE.record + FRAME_RECORD.cell));
      this.#reservation.storePointer(previous ? leading + FRAME_NODE.next : leading, BigInt(next));
      if (next) this.#reservation.storePointer(next + FRAME_NODE.previous, BigInt(previous));
      removed.push(at);
      at = Number(node.readBigUInt64LE(FRAME_NODE.sibling));
    }
    this.#sections.delete(address);
    if (removed.length === 0) return;
    // Whoever searches now notices, before any of them is used again.
    this.#reservation.storePointer(this.#region.offset + FRAME_INDEX.removals, ++this.#removals);
    for (const at of removed) this.#free.push(at);
  }

  /** The records of a section, and how long what was read for them is. */
  *#read(
    { offset, endOffset }: SectionPlace,
    mostBytes: number,
    written: CommitWrites,
  ): Slices<{ records: FrameRecord[]; sizeBytes: number }> {
    for (let wantedBytes = USUAL_SECTION_BYTES; ; wantedBytes *= 4) {
      const sizeBytes = Math.min(wantedBytes, endOffset - offset, mostBytes);
      const records = yield* frameRecords(written.read(offset, sizeBytes), offset, this.#base);
      if (records) return { records, sizeBytes };
      if (sizeBytes === endOffset - offset)
        throw new RequestError('INVALID_PARAMS', 'EH frames have no terminator in their memory');
      if (sizeBytes === mostBytes)
        throw new RequestError(
          'LIMIT_EXCEEDED',
          `more than ${memory.MAX_EH_FRAME_BYTES} bytes of EH frames in a commit: ` +
            `those at ${formatAddr(this.#base + BigInt(offset))} do not end before`,
        );
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

  *#makeRoom(nodeCount: number): Slices<void> {
    while (this.#free.length < nodeCount) {
      const start = this.#memory.reserve(CHUNK_BYTES);
      for (let at = CHUNK_BYTES - FRAME_NODE_BYTES; at >= 0; at -= FRAME_NODE_BYTES)
        this.#free.push(start + at);
      yield* this.#memory.pause();
    }
  }

  /** @returns the node's offset. */
  #insert({ start, end, fde }: FrameRecord, cell: number, sibling: number): number {
    const at = this.#free.pop();
    if (at === undefined) throw new RangeError('no room was made for a node');
    const headOffset = this.#headOffset(cell);
    const next = this.#reservation.read(headOffset, HEAD_BYTES).readBigUInt64LE();
    const node = Buffer.alloc(FRAME_NODE_BYTES);
    const record = node.subarray(FRAME_NODE.record);
    record.writeUInt32LE(start, FRAME_RECORD.start);
    record.writeUInt32LE(end, FRAME_RECORD.end);
    record.writeUInt32LE(fde, FRAME_RECORD.fde);
    record.writeUInt32LE(cell, FRAME_RECORD.cell);
    node.writeBigUInt64LE(next, FRAME_NODE.next);
    node.writeBigUInt64LE(BigInt(sibling), FRAME_NODE.sibling);
    this.#reservation.write(at, node);
    if (next) this.#reservation.storePointer(Number(next) + FRAME_NODE.previous, BigInt(at));
    this.#reservation.storePointer(headOffset, BigInt(at));
    return at;
  }

  #headOffset(cell: number): number {
    return this.#region.offset + FRAME_INDEX.heads + cell * HEAD_BYTES;
  }
}

/** Where the index is: the last pages of the constant part. */
export function frameIndexRegion({ code, constant, pageBytes }: ReservationLayout): Region {
  const { headCount } = levelsOf(code.sizeBytes);
  const sizeBytes = alignUp(FRAME_INDEX.heads + headCount * HEAD_BYTES, pageBytes);
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
