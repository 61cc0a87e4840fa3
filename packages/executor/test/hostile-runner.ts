/*
 * A runner that breaks the contract, as JIT'd code could make the real one do. Started in the runner's place, with
 * the runner's descriptors; the argument says how it behaves.
 */
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { alignUp } from '../src/align-up.js';
import {
  BELL,
  BELL_BYTES,
  BellKind,
  CALL_SLOT,
  CALL_SLOT_BYTES,
  CallState,
  CONTROL,
  CONTROL_BYTES,
  COUNTER_PAGE_BYTES,
  END,
  END_MESSAGE_BYTES,
  EndKind,
  HOST_CALL_SLOT,
  HOST_CALL_SLOT_BYTES,
  HOT_BITS_OFFSET,
  HostCallState,
  REENTRY_SLOT,
  REENTRY_SLOT_BYTES,
  REENTRY_SLOT_COUNT,
  ReachedLimit,
  ReentryKind,
  ReentryState,
  RunnerFd,
} from '../src/native/shared-layout.js';
import { layoutReservation } from '../src/reservation-layout.js';

const mode = process.argv[2] ?? '';

function bell(kind: number, slot = 0, value = 0): Buffer {
  const bytes = Buffer.alloc(BELL_BYTES);
  bytes.writeUInt16LE(kind, BELL.kind);
  bytes.writeUInt16LE(slot, BELL.slot);
  bytes.writeUInt32LE(value, BELL.value);
  return bytes;
}

function ring(kind: number, slot = 0, value = 0): void {
  writeSync(RunnerFd.doorbell, bell(kind, slot, value));
}

