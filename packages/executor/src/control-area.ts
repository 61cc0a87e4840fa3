import type { SandboxLevel } from '@farjit/protocol/sandbox';
import type { Limits } from './limits.js';
import { futexWake } from './native/libc.js';
import {
  BLOCK_BYTES,
  CALL_SLOT,
  CALL_SLOT_BYTES,
  CONFINE,
  CONTROL,
  END,
  END_BYTES,
  HEADER,
  HOST_CALL_SLOT,
  HOST_CALL_SLOT_BYTES,
  HOST_CALL_WORDS,
  LAYOUT_MAGIC,
  LAYOUT_VERSION,
  LOOKUP_NAME_COUNT,
  MISSING_BYTES,
  NAME_BYTES,
  REENTRY_SLOT,
  REENTRY_SLOT_BYTES,
  REGISTER_CAPACITY,
  Sandbox,
  THREAD_UNIT_WORDS,
  TRAP_FRAME_COUNT,
} from './native/shared-layout.js';
import type { Reservation } from './reservation.js';

/** RLIM_INFINITY. */
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;
/** What the kernel allows by default (fs.nr_open). */
const MAX_DESCRIPTORS = 1024 * 1024;
/** Where neither `file-space` nor `memory` is limited. */
const MAX_FILE_SPACE_BYTES = 2 ** 40;
const MAX_FILE_COUNT = 2 ** 31;

/** What the runner says of itself before HELLO. */
export interface RunnerHello {
  readonly base: bigint;
  readonly resolver: bigint;
  readonly countFunction: bigint;
  readonly runProgram: bigint;
  readonly callHost: bigint;
  /** Signed. */
  readonly threadOffset: bigint;
  readonly processId: number;
}

/** How a runner is to be confined. */
export interface ConfineRequest {
  readonly sandbox: SandboxLevel;
  /** User and group the runner becomes; 0 to keep the host's. */
  readonly userId: number;
  readonly limits: Limits;
  /** What the host cannot give, and why: `feature (reason)`, or nothing. */
  readonly missing: string;
}

/** What the runner says of its confinement besides the bits of CONFINED. */
export interface ConfineAnswer {
  readonly landlockAbi: number;
  readonly missing: string;
}

/** `struct farjit_reentry_slot` as far as the host reads it. */
export interface ReentrySnapshot {
  readonly kind: number;
  readonly threadId: number;
  /** Behind the call instruction of a trampoline. */
  readonly returnAddress: bigint;
}

/** Nanoseconds of CLOCK_MONOTONIC, as the runner says them. */
export interface ReentryTimes {
  readonly postedNs: bigint;
  readonly landedNs: bigint;
}

/** `struct farjit_host_call_slot` as far as the host reads it, the count of arguments cut to what the structure holds. */
export interface HostCallSnapshot {
  readonly function: bigint;
  readonly threadId: number;
  /** A word for each. */
  readonly arguments: bigint[];
}

/** `struct farjit_end`, counts already cut to what the structure holds. */
export interface EndSnapshot {
  readonly kind: number;
  readonly signal: number;
  readonly signalCode: number;
  readonly threadId: number;
  readonly stackOverflow: boolean;
  readonly faultAddress: bigint;
  readonly programCounter: bigint;
  readonly registers: readonly bigint[];
  readonly frames: readonly bigint[];
  readonly message: string;
}

/**
 * The control region of one runner. Every method that reads copies each field once and answers the copy: the runner
 * can change the memory at any time, so nothing is read twice, and callers check what they get.
 */
export class ControlArea {
  readonly #reservation: Reservation;

  constructor(reservation: Reservation) {
    this.#reservation = reservation;
  }

