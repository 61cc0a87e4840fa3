import { type MemProt, memory, type RunnerMemory, type Segment } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';
import { CommitWrites, type SegmentWrite } from './commit-writes.js';
import { FrameIndex, frameIndexRegion } from './frame-index.js';
import { MemoryWriter } from './memory-writer.js';
import { PageAllocator } from './page-allocator.js';
import type { WrittenCommit } from './publisher.js';
import { contains, type MemoryRange, RangeTable, type Writable } from './range-table.js';
import { RegisteredFrames } from './registered-frames.js';
import type { Reservation } from './reservation.js';
import type { WholeCommit } from './staged-commit.js';
import { SLICE_ENTRIES, type Slices } from './turns.js';

/** A counter of the runner's `count.c`. */
const COUNTER_BYTES = 4;

/**
 * Memory of one runner, by its own addresses. The compiler reserves ranges through allocators and writes them by
 * commits; the host reserves ranges for stubs and trampolines.
 */
export class SessionMemory {
  readonly #reservation: Reservation;
  readonly #base: ExecutorAddr;
  readonly #pages: Readonly<Record<MemProt, PageAllocator>>;
  readonly #writer: MemoryWriter;
  readonly #ranges = new RangeTable();
  readonly #allocators = new Map<number, MemoryRange[]>();
  readonly #frames: FrameIndex;
  readonly #registeredFrames = new RegisteredFrames();
  #nextAllocator = 1;

