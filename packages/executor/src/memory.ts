import type { FinalizeAction, MemProt, RunnerMemory, Segment } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';
import { CommitWrites, type SegmentWrite } from './commit-writes.js';
import { sortActions } from './finalize-actions.js';
import { FrameIndex } from './frame-index.js';
import { MemoryWriter } from './memory-writer.js';
import { THREAD_UNIT_BYTES } from './native/shared-layout.js';
import type { WrittenCommit } from './publisher.js';
import { RegisteredFrames } from './registered-frames.js';
import type { Reservation } from './reservation.js';
import { contains, type Region } from './reservation-layout.js';
import type { WholeCommit } from './staged-commit.js';
import { SLICE_ENTRIES, type Slices } from './turns.js';

/** A counter of the runner's `count.c`. */
const COUNTER_BYTES = 4;
const POINTER_BYTES = 8;

/**
 * Memory of one runner, by its own addresses. What is allotted to the compiler is written by its commits, and so are the
 * pointers of stubs; the rest of code and constant memory is the host's, for stubs, trampolines and the frame index.
 */
export class SessionMemory {
  readonly #reservation: Reservation;
  readonly #base: ExecutorAddr;
  readonly #writer: MemoryWriter;
  readonly #frames: FrameIndex;
  readonly #registeredFrames = new RegisteredFrames();
  /** Pointers of stubs, which commits may store. */
  #stubPointers: Region = { offset: 0, sizeBytes: 0 };

  /** @param base address of the reservation in the runner. */
  constructor(reservation: Reservation, base: ExecutorAddr) {
    this.#reservation = reservation;
    this.#base = base;
    this.#writer = new MemoryWriter(reservation);
    this.#frames = new FrameIndex(reservation, base, () => this.pause());
  }

  /** The three parts that the compiler allots, by runner address. */
  describe(): RunnerMemory {
    const { allotted } = this.#reservation.layout;
    const part = ({ offset, sizeBytes }: Region) => ({ address: this.addressOf(offset), sizeBytes });
    return { code: part(allotted.code), constant: part(allotted.constant), data: part(allotted.data) };
  }

  /** Where the compiler writes what threads begin with. */
  get threadTemplate(): { readonly address: ExecutorAddr; readonly sizeBytes: number } {
    const { offset, sizeBytes } = this.#reservation.layout.threadTemplate;
    return { address: this.addressOf(offset), sizeBytes };
  }

  get layout(): Reservation['layout'] {
    return this.#reservation.layout;
  }

