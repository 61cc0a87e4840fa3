import { fstatSync, ftruncateSync } from 'node:fs';
import {
  addSeals,
  bufferAt,
  close,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  memfdCreate,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
  removePages,
} from './native/libc.js';
import type { Region, ReservationLayout } from './reservation-layout.js';

/**
 * Bytes of one window. V8 counts a `Buffer` over foreign memory as its own, so windows are made only where something
 * is read or written.
 */
export const WINDOW_BYTES = 1024 * 1024;

/** Of `st_blocks`, whatever the file system's own blocks are. */
const BLOCK_BYTES = 512;

/**
 * Memory that the host must have left for itself when it has more sessions than ever before: V8 ends the process when it
 * gets none.
 */
const HEADROOM_BYTES = 64 * 1024 * 1024;

/** Mapped memory, as bytes and as pointers. */
interface Window {
  /** Offset of its first byte. */
  readonly start: number;
  readonly bytes: Buffer;
  readonly pointers: BigUint64Array;
}

const POINTER_BYTES = 8;

/** The two memfds of a runner, close-on-exec. */
export interface ReservationDescriptors {
  readonly sealedFd: number;
  readonly sharedFd: number;
}

/**
 * One range of host addresses, laid out like a session's reservation. It lives as long as the process, because the
 * `Buffer`s over it may: a `Buffer` over unmapped memory would take down the host. `map` lays fresh memfds over it,
 * `unmap` replaces them by anonymous memory that reads as zeros, and the windows stay valid throughout. That memory
 * cannot be written: writable, it would count as the host's data, and a range would cost most while nobody has it.
 */
class HostRange {
  readonly layout: ReservationLayout;
  readonly address: bigint;
  readonly #windows = new Map<number, Window>();
  #control: Buffer | undefined;

  constructor(layout: ReservationLayout) {
    this.layout = layout;
    this.address = mmap(0n, layout.totalBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }

  /**
   * Maps two fresh memfds, then seals them: after that, this mapping is the only one, in any process, through which
   * code and constant can be written.
   * @throws the system's error, EFBIG where files may not be as large, and then nothing is mapped and no descriptor is
   * left.
   */
  map(): ReservationDescriptors {
    const { layout } = this;
    const opened: number[] = [];
    try {
      const sealedFd = memfdCreate('farjit-sealed');
      opened.push(sealedFd);
      ftruncateSync(sealedFd, layout.sealedBytes);
      const sharedFd = memfdCreate('farjit-shared');
      opened.push(sharedFd);
      ftruncateSync(sharedFd, layout.sharedBytes);
      const flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE;
      mmap(this.address, layout.sealedBytes, PROT_READ | PROT_WRITE, flags, sealedFd, 0);
      const sharedAddress = this.address + BigInt(layout.sealedBytes);
      mmap(sharedAddress, layout.sharedBytes, PROT_READ | PROT_WRITE, flags, sharedFd, 0);
      const size = F_SEAL_GROW | F_SEAL_SHRINK;
      addSeals(sealedFd, F_SEAL_FUTURE_WRITE | size | F_SEAL_SEAL);
      addSeals(sharedFd, size | F_SEAL_SEAL);
      return { sealedFd, sharedFd };
    } catch (error) {
      for (const fd of opened) close(fd);
      this.unmap();
      throw error;
    }
  }

  /** Replaces whatever is mapped by fresh anonymous memory, in one step. The memfds' pages go with the last map. */
  unmap(): void {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    mmap(this.address, this.layout.totalBytes, PROT_READ, flags, -1, 0);
  }

  /** Gives its addresses back, of which nothing has been read or written. */
  discard(): void {
    munmap(this.address, this.layout.totalBytes);
  }

  get control(): Buffer {
    const { offset, sizeBytes } = this.layout.control;
    this.#control ??= bufferAt(this.address + BigInt(offset), sizeBytes);
    return this.#control;
  }

  /** The window that `offset` lies in. */
  windowAt(offset: number): Window {
    const { sealedBytes, data } = this.layout;
    // The control region has a view of its own, so windows begin anew after it.
    const part: Region = offset < sealedBytes ? { offset: 0, sizeBytes: sealedBytes } : data;
    const start = offset - ((offset - part.offset) % WINDOW_BYTES);
    const end = part.offset + part.sizeBytes;
    if (offset < part.offset || offset >= end)
      throw new RangeError(`offset ${offset} is outside code, constant and data`);
    let window = this.#windows.get(start);
    if (!window) {
      const bytes = bufferAt(this.address + BigInt(start), Math.min(WINDOW_BYTES, end - start));
      const pointerCount = Math.floor(bytes.byteLength / POINTER_BYTES);
      window = { start, bytes, pointers: new BigUint64Array(bytes.buffer, bytes.byteOffset, pointerCount) };
      this.#windows.set(start, window);
    }
    return window;
  }
}

/**
 * A host range with a runner's memfds over it, from `ReservationPool.take` to `release`. After `release` every access
 * throws: the range may serve another session by then.
 *
 * Offsets are in bytes from the start of the reservation; callers check that they lie in the right region.
 */
export class Reservation {
  readonly layout: ReservationLayout;
  /** Open until `release`: what is allocated in them can be counted by nobody else. */
  readonly descriptors: ReservationDescriptors;
  #range: HostRange | undefined;
  #accessCount = 0;
  readonly #giveBack: (range: HostRange) => void;