  /** @param base address of the reservation in the runner. */
  constructor(reservation: Reservation, base: ExecutorAddr) {
    this.#reservation = reservation;
    this.#base = base;
    this.#writer = new MemoryWriter(reservation);
    const { code, constant, data, pageBytes } = reservation.layout;
    this.#pages = {
      code: new PageAllocator(code, pageBytes),
      constant: new PageAllocator(
        { ...constant, sizeBytes: constant.sizeBytes - frameIndexRegion(reservation.layout).sizeBytes },
        pageBytes,
      ),
      data: new PageAllocator(data, pageBytes),
    };
    this.#frames = new FrameIndex(reservation, base, {
      reserve: (sizeBytes) => this.reserveRange('constant', sizeBytes, 'host').offset,
      pause: () => this.pause(),
    });
  }

  /** The three parts the compiler may use, by runner address. */
  describe(): RunnerMemory {
    const { layout } = this.#reservation;
    const part = (prot: MemProt) => ({
      address: this.addressOf(layout[prot].offset),
      sizeBytes: layout[prot].sizeBytes,
    });
    return { code: part('code'), constant: part('constant'), data: part('data') };
  }

  addressOf(offset: number): ExecutorAddr {
    return addrAdd(this.#base, offset);
  }

  /** @throws {RequestError} LIMIT_EXCEEDED when there are too many. */
  createAllocator(): number {
    const { MAX_ALLOCATORS } = memory;
    if (this.#allocators.size >= MAX_ALLOCATORS)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_ALLOCATORS} allocators in a session`);
    const allocator = this.#nextAllocator++;
    this.#allocators.set(allocator, []);
    return allocator;
  }

  /**
   * Reserves pages for commits.
   * @throws {RequestError} INVALID_PARAMS for an unknown allocator, LIMIT_EXCEEDED when memory is short.
   */
  reserve(allocator: number, prot: MemProt, memoryBytes: number): ExecutorAddr {
    const ranges = this.#allocator(allocator);
    const range = this.reserveRange(prot, memoryBytes, 'commit');
    ranges.push(range);
    return this.addressOf(range.offset);
  }

  /**
   * Frees all of an allocator's reservations.
   * @throws {RequestError} INVALID_PARAMS for an unknown allocator, INVALID_ADDRESS while EH frames in it are
   * registered.
   */
  *destroyAllocator(allocator: number): Slices<void> {
    const ranges = this.#allocator(allocator);
    const frameCount = ranges.reduce((sum, range) => sum + range.frameCount, 0);
    if (frameCount > 0)
      throw new RequestError(
        'INVALID_ADDRESS',
        `allocator ${allocator} holds ${frameCount} registered EH frames: deregister them first`,
      );
    this.#allocators.delete(allocator);
    for (const [index, range] of ranges.entries()) {
      if (isSliceEnd(index)) yield* this.pause();
      this.releaseRange(range);
    }
  }

  /**
   * Reserves pages for the host's own use.
   * @throws {RequestError} LIMIT_EXCEEDED when memory is short.
   */
  reserveRange(prot: MemProt, memoryBytes: number, writable: Writable): MemoryRange {
    const { MAX_RESERVATIONS } = memory;
    if (this.#ranges.size >= MAX_RESERVATIONS)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_RESERVATIONS} reservations in a session`);
    const pages = this.#pages[prot].allocate(memoryBytes);
    if (!pages)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `no ${memoryBytes} bytes of ${prot} memory in one piece: ${this.#pages[prot].freeBytes} are free`,
      );
    const range = { ...pages, prot, writable, frameCount: 0 };
    this.#ranges.add(range);
    return range;
  }

  releaseRange(range: MemoryRange): void {
    this.#ranges.remove(range);
    this.#pages[range.prot].free(range);
  }

  /** The reserved range that an address lies in. */
  rangeAt(address: bigint): MemoryRange | undefined {
    return this.#ranges.at(this.#offsetOf(address), 1);
  }

  /** Lets others have their turn; throws what it was released with when that came meanwhile. */
  *pause(): Slices<void> {
    yield* this.#writer.pause();
  }

  /** Writes host-made bytes into a range the host reserved. */
  *writeRange(range: MemoryRange, offsetInRange: number, content: Uint8Array): Slices<void> {
    if (offsetInRange + content.byteLength > range.sizeBytes) throw new RangeError('write beyond the range');
    yield* this.#writer.write(range.offset + offsetInRange, content);
  }

  /**
   * Checks the whole commit, then writes its segments and tells the unwinder. A commit that is refused has changed nothing.
   * @returns what is left to do before the new code can be reached.
   * @throws {RequestError} INVALID_ADDRESS, INVALID_PARAMS or LIMIT_EXCEEDED; what it was released with, when that came
   *   meanwhile.
   */
  *apply(commit: WholeCommit): Slices<WrittenCommit> {
    const writes = yield* this.#inSlices(commit.segments, (segment) => this.#checkSegment(segment));
    const pointers = yield* this.#inSlices(commit.pointers, ({ address, value }) => ({
      offset: this.#checkPointer(address),
      value,
    }));
    const written = new CommitWrites(this.#reservation, writes);
    const { deregisterEHFrames, registerEHFrames } = commit;
    const noteFrames = this.#registeredFrames.check(commit, (frame) => this.#checkFrame(frame));
    const places = registerEHFrames.map((frame) => this.#sectionAt(frame));
    const sections = yield* this.#frames.parse(places, written);

    // Nothing is refused from here on.
    for (const [index, { offset, segment }] of writes.entries()) {
      if (isSliceEnd(index)) yield* this.pause();
      const { content, memoryBytes } = segment;
      yield* this.#writer.write(offset, content);
      yield* this.#writer.clear(offset + content.byteLength, memoryBytes - content.byteLength);
    }
    noteFrames();
    for (const frame of deregisterEHFrames) yield* this.#frames.remove(frame);
    for (const section of sections) yield* this.#frames.add(section);
    return {
      syncCore: commit.syncCore,
      connect: () => {
        for (const { offset, value } of pointers) this.#writer.storePointer(offset, value);
      },
    };
  }

  /** The runner is gone: nothing is kept of its memory, and what is being written ends with the error. */
  release(error: Error): void {
    this.#writer.release(error);
    this.#ranges.clear();
    this.#allocators.clear();
    this.#registeredFrames.clear();
  }

  /**
   * A copy of session memory.
   * @throws {RequestError} INVALID_ADDRESS outside code, constant and data, or across two of them.
   */
  read(address: ExecutorAddr, sizeBytes: number): Buffer {
    return this.#reservation.read(this.checkReadable(address, sizeBytes), sizeBytes);
  }

  /**
   * The offset of what can be read.
   * @throws as `read`.
   */
  checkReadable(address: ExecutorAddr, sizeBytes: number): number {
    const { code, constant, data } = this.#reservation.layout;
    const offset = this.#offsetOf(address);
    const region = [code, constant, data].find((part) => contains(part, offset, sizeBytes));
    if (!region) throw outside(address, sizeBytes, "the session's code, constant or data memory");
    return offset;
  }

  /**
   * Addresses of counters by their offsets in the data part; undefined where there can be none: outside what the
   * compiler has reserved there.
   */
  counterAddresses(dataOffsets: readonly number[] | undefined): ExecutorAddr[] | undefined {
    const { data } = this.#reservation.layout;
    const addresses: ExecutorAddr[] = [];
    for (const dataOffset of dataOffsets ?? [-1]) {
      const range = this.#ranges.at(data.offset + dataOffset, COUNTER_BYTES);
      if (range?.prot !== 'data' || range.writable !== 'commit') return undefined;
      addresses.push(this.addressOf(data.offset + dataOffset));
    }
    return addresses;
  }

  #allocator(allocator: number): MemoryRange[] {
    const ranges = this.#allocators.get(allocator);
    if (!ranges) throw new RequestError('INVALID_PARAMS', `there is no allocator ${allocator}`);
    return ranges;
  }

  #checkSegment(segment: Segment): SegmentWrite {
    const { address, prot, content, memoryBytes } = segment;
    if (content.byteLength > memoryBytes)
      throw new RequestError(
        'INVALID_PARAMS',
        `segment at ${formatAddr(address)} has ${content.byteLength} bytes of content in ${memoryBytes} of memory`,
      );
    const offset = this.#offsetOf(address);
    const range = this.#ranges.at(offset, memoryBytes);
    if (range?.writable !== 'commit') throw outside(address, memoryBytes, 'any reservation');
    if (range.prot !== prot)
      throw new RequestError(
        'INVALID_ADDRESS',
        `segment at ${formatAddr(address)} is ${prot}, its reservation is ${range.prot}`,
      );
    return { offset, segment };
  }

  #checkPointer(address: ExecutorAddr): number {
    const offset = this.#offsetOf(address);
    const range = this.#ranges.at(offset, 8);
    if (!range || range.writable === 'host' || range.prot === 'code')
      throw outside(address, 8, 'constant or data reservations and stub pointers');
    if (offset % 8 !== 0)
      throw new RequestError('INVALID_ADDRESS', `pointer at ${formatAddr(address)} is not 8-aligned`);
    return offset;
  }

  #checkFrame(frame: bigint): MemoryRange {
    const range = this.#ranges.at(this.#offsetOf(frame), 4);
    if (range?.writable !== 'commit' || range.prot === 'code')
      throw outside(frame, 4, 'constant or data reservations');
    return range;
  }

  *#inSlices<T, R>(items: readonly T[], look: (item: T) => R): Slices<R[]> {
    const results: R[] = [];
    for (const [index, item] of items.entries()) {
      if (isSliceEnd(index)) yield* this.pause();
      results.push(look(item));
    }
    return results;
  }

  #sectionAt(frame: bigint): { offset: number; endOffset: number } {
    const range = this.#checkFrame(frame);
    return { offset: this.#offsetOf(frame), endOffset: range.offset + range.sizeBytes };
  }

  /** Offset of an address, or -1 outside the reservation. */
  #offsetOf(address: bigint): number {
    const offset = address - this.#base;
    return offset >= 0n && offset < BigInt(this.#reservation.layout.totalBytes) ? Number(offset) : -1;
  }
}

function isSliceEnd(index: number): boolean {
  return index % SLICE_ENTRIES === SLICE_ENTRIES - 1;
}

function outside(address: bigint, sizeBytes: number, where: string): RequestError {
  return new RequestError(
    'INVALID_ADDRESS',
    `${sizeBytes} bytes at ${formatAddr(address)} are not inside ${where}`,
  );
}