  addressOf(offset: number): ExecutorAddr {
    return addrAdd(this.#base, offset);
  }

  /** Offset of an address, or -1 outside the reservation. */
  offsetOf(address: bigint): number {
    const offset = address - this.#base;
    return offset >= 0n && offset < BigInt(this.#reservation.layout.totalBytes) ? Number(offset) : -1;
  }

  /** Says which pointers of stubs there are. */
  set stubPointers(region: Region) {
    this.#stubPointers = region;
  }

  /** Lets others have their turn; throws what it was released with when that came meanwhile. */
  *pause(): Slices<void> {
    yield* this.#writer.pause();
  }

  /** Writes host-made bytes into a region that is the host's. */
  *writeOwn(region: Region, offsetInRegion: number, content: Uint8Array): Slices<void> {
    if (offsetInRegion + content.byteLength > region.sizeBytes)
      throw new RangeError('write beyond the region');
    yield* this.#writer.write(region.offset + offsetInRegion, content);
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
    const { deregisterEHFrames, registerEHFrames, invalidateInstructionCache } = sortActions(commit.actions);
    for (const action of invalidateInstructionCache) this.#checkIsCode(action);
    const noteFrames = this.#registeredFrames.check(deregisterEHFrames, registerEHFrames);
    const regions = registerEHFrames.map((action) => this.#checkFrames(action));
    const sections = yield* this.#frames.parse(regions, written);

    // Nothing is refused from here on.
    for (const [index, { offset, segment }] of writes.entries()) {
      if (isSliceEnd(index)) yield* this.pause();
      const { content, memoryBytes } = segment;
      yield* this.#writer.write(offset, content);
      yield* this.#writer.clear(offset + content.byteLength, memoryBytes - content.byteLength);
    }
    noteFrames();
    for (const { address } of deregisterEHFrames) yield* this.#frames.remove(address);
    for (const section of sections) yield* this.#frames.add(section);
    return {
      syncCore: invalidateInstructionCache.length > 0,
      threadUnits: this.#threadUnitsOf(writes),
      connect: () => {
        for (const { offset, value } of pointers) this.#writer.storePointer(offset, value);
      },
    };
  }

  /** The runner is gone: nothing is kept of its memory, and what is being written ends with the error. */
  release(error: Error): void {
    this.#writer.release(error);
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
    const offset = this.offsetOf(address);
    const region = [code, constant, data].find((part) => contains(part, offset, sizeBytes));
    if (!region) throw outside(address, sizeBytes, "the session's code, constant or data memory");
    return offset;
  }

  /** Addresses of counters by their offsets in the data part; undefined where there can be none: outside that part. */
  counterAddresses(dataOffsets: readonly number[] | undefined): ExecutorAddr[] | undefined {
    const { data } = this.#reservation.layout;
    const addresses: ExecutorAddr[] = [];
    for (const dataOffset of dataOffsets ?? [-1]) {
      if (!contains(data, data.offset + dataOffset, COUNTER_BYTES)) return undefined;
      addresses.push(this.addressOf(data.offset + dataOffset));
    }
    return addresses;
  }

  #checkSegment(segment: Segment): SegmentWrite {
    const { address, prot, content, memoryBytes } = segment;
    if (content.byteLength > memoryBytes)
      throw new RequestError(
        'INVALID_PARAMS',
        `segment at ${formatAddr(address)} has ${content.byteLength} bytes of content in ${memoryBytes} of memory`,
      );
    const offset = this.offsetOf(address);
    const isTemplate = contains(this.layout.threadTemplate, offset, memoryBytes);
    const actual = isTemplate ? 'constant' : this.#protAt(offset, memoryBytes);
    if (!actual) throw outside(address, memoryBytes, 'memory that is allotted to the compiler');
    if (actual !== prot)
      throw new RequestError(
        'INVALID_ADDRESS',
        `segment at ${formatAddr(address)} is ${prot}, the memory there is ${actual}`,
      );
    return { offset, segment };
  }

  /** Units of thread-local memory that segments lie in. */
  #threadUnitsOf(writes: readonly SegmentWrite[]): Set<number> {
    const { threadTemplate } = this.layout;
    const units = new Set<number>();
    for (const { offset, segment } of writes) {
      if (!contains(threadTemplate, offset, segment.memoryBytes)) continue;
      const start = offset - threadTemplate.offset;
      const first = Math.floor(start / THREAD_UNIT_BYTES);
      for (let unit = first; unit * THREAD_UNIT_BYTES < start + segment.memoryBytes; unit++) units.add(unit);
    }
    return units;
  }

  #checkPointer(address: ExecutorAddr): number {
    const offset = this.offsetOf(address);
    if (!contains(this.#stubPointers, offset, POINTER_BYTES)) {
      const prot = this.#protAt(offset, POINTER_BYTES);
      if (prot !== 'constant' && prot !== 'data')
        throw outside(address, POINTER_BYTES, "the compiler's constant or data memory and stub pointers");
    }
    if (offset % POINTER_BYTES !== 0)
      throw new RequestError('INVALID_ADDRESS', `pointer at ${formatAddr(address)} is not 8-aligned`);
    return offset;
  }

  #checkFrames({ address, sizeBytes }: FinalizeAction): Region {
    const offset = this.offsetOf(address);
    const prot = this.#protAt(offset, sizeBytes);
    if (prot !== 'constant' && prot !== 'data')
      throw outside(address, sizeBytes, "the compiler's constant or data memory");
    return { offset, sizeBytes };
  }

  #checkIsCode({ address, sizeBytes }: FinalizeAction): void {
    if (this.#protAt(this.offsetOf(address), sizeBytes) !== 'code')
      throw outside(address, sizeBytes, "the compiler's code memory");
  }

  /** Rights of memory that is allotted to the compiler; undefined elsewhere, and across two parts. */
  #protAt(offset: number, sizeBytes: number): MemProt | undefined {
    const { allotted } = this.#reservation.layout;
    return (['code', 'constant', 'data'] as const).find((prot) =>
      contains(allotted[prot], offset, sizeBytes),
    );
  }

  *#inSlices<T, R>(items: readonly T[], look: (item: T) => R): Slices<R[]> {
    const results: R[] = [];
    for (const [index, item] of items.entries()) {
      if (isSliceEnd(index)) yield* this.pause();
      results.push(look(item));
    }
    return results;
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