/** The same for more than the socket takes at once. */
function writeAll(bytes: Buffer): void {
  for (let at = 0; at < bytes.byteLength; )
    try {
      at += writeSync(RunnerFd.doorbell, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
}

/** Waits for the host's next bell; ends when the host is gone. */
function nextBell(): { kind: number; slot: number } {
  const bytes = Buffer.alloc(BELL_BYTES);
  for (;;) {
    try {
      if (readSync(RunnerFd.doorbell, bytes) === 0) process.exit(0);
      return { kind: bytes.readUInt16LE(BELL.kind), slot: bytes.readUInt16LE(BELL.slot) };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}

function writeWord(offset: number, value: bigint): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  writeSync(RunnerFd.shared, bytes, 0, 8, offset);
}

function writeHalf(offset: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  writeSync(RunnerFd.shared, bytes, 0, 4, offset);
}

/** Sets the bits of counters, by page and by word in each, and rings unless a bell is pending. */
function ringHot(pages: readonly number[], words: readonly number[]): void {
  const bits = Buffer.alloc(COUNTER_PAGE_BYTES - HOT_BITS_OFFSET);
  for (const word of words) bits[word >>> 3] = (bits[word >>> 3] ?? 0) | (1 << (word & 7));
  const pageBits = Buffer.alloc(4);
  const dataOffset = alignUp(CONTROL_BYTES, 4096);
  for (const page of pages) {
    const offset = dataOffset + page * COUNTER_PAGE_BYTES + HOT_BITS_OFFSET;
    writeSync(RunnerFd.shared, bits, 0, bits.byteLength, offset);
    pageBits.writeUInt32LE(pageBits.readUInt32LE() | (1 << page));
  }
  writeSync(RunnerFd.shared, pageBits, 0, 4, CONTROL.hotPages);
  const pending = Buffer.alloc(4);
  readSync(RunnerFd.shared, pending, 0, 4, CONTROL.hotPending);
  if (pending.readUInt32LE() !== 0) return;
  writeHalf(CONTROL.hotPending, 1);
  ring(BellKind.hot);
}

/** Posts a call of a function of the compiler's, and rings. */
function callHost(
  slot: number,
  number: bigint,
  words: readonly bigint[],
  argumentCount = words.length,
): void {
  const at = CONTROL.hostCalls + slot * HOST_CALL_SLOT_BYTES;
  writeWord(at + HOST_CALL_SLOT.function, number);
  for (const [index, word] of words.entries()) writeWord(at + HOST_CALL_SLOT.words + 8 * (1 + index), word);
  writeHalf(at + HOST_CALL_SLOT.argumentCount, argumentCount);
  writeHalf(at + HOST_CALL_SLOT.state, HostCallState.posted);
  ring(BellKind.hostCall, slot);
}

function waitForEver(): never {
  for (;;) nextBell();
}

/** What each behaviour does once the host asks for a first call. */
const ON_CALL: Record<string, (slot: number) => void> = {
  'unknown bell': () => ring(99),
  'hello again': () => ring(BellKind.hello),
  'reentry slot out of range': () => ring(BellKind.reenter, 256),
  'call slot out of range': () => ring(BellKind.callDone, 64),
  'hot counter where the threshold is': () => ringHot([0], [0]),
  'hot counter where the bits are': () => ringHot([0], [992]),
  'a flood of hot bells': () => writeAll(Buffer.concat(new Array<Buffer>(100_000).fill(bell(BellKind.hot)))),
  'a million hot counters': (slot) => {
    const counters = Array.from({ length: 991 }, (_, index) => index + 1);
    for (let round = 0; round < 256; round++) ringHot([0, 1, 2, 3], counters);
    writeHalf(CONTROL.calls + slot * CALL_SLOT_BYTES + CALL_SLOT.state, CallState.returned);
    writeAll(bell(BellKind.callDone, slot));
  },
  'done with nothing to do': () => ring(BellKind.done),
  'doorbell closed': () => {
    closeSync(RunnerFd.doorbell);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  'reentry slot that is not posted': () => ring(BellKind.reenter, 3),
  'reentry slot posted twice': () => {
    const at = CONTROL.reentry + REENTRY_SLOT_BYTES;
    writeHalf(at + REENTRY_SLOT.kind, ReentryKind.compile);
    const { trampolines } = layoutReservation(4096);
    writeWord(at + REENTRY_SLOT.returnAddress, 0x7000_0000_0006n + BigInt(trampolines.offset));
    writeHalf(at + REENTRY_SLOT.state, ReentryState.posted);
    ring(BellKind.reenter, 1);
    ring(BellKind.reenter, 1);
  },
  'limit reached twice': () => {
    ring(BellKind.limit, 0, ReachedLimit.threads);
    ring(BellKind.limit, 0, ReachedLimit.threads);
  },
  'limit that there is not': () => ring(BellKind.limit, 0, 99),
  'reentry of an unknown kind': () => {
    writeHalf(CONTROL.reentry + REENTRY_SLOT_BYTES + REENTRY_SLOT.kind, 77);
    writeHalf(CONTROL.reentry + REENTRY_SLOT_BYTES + REENTRY_SLOT.state, ReentryState.posted);
    ring(BellKind.reenter, 1);
  },
  'host call slot out of range': () => ring(BellKind.hostCall, 256),
  'host call slot that is not posted': () => ring(BellKind.hostCall, 3),
  'host call of what was not given': () => callHost(255, 8n, []),
  'host call of a number that is none': () => callHost(0, 2n ** 64n - 1n, []),
  'host call of a number that a double rounds': () => callHost(0, 2n ** 53n + 7n, []),
  'host call that comes back from nowhere': () => {
    writeHalf(CONTROL.hostCalls + HOST_CALL_SLOT.state, HostCallState.returned);
    ring(BellKind.hostCall, 0);
  },
  'host call slot posted twice': () => {
    callHost(1, 7n, [0xffff_ffff_ffff_ff80n]);
    ring(BellKind.hostCall, 1);
  },
  'host call with too little': () => callHost(0, 7n, []),
  'host call with more than there is': () => callHost(0, 7n, [1n], 0xffff_ffff),
  'host call with what is of another type': () => callHost(0, 7n, [128n]),
  'call that is still posted': (slot) => ring(BellKind.callDone, slot),
  'call that nobody made': () => ring(BellKind.callDone, 63),
  'more bells than a turn hears, and ends': (slot) => {
    const bells = Array.from({ length: REENTRY_SLOT_COUNT }, (_, reentry) => {
      const at = CONTROL.reentry + reentry * REENTRY_SLOT_BYTES;
      writeHalf(at + REENTRY_SLOT.kind, ReentryKind.compile);
      writeWord(at + REENTRY_SLOT.returnAddress, 0x7000_0000_0006n);
      writeHalf(at + REENTRY_SLOT.state, ReentryState.posted);
      return bell(BellKind.reenter, reentry);
    });
    writeHalf(CONTROL.calls + slot * CALL_SLOT_BYTES + CALL_SLOT.state, CallState.returned);
    // Meanwhile the host comes to be busy.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    writeAll(Buffer.concat([...bells, bell(BellKind.callDone, slot)]));
    process.exit(0);
  },
  'forged trap': () => {
    writeHalf(CONTROL.end + END.signal, 0xffff_fff0);
    writeHalf(CONTROL.end + END.frameCount, 0xffff_ffff);
    writeSync(
      RunnerFd.shared,
      Buffer.alloc(END_MESSAGE_BYTES, 'x'),
      0,
      END_MESSAGE_BYTES,
      CONTROL.end + END.message,
    );
    writeHalf(CONTROL.end + END.kind, EndKind.trap);
    process.exit(0);
  },
  'bells in pieces': (slot) => {
    writeHalf(CONTROL.calls + slot * CALL_SLOT_BYTES + CALL_SLOT.state, CallState.returned);
    for (const byte of bell(BellKind.callDone, slot)) {
      writeSync(RunnerFd.doorbell, Buffer.of(byte));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  },
};

fstatSync(RunnerFd.sealed);
const base = mode === 'base in kernel space' ? 0xffff_8000_0000_0000n : 0x7000_0000_0000n;
writeWord(CONTROL.base, mode === 'base not on a page' ? base + 8n : base);
writeWord(CONTROL.resolver, mode === 'no resolver' ? 0n : 0x5555_0000_0000n);
writeWord(CONTROL.countFunction, mode === 'no count function' ? 0n : 0x5555_0000_1000n);
writeWord(CONTROL.runProgram, mode === 'no program function' ? 0n : 0x5555_0000_2000n);
writeWord(CONTROL.callHost, mode === 'no host call function' ? 0n : 0x5555_0000_3000n);
writeHalf(CONTROL.processId, mode === 'process id of another' ? 1 : process.pid);
if (mode === 'bell before hello') ring(BellKind.done);
ring(BellKind.hello);
const asked = nextBell().kind;
if (mode === 'ends when it is to be confined') process.exit(3);
if (asked === BellKind.confine) ring(BellKind.confined, 0, 0);
for (;;) {
  const { kind, slot } = nextBell();
  if (kind !== BellKind.spawn) continue;
  ON_CALL[mode]?.(slot);
  waitForEver();
}
