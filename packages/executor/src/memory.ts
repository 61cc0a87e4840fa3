import { type Commit, type MemProt, memory, type RunnerMemory, type Segment } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';
import { FrameIndex, frameIndexRegion } from './frame-index.js';
import { PageAllocator } from './page-allocator.js';
import type { WrittenCommit } from './publisher.js';
import type { Reservation } from './reservation.js';
import type { Region } from './reservation-layout.js';

/** Reservations one allocator may hold: bounds what a session can make the host remember. */
const MAX_RESERVATIONS = 65_536;

/** A counter of the runner's `count.c`. */
const COUNTER_BYTES = 4;

/** Who may write a reserved range: commits of the compiler, pointers alone, or nobody but the host. */
type Writable = 'commit' | 'pointers' | 'host';

/** A reserved range of executor memory, in bytes from the start of the session's reservation. */
export interface MemoryRange extends Region {
  readonly prot: MemProt;
  readonly writable: Writable;
}

interface Write {
  readonly offset: number;
  readonly segment: Segment;
}

/**
 * Memory of one runner, by its own addresses. The compiler reserves ranges through allocators and writes them by
 * commits; the host reserves ranges for stubs and trampolines.
 */
export class SessionMemory {
  readonly #reservation: Reservation;
  readonly #base: ExecutorAddr;
  readonly #pages: Readonly<Record<MemProt, PageAllocator>>;
  /** Live ranges by ascending offset. */
  readonly #ranges: MemoryRange[] = [];
  readonly #allocators = new Map<number, MemoryRange[]>();
  readonly #frames: FrameIndex;
  /** Addresses of `.eh_frame` sections that are registered. */
  readonly #registeredFrames = new Set<bigint>();
  #nextAllocator = 1;
  #rangeCount = 0;

  /** @param base address of the reservation in the runner. */
  constructor(reservation: Reservation, base: ExecutorAddr) {
    this.#reservation = reservation;
    this.#base = base;
    const { code, constant, data } = reservation.layout;
    this.#pages = {
      code: new PageAllocator(code),
      constant: new PageAllocator({
        ...constant,
        sizeBytes: constant.sizeBytes - frameIndexRegion(reservation.layout).sizeBytes,
      }),
      data: new PageAllocator(data),
    };
    this.#frames = new FrameIndex(reservation, base, (sizeBytes) => {
      return this.reserveRange('constant', sizeBytes, 'host').offset;
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