  /** Throws when the reservation was released, so that no method reaches another session's memory. */
  get #bytes(): Buffer {
    return this.#reservation.control;
  }

  /** Fills what the runner reads when it starts. */
  writeHeader(threadStackBytes: number, stubBytes: number): void {
    const { code, constant, control, data, frameHeads, stubs, pointers } = this.#reservation.layout;
    const at = CONTROL.header;
    this.#bytes.writeUInt32LE(LAYOUT_MAGIC, at + HEADER.magic);
    this.#bytes.writeUInt32LE(LAYOUT_VERSION, at + HEADER.layoutVersion);
    this.#writeWord(at + HEADER.codeBytes, BigInt(code.sizeBytes));
    this.#writeWord(at + HEADER.constantBytes, BigInt(constant.sizeBytes));
    this.#writeWord(at + HEADER.controlBytes, BigInt(control.sizeBytes));
    this.#writeWord(at + HEADER.dataBytes, BigInt(data.sizeBytes));
    this.#writeWord(at + HEADER.threadStackBytes, BigInt(threadStackBytes));
    this.#writeWord(at + HEADER.frameIndexBytes, BigInt(frameHeads.sizeBytes));
    this.#writeWord(at + HEADER.stubsOffset, BigInt(stubs.offset));
    this.#writeWord(at + HEADER.stubBytes, BigInt(stubBytes));
    this.#writeWord(at + HEADER.pointersOffset, BigInt(pointers.offset));
    this.#writeWord(at + HEADER.pointersBytes, BigInt(pointers.sizeBytes));
  }

  readHello(): RunnerHello {
    return {
      base: this.#readWord(CONTROL.base),
      resolver: this.#readWord(CONTROL.resolver),
      countFunction: this.#readWord(CONTROL.countFunction),
      runProgram: this.#readWord(CONTROL.runProgram),
      callHost: this.#readWord(CONTROL.callHost),
      threadOffset: BigInt.asIntN(64, this.#readWord(CONTROL.threadOffset)),
      processId: this.#bytes.readUInt32LE(CONTROL.processId),
    };
  }

  /** Fills what the runner reads at CONFINE. */
  writeConfine({ sandbox, userId, limits, missing }: ConfineRequest): void {
    const at = CONTROL.confine;
    const word = (value: number | null) => (value === null ? NO_LIMIT : BigInt(value));
    const half = (value: number | null) => Math.min(value ?? 0xffff_ffff, 0xffff_ffff);
    this.#bytes.writeUInt32LE(Sandbox[sandbox], at + CONFINE.sandbox);
    this.#bytes.writeUInt32LE(userId, at + CONFINE.userId);
    this.#writeWord(at + CONFINE.addressSpaceBytes, word(limits['address-space']));
    this.#writeWord(at + CONFINE.dataBytes, word(limits.data));
    this.#writeWord(at + CONFINE.cpuSeconds, word(limits.cpu));
    this.#bytes.writeUInt32LE(half(limits.threads), at + CONFINE.threads);
    const space = limits['file-space'] ?? limits.memory ?? MAX_FILE_SPACE_BYTES;
    this.#writeWord(at + CONFINE.fileSizeBytes, word(limits['file-size']));
    this.#writeWord(at + CONFINE.fileSpaceBytes, BigInt(space));
    this.#bytes.writeUInt32LE(
      Math.min(limits['file-count'] ?? MAX_FILE_COUNT, MAX_FILE_COUNT),
      at + CONFINE.fileCount,
    );
    this.#bytes.write(missing, at + CONFINE.missing, MISSING_BYTES - 1);
    // The kernel knows no infinity for descriptors.
    this.#bytes.writeUInt32LE(Math.min(half(limits.descriptors), MAX_DESCRIPTORS), at + CONFINE.descriptors);
  }

  readConfine(): ConfineAnswer {
    const at = CONTROL.confine + CONFINE.missing;
    return {
      landlockAbi: this.#bytes.readUInt32LE(CONTROL.confine + CONFINE.landlockAbi),
      missing: textOf(Buffer.from(this.#bytes.subarray(at, at + MISSING_BYTES))),
    };
  }

  /** Live threads that JIT'd code made, as the runner counts them. */
  get programThreads(): number {
    return this.#load(CONTROL.programThreads);
  }

  clearHotPending(): void {
    this.#store(CONTROL.hotPending, 0);
  }

  /** Clears the bits of the first pages that have one, at most `limit` of so many; answers their numbers. */
  takeHotPages(pageCount: number, limit: number): number[] {
    const pages: number[] = [];
    for (let word = 0; 32 * word < pageCount; word++) {
      const bits = this.#bytes.readUInt32LE(CONTROL.hotPages + 4 * word);
      for (let bit = 0; bits !== 0 && bit < 32; bit++) {
        if (((bits >>> bit) & 1) === 0) continue;
        if (pages.length === limit) return pages;
        Atomics.and(this.#wordAt(CONTROL.hotPages + 4 * word), 0, ~(1 << bit));
        pages.push(32 * word + bit);
      }
    }
    return pages;
  }

  readEnd(): EndSnapshot {
    const kind = this.#load(CONTROL.end + END.kind);
    const end = Buffer.from(this.#bytes.subarray(CONTROL.end, CONTROL.end + END_BYTES));
    const frameCount = Math.min(end.readUInt32LE(END.frameCount), TRAP_FRAME_COUNT);
    return {
      kind,
      signal: end.readInt32LE(END.signal),
      signalCode: end.readInt32LE(END.signalCode),
      threadId: end.readUInt32LE(END.threadId),
      stackOverflow: end.readUInt32LE(END.stackOverflow) !== 0,
      faultAddress: end.readBigUInt64LE(END.faultAddress),
      programCounter: end.readBigUInt64LE(END.programCounter),
      registers: wordsOf(end, END.registers, REGISTER_CAPACITY),
      frames: wordsOf(end, END.frames, frameCount),
      message: textOf(end.subarray(END.message)),
    };
  }

  /** Writes names one after the other, each with a NUL. The caller has kept to both limits. */
  writeLookupNames(names: readonly Uint8Array[]): void {
    const sizeBytes = names.reduce((sum, name) => sum + name.byteLength + 1, 0);
    if (names.length > LOOKUP_NAME_COUNT || sizeBytes > NAME_BYTES)
      throw new RangeError('names do not fit in one lookup');
    let offset: number = CONTROL.names;
    for (const name of names) {
      this.#bytes.set(name, offset);
      this.#bytes[offset + name.byteLength] = 0;
      offset += name.byteLength + 1;
    }
  }

  /** Says which units of the template threads are to be filled with. */
  writeThreadUnits(units: Iterable<number>): void {
    const start = CONTROL.threadUnits;
    this.#bytes.fill(0, start, start + 4 * THREAD_UNIT_WORDS);
    for (const unit of units) {
      if (unit >= 32 * THREAD_UNIT_WORDS) throw new RangeError(`there is no unit ${unit}`);
      this.#bytes[start + (unit >>> 3)] = (this.#bytes[start + (unit >>> 3)] ?? 0) | (1 << (unit & 7));
    }
  }

  readLookupAddresses(nameCount: number): bigint[] {
    return wordsOf(this.#bytes, CONTROL.addresses, nameCount);
  }

  loadReentryState(slot: number): number {
    return this.#load(reentrySlot(slot) + REENTRY_SLOT.state);
  }

  readReentry(slot: number): ReentrySnapshot {
    const at = reentrySlot(slot);
    return {
      kind: this.#bytes.readUInt32LE(at + REENTRY_SLOT.kind),
      threadId: this.#bytes.readUInt32LE(at + REENTRY_SLOT.threadId),
      returnAddress: this.#readWord(at + REENTRY_SLOT.returnAddress),
    };
  }

  readReentryTimes(slot: number): ReentryTimes {
    const at = reentrySlot(slot);
    return {
      postedNs: this.#readWord(at + REENTRY_SLOT.postedNs),
      landedNs: this.#readWord(at + REENTRY_SLOT.landedNs),
    };
  }

  /** Writes where the thread lands; the state is not touched. */
  writeLanding(slot: number, landing: bigint): void {
    this.#writeWord(reentrySlot(slot) + REENTRY_SLOT.landing, landing);
  }

  writeReentryToken(slot: number, token: number): void {
    this.#bytes.writeUInt32LE(token, reentrySlot(slot) + REENTRY_SLOT.token);
  }

  /** Stores the state and wakes the thread that waits on it. */
  wakeReentry(slot: number, state: number): void {
    this.#storeAndWake(reentrySlot(slot) + REENTRY_SLOT.state, state);
  }

  loadHostCallState(slot: number): number {
    return this.#load(hostCallSlot(slot) + HOST_CALL_SLOT.state);
  }

  readHostCall(slot: number): HostCallSnapshot {
    const at = hostCallSlot(slot);
    const argumentCount = this.#bytes.readUInt32LE(at + HOST_CALL_SLOT.argumentCount);
    return {
      function: this.#readWord(at + HOST_CALL_SLOT.function),
      threadId: this.#bytes.readUInt32LE(at + HOST_CALL_SLOT.threadId),
      arguments: wordsOf(
        this.#bytes,
        at + HOST_CALL_SLOT.words + 8,
        Math.min(argumentCount, HOST_CALL_WORDS - 1),
      ),
    };
  }

  /** Writes what the thread is to have for a result; the state is not touched. */
  writeHostCallResult(slot: number, word: bigint): void {
    this.#writeWord(hostCallSlot(slot) + HOST_CALL_SLOT.words, word);
  }

  writeHostCallToken(slot: number, token: number): void {
    this.#bytes.writeUInt32LE(token, hostCallSlot(slot) + HOST_CALL_SLOT.token);
  }

  readHostCallToken(slot: number): number {
    return this.#bytes.readUInt32LE(hostCallSlot(slot) + HOST_CALL_SLOT.token);
  }

  /** Writes what the thread is to run; the state is not touched. */
  writeHostCallEntry(slot: number, entry: bigint, argument: bigint): void {
    this.#writeWord(hostCallSlot(slot) + HOST_CALL_SLOT.entry, entry);
    this.#writeWord(hostCallSlot(slot) + HOST_CALL_SLOT.argument, argument);
  }

  /** Stores the state and wakes the thread that waits on it. */
  wakeHostCall(slot: number, state: number): void {
    this.#storeAndWake(hostCallSlot(slot) + HOST_CALL_SLOT.state, state);
  }

  loadCallState(slot: number): number {
    return this.#load(callSlot(slot) + CALL_SLOT.state);
  }

  storeCallState(slot: number, state: number): void {
    this.#store(callSlot(slot) + CALL_SLOT.state, state);
  }

  wakeCall(slot: number, state: number): void {
    this.#storeAndWake(callSlot(slot) + CALL_SLOT.state, state);
  }

  /** @throws {RangeError} when the block does not fit in a slot. */
  writeCall(slot: number, entry: bigint, block: Uint8Array): void {
    if (block.byteLength > BLOCK_BYTES) throw new RangeError(`a block holds ${BLOCK_BYTES} bytes`);
    const at = callSlot(slot);
    this.#writeWord(at + CALL_SLOT.entry, entry);
    this.#bytes.set(block, at + CALL_SLOT.block);
  }

  /** A copy of the first `sizeBytes` of the slot's block. */
  readBlock(slot: number, sizeBytes: number): Buffer {
    const start = callSlot(slot) + CALL_SLOT.block;
    return Buffer.from(this.#bytes.subarray(start, start + Math.min(sizeBytes, BLOCK_BYTES)));
  }

  readCallThreadId(slot: number): number {
    return this.#bytes.readUInt32LE(callSlot(slot) + CALL_SLOT.threadId);
  }

  readCallToken(slot: number): number {
    return this.#bytes.readUInt32LE(callSlot(slot) + CALL_SLOT.token);
  }

  #readWord(offset: number): bigint {
    return this.#bytes.readBigUInt64LE(offset);
  }

  #writeWord(offset: number, value: bigint): void {
    this.#bytes.writeBigUInt64LE(value, offset);
  }

  #load(offset: number): number {
    return Atomics.load(this.#wordAt(offset), 0);
  }

  #store(offset: number, value: number): void {
    Atomics.store(this.#wordAt(offset), 0, value);
  }

  #storeAndWake(offset: number, value: number): void {
    this.#store(offset, value);
    futexWake(this.#reservation.controlAddress + BigInt(offset), 0x7fff_ffff);
  }

  #wordAt(offset: number): Uint32Array<ArrayBufferLike> {
    const { buffer, byteOffset } = this.#bytes;
    return new Uint32Array(buffer, byteOffset + offset, 1);
  }
}

/** Up to the NUL, if there is one. */
function textOf(bytes: Buffer): string {
  const terminator = bytes.indexOf(0);
  return bytes.subarray(0, terminator < 0 ? bytes.byteLength : terminator).toString();
}

function reentrySlot(slot: number): number {
  return CONTROL.reentry + slot * REENTRY_SLOT_BYTES;
}

function hostCallSlot(slot: number): number {
  return CONTROL.hostCalls + slot * HOST_CALL_SLOT_BYTES;
}

function callSlot(slot: number): number {
  return CONTROL.calls + slot * CALL_SLOT_BYTES;
}

function wordsOf(bytes: Buffer, offset: number, wordCount: number): bigint[] {
  return Array.from({ length: wordCount }, (_, index) => bytes.readBigUInt64LE(offset + 8 * index));
}