  constructor(range: HostRange, giveBack: (range: HostRange) => void) {
    this.layout = range.layout;
    this.descriptors = range.map();
    this.#range = range;
    this.#giveBack = giveBack;
  }

  /** Takes the memory away. Releasing twice does nothing. */
  release(): void {
    const range = this.#range;
    if (!range) return;
    this.#range = undefined;
    close(this.descriptors.sealedFd);
    close(this.descriptors.sharedFd);
    this.#giveBack(range);
  }

  /** Bytes that host and runner have written, or touched, and not given back to the kernel: mapped by now or not. */
  get allocatedBytes(): number {
    this.#live();
    const { sealedFd, sharedFd } = this.descriptors;
    return (fstatSync(sealedFd).blocks + fstatSync(sharedFd).blocks) * BLOCK_BYTES;
  }

  /** How often the host has read or written, by either of which pages come into being: while it stays, none have. */
  get accessCount(): number {
    return this.#accessCount;
  }

  /** Host address of the control region. */
  get controlAddress(): bigint {
    return this.#live().address + BigInt(this.layout.control.offset);
  }

  /** The control region, as one view. What is in it is written by the runner too. Not to be kept. */
  get control(): Buffer {
    return this.#live().control;
  }

  /** A copy of `sizeBytes` at `offset`. */
  read(offset: number, sizeBytes: number): Buffer {
    const copy = Buffer.allocUnsafe(sizeBytes);
    this.#visit(offset, sizeBytes, (bytes, from, to, done) => bytes.copy(copy, done, from, to));
    return copy;
  }

  write(offset: number, content: Uint8Array): void {
    this.#visit(offset, content.byteLength, (bytes, from, to, done) => {
      const isWhole = to - from === content.byteLength;
      bytes.set(isWhole ? content : content.subarray(done, done + to - from), from);
    });
  }

  fillZero(offset: number, sizeBytes: number): void {
    this.#visit(offset, sizeBytes, (bytes, from, to) => bytes.fill(0, from, to));
  }

  /** Gives whole pages of the data region back, which are zeros then. */
  giveBack(offset: number, sizeBytes: number): void {
    this.#accessCount++;
    removePages(this.#live().address + BigInt(offset), sizeBytes);
  }

  /** Stores 8 bytes in one step, seen by the runner whole or not at all. `offset` is a multiple of 8. */
  storePointer(offset: number, value: bigint): void {
    const { start, pointers } = this.#windowOf(offset);
    Atomics.store(pointers, (offset - start) / POINTER_BYTES, value);
  }

  /** What is there, read in one step. `offset` is a multiple of 8. */
  loadPointer(offset: number): bigint {
    const { start, pointers } = this.#windowOf(offset);
    return Atomics.load(pointers, (offset - start) / POINTER_BYTES);
  }

  /** Replaces 4 bytes in one step and answers what was there. `offset` is a multiple of 4. */
  exchangeWord(offset: number, value: number): number {
    let before = 0;
    this.#visit(offset, 4, (bytes, from) => {
      before = Atomics.exchange(new Uint32Array(bytes.buffer, bytes.byteOffset + from, 1), 0, value);
    });
    return before;
  }

  /** Calls `visit` with each piece of the range that lies in one window: where in that, and the bytes before that piece. */
  #visit(
    offset: number,
    sizeBytes: number,
    visit: (bytes: Buffer, from: number, to: number, doneBytes: number) => void,
  ): void {
    const range = this.#live();
    this.#accessCount++;
    let done = 0;
    while (done < sizeBytes) {
      const { bytes, start } = range.windowAt(offset + done);
      const from = offset + done - start;
      const to = Math.min(from + sizeBytes - done, bytes.byteLength);
      visit(bytes, from, to, done);
      done += to - from;
    }
  }

  #windowOf(offset: number): Window {
    const window = this.#live().windowAt(offset);
    this.#accessCount++;
    return window;
  }

  #live(): HostRange {
    if (!this.#range) throw new Error('this reservation has been released');
    return this.#range;
  }
}

/** Makes reservations, and keeps the host ranges that are not in use, which can never be unmapped. */
export class ReservationPool {
  readonly layout: ReservationLayout;
  readonly #free: HostRange[] = [];

  constructor(layout: ReservationLayout) {
    this.layout = layout;
  }

  /**
   * A reservation over fresh, sealed memfds.
   * @throws the system's error when descriptors are short, or memory would be for the host itself.
   */
  take(): Reservation {
    const range = this.#free.pop() ?? this.#newRange();
    try {
      return new Reservation(range, (released) => this.#giveBack(released));
    } catch (error) {
      this.#free.push(range);
      throw error;
    }
  }

  /**
   * A range is for good: it is not made when it leaves too little for the host. Where one is free the host has had as
   * many sessions before, and what they needed of its heap is there.
   */
  #newRange(): HostRange {
    const range = new HostRange(this.layout);
    try {
      checkHeadroom();
      return range;
    } catch (error) {
      range.discard();
      throw error;
    }
  }

  #giveBack(range: HostRange): void {
    range.unmap();
    this.#free.push(range);
  }
}

/** Asks for writable memory and gives it back, which shows every limit there is on it: RLIMIT_AS, RLIMIT_DATA, overcommit. */
function checkHeadroom(): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS;
  munmap(mmap(0n, HEADROOM_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0), HEADROOM_BYTES);
}