  createAllocator(): number {
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
  destroyAllocator(allocator: number): void {
    const ranges = this.#allocator(allocator);
    for (const frame of this.#registeredFrames) {
      const offset = Number(frame - this.#base);
      if (ranges.some((range) => contains(range, offset, 0)))
        throw new RequestError(
          'INVALID_ADDRESS',
          `allocator ${allocator} holds the registered EH frames at ${formatAddr(frame)}: deregister them first`,
        );
    }
    this.#allocators.delete(allocator);
    for (const range of ranges) this.releaseRange(range);
  }

  /**
   * Reserves pages for the host's own use.
   * @throws {RequestError} LIMIT_EXCEEDED when memory is short.
   */
  reserveRange(prot: MemProt, memoryBytes: number, writable: Writable): MemoryRange {
    if (this.#rangeCount >= MAX_RESERVATIONS)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_RESERVATIONS} reservations in a session`);
    const pages = this.#pages[prot].allocate(memoryBytes);
    if (!pages)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `no ${memoryBytes} bytes of ${prot} memory in one piece: ${this.#pages[prot].freeBytes} are free`,
      );
    const range = { ...pages, prot, writable };
    this.#ranges.splice(this.#indexAfter(range.offset), 0, range);
    this.#rangeCount++;
    return range;
  }

  releaseRange(range: MemoryRange): void {
    const index = this.#indexAfter(range.offset) - 1;
    if (this.#ranges[index] !== range) throw new Error('releasing a range that is not reserved');
    this.#ranges.splice(index, 1);
    this.#rangeCount--;
    this.#pages[range.prot].free(range);
  }

  /** Writes host-made bytes into a range the host reserved. */
  writeRange(range: MemoryRange, offsetInRange: number, content: Uint8Array): void {
    if (offsetInRange + content.byteLength > range.sizeBytes) throw new RangeError('write beyond the range');
    this.#reservation.write(range.offset + offsetInRange, content);
  }

  /**
   * Checks the whole commit, then writes its segments. A commit that is refused has changed nothing.
   * @returns what is left to do before the new code can be reached.
   * @throws {RequestError} INVALID_ADDRESS, INVALID_PARAMS or LIMIT_EXCEEDED.
   */
  apply(commit: Commit): WrittenCommit {
    const writes = commit.segments.map((segment) => this.#checkSegment(segment));
    checkOverlap(writes);
    const pointers = commit.pointers.map(({ address, value }) => ({
      offset: this.#checkPointer(address),
      value,
    }));
    this.#checkFrames(commit);

    for (const { offset, segment } of writes) {
      const { content, memoryBytes } = segment;
      this.#reservation.write(offset, content);
      this.#reservation.fillZero(offset + content.byteLength, memoryBytes - content.byteLength);
    }
    for (const frame of commit.deregisterEHFrames) this.#registeredFrames.delete(frame);
    for (const frame of commit.registerEHFrames) this.#registeredFrames.add(frame);
    return {
      syncCore: commit.syncCore,
      connect: () => {
        for (const frame of commit.deregisterEHFrames) this.#frames.remove(frame);
        for (const frame of commit.registerEHFrames) this.#addFrames(frame);
        for (const { offset, value } of pointers) this.#reservation.storePointer(offset, value);
      },
    };
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
      const range = this.#rangeAt(data.offset + dataOffset, COUNTER_BYTES);
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

  #checkSegment(segment: Segment): Write {
    const { address, prot, content, memoryBytes } = segment;
    if (content.byteLength > memoryBytes)
      throw new RequestError(
        'INVALID_PARAMS',
        `segment at ${formatAddr(address)} has ${content.byteLength} bytes of content in ${memoryBytes} of memory`,
      );
    const offset = this.#offsetOf(address);
    const range = this.#rangeAt(offset, memoryBytes);
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
    const range = this.#rangeAt(offset, 8);
    if (!range || range.writable === 'host' || range.prot === 'code')
      throw outside(address, 8, 'constant or data reservations and stub pointers');
    if (offset % 8 !== 0)
      throw new RequestError('INVALID_ADDRESS', `pointer at ${formatAddr(address)} is not 8-aligned`);
    return offset;
  }

  #checkFrames({ registerEHFrames, deregisterEHFrames }: Commit): void {
    const count = registerEHFrames.length + deregisterEHFrames.length;
    if (count > memory.MAX_PUBLISH_ENTRIES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `${count} EH frames to register or deregister, a commit carries ${memory.MAX_PUBLISH_ENTRIES}`,
      );
    const deregistered = new Set<bigint>();
    for (const frame of deregisterEHFrames) {
      if (!this.#registeredFrames.has(frame) || deregistered.has(frame))
        throw new RequestError('INVALID_ADDRESS', `no EH frames are registered at ${formatAddr(frame)}`);
      deregistered.add(frame);
    }
    const registered = new Set<bigint>();
    for (const frame of registerEHFrames) {
      const range = this.#rangeAt(this.#offsetOf(frame), 4);
      if (range?.writable !== 'commit' || range.prot === 'code')
        throw outside(frame, 4, 'constant or data reservations');
      const wasRegistered = this.#registeredFrames.has(frame) && !deregistered.has(frame);
      if (wasRegistered || registered.has(frame))
        throw new RequestError(
          'INVALID_ADDRESS',
          `the EH frames at ${formatAddr(frame)} are registered already`,
        );
      registered.add(frame);
    }
  }

  #addFrames(frame: bigint): void {
    const offset = this.#offsetOf(frame);
    const range = this.#rangeAt(offset, 4);
    if (!range) throw outside(frame, 4, 'any reservation');
    this.#frames.add(offset, range.offset + range.sizeBytes);
  }

  /** Offset of an address, or -1 outside the reservation. */
  #offsetOf(address: bigint): number {
    const offset = address - this.#base;
    return offset >= 0n && offset < BigInt(this.#reservation.layout.totalBytes) ? Number(offset) : -1;
  }

  #rangeAt(offset: number, sizeBytes: number): MemoryRange | undefined {
    const range = this.#ranges[this.#indexAfter(offset) - 1];
    return range && contains(range, offset, sizeBytes) ? range : undefined;
  }

  /** Index of the first range that starts after `offset`. */
  #indexAfter(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range && range.offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function checkOverlap(writes: readonly Write[]): void {
  const sorted = writes.filter(({ segment }) => segment.memoryBytes > 0).sort((a, b) => a.offset - b.offset);
  for (const [index, write] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next && write.offset + write.segment.memoryBytes > next.offset)
      throw new RequestError(
        'INVALID_ADDRESS',
        `segments at ${formatAddr(write.segment.address)} and ${formatAddr(next.segment.address)} overlap`,
      );
  }
}

function contains(region: Region, offset: number, sizeBytes: number): boolean {
  return offset >= region.offset && offset + sizeBytes <= region.offset + region.sizeBytes;
}

function outside(address: bigint, sizeBytes: number, where: string): RequestError {
  return new RequestError(
    'INVALID_ADDRESS',
    `${sizeBytes} bytes at ${formatAddr(address)} are not inside ${where}`,
  );
}
