import test, { type ExecutionContext } from 'ava';
import { ControlArea } from '../src/control-area.js';
import { DEFAULT_LIMITS } from '../src/limits.js';
import {
  BLOCK_BYTES,
  CALL_SLOT,
  CALL_SLOT_BYTES,
  CALL_SLOT_COUNT,
  CallState,
  CONFINE,
  CONTROL,
  CONTROL_BYTES,
  END,
  END_MESSAGE_BYTES,
  EndKind,
  HEADER,
  LAYOUT_MAGIC,
  LAYOUT_VERSION,
  LOOKUP_NAME_COUNT,
  MISSING_BYTES,
  NAME_BYTES,
  REENTRY_SLOT,
  REENTRY_SLOT_BYTES,
  REENTRY_SLOT_COUNT,
  REGISTER_CAPACITY,
  ReentryKind,
  ReentryState,
  Sandbox,
  THREAD_UNIT_WORDS,
  TRAP_FRAME_COUNT,
} from '../src/native/shared-layout.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';

const MIB = 1024 * 1024;
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: MIB, constantBytes: MIB, dataBytes: MIB }),
);
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;
/** Needs all 64 bits. */
const WIDE = 0xfedc_ba98_7654_3210n;

function prepare(t: ExecutionContext) {
  const reservation = pool.take();
  t.teardown(() => reservation.release());
  return { reservation, area: new ControlArea(reservation), bytes: reservation.control };
}

/** All that is not zero, by offset. */
function written(bytes: Buffer): number {
  return bytes.subarray(0, CONTROL_BYTES).reduce((count, byte) => count + (byte === 0 ? 0 : 1), 0);
}

test('the header says sizes and layout, each in its place', (t) => {
  const { area, bytes, reservation } = prepare(t);
  area.writeHeader(64 * 1024, 8);
  const { code, constant, control, data, stubs, pointers } = reservation.layout;
  t.is(bytes.readUInt32LE(CONTROL.header + HEADER.magic), LAYOUT_MAGIC);
  t.is(bytes.readUInt32LE(CONTROL.header + HEADER.layoutVersion), LAYOUT_VERSION);
  for (const [offset, value] of [
    [CONTROL.header + HEADER.codeBytes, code.sizeBytes],
    [CONTROL.header + HEADER.constantBytes, constant.sizeBytes],
    [CONTROL.header + HEADER.controlBytes, control.sizeBytes],
    [CONTROL.header + HEADER.dataBytes, data.sizeBytes],
    [CONTROL.header + HEADER.threadStackBytes, 64 * 1024],
    [CONTROL.header + HEADER.stubsOffset, stubs.offset],
    [CONTROL.header + HEADER.stubBytes, 8],
    [CONTROL.header + HEADER.pointersOffset, pointers.offset],
    [CONTROL.header + HEADER.pointersBytes, pointers.sizeBytes],
  ] as const)
    t.is(bytes.readBigUInt64LE(offset), BigInt(value));
});

test('what the runner says of itself is read, all of its bits', (t) => {
  const { area, bytes } = prepare(t);
  bytes.writeBigUInt64LE(WIDE, CONTROL.base);
  bytes.writeBigUInt64LE(WIDE + 1n, CONTROL.resolver);
  bytes.writeBigUInt64LE(WIDE + 2n, CONTROL.countFunction);
  bytes.writeBigUInt64LE(WIDE + 3n, CONTROL.runProgram);
  bytes.writeBigUInt64LE(WIDE + 4n, CONTROL.callHost);
  bytes.writeBigInt64LE(-70_000n, CONTROL.threadOffset);
  bytes.writeUInt32LE(0xffff_fff0, CONTROL.processId);
  t.deepEqual(area.readHello(), {
    base: WIDE,
    resolver: WIDE + 1n,
    countFunction: WIDE + 2n,
    runProgram: WIDE + 3n,
    callHost: WIDE + 4n,
    threadOffset: -70_000n,
    processId: 0xffff_fff0,
  });
});

test('units to fill threads with are bits, those that were said last', (t) => {
  const { area, bytes } = prepare(t);
  const words = () => {
    const numbers = Array.from({ length: THREAD_UNIT_WORDS }, (_, word) =>
      bytes.readUInt32LE(CONTROL.threadUnits + 4 * word),
    );
    return Object.fromEntries([...numbers.entries()].filter(([, value]) => value !== 0));
  };
  area.writeThreadUnits([0, 31, 32, 1023]);
  t.deepEqual(words(), { 0: 0x8000_0001, 1: 1, 31: 0x8000_0000 });
  area.writeThreadUnits(new Set([7]));
  t.deepEqual(words(), { 0: 128 });
  t.throws(() => area.writeThreadUnits([1024]), { instanceOf: RangeError });
});

test('limits go out as the kernel has them: none is infinity, and descriptors have an end', (t) => {
  const { area, bytes } = prepare(t);
  const at = CONTROL.confine;
  const read = () => ({
    sandbox: bytes.readUInt32LE(at + CONFINE.sandbox),
    userId: bytes.readUInt32LE(at + CONFINE.userId),
    addressSpace: bytes.readBigUInt64LE(at + CONFINE.addressSpaceBytes),
    data: bytes.readBigUInt64LE(at + CONFINE.dataBytes),
    cpu: bytes.readBigUInt64LE(at + CONFINE.cpuSeconds),
    threads: bytes.readUInt32LE(at + CONFINE.threads),
    descriptors: bytes.readUInt32LE(at + CONFINE.descriptors),
  });
  const some = { 'address-space': 5, data: 6, cpu: 7, threads: 8, descriptors: 9 };
  area.writeConfine({
    sandbox: 'strict',
    userId: 0x7000_0001,
    limits: { ...DEFAULT_LIMITS, ...some },
    missing: '',
  });
  t.deepEqual(read(), {
    sandbox: Sandbox.strict,
    userId: 0x7000_0001,
    addressSpace: 5n,
    data: 6n,
    cpu: 7n,
    threads: 8,
    descriptors: 9,
  });
  const none = { 'address-space': null, data: null, cpu: null, threads: null, descriptors: null };
  area.writeConfine({
    sandbox: 'off',
    userId: 0,
    limits: { ...DEFAULT_LIMITS, ...none },
    missing: '',
  });
  t.deepEqual(read(), {
    sandbox: Sandbox.off,
    userId: 0,
    addressSpace: NO_LIMIT,
    data: NO_LIMIT,
    cpu: NO_LIMIT,
    threads: 0xffff_ffff,
    descriptors: 1024 * 1024,
  });
  for (const [descriptors, threads] of [
    [1024 * 1024 - 1, 0xffff_fffe],
    [1024 * 1024, 0xffff_ffff],
    [2 ** 40, 2 ** 40],
  ] as const) {
    const limits = { ...DEFAULT_LIMITS, descriptors, threads };
    area.writeConfine({ sandbox: 'default', userId: 0, limits, missing: '' });
    t.is(read().descriptors, Math.min(descriptors, 1024 * 1024));
    t.is(read().threads, Math.min(threads, 0xffff_ffff));
  }
});

test('what is missing is cut to what there is room for, with its end', (t) => {
  const { area, bytes } = prepare(t);
  const request = { sandbox: 'default', userId: 0, limits: DEFAULT_LIMITS } as const;
  area.writeConfine({ ...request, missing: 'x'.repeat(MISSING_BYTES + 10) });
  t.is(area.readConfine().missing, 'x'.repeat(MISSING_BYTES - 1));
  t.is(bytes[CONTROL.confine + CONFINE.missing + MISSING_BYTES - 1], 0);
  // A runner may leave no end.
  bytes.fill(0x79, CONTROL.confine + CONFINE.missing, CONTROL.confine + CONFINE.missing + MISSING_BYTES);
  bytes.writeUInt32LE(6, CONTROL.confine + CONFINE.landlockAbi);
  t.deepEqual(area.readConfine(), { landlockAbi: 6, missing: 'y'.repeat(MISSING_BYTES) });
});

test('pages with bits are taken in order, so many at a time, and no further than there are', (t) => {
  const { area, bytes } = prepare(t);
  const set = (...pages: number[]) => {
    for (const page of pages) {
      const at = CONTROL.hotPages + 4 * (page >>> 5);
      bytes.writeUInt32LE((bytes.readUInt32LE(at) | (1 << (page & 31))) >>> 0, at);
    }
  };
  set(0, 31, 32, 63, 64, 95);
  t.deepEqual(area.takeHotPages(96, 2), [0, 31]);
  t.deepEqual(area.takeHotPages(96, 3), [32, 63, 64]);
  t.deepEqual(area.takeHotPages(96, 3), [95]);
  t.deepEqual(area.takeHotPages(96, 3), []);
  // Exactly as many as may be taken, and beyond the last word that counts.
  set(5, 6, 32);
  t.deepEqual(area.takeHotPages(32, 2), [5, 6]);
  t.deepEqual(area.takeHotPages(32, 2), []);
  t.deepEqual(area.takeHotPages(33, 2), [32]);
  bytes.writeUInt32LE(1, CONTROL.hotPending);
  area.clearHotPending();
  t.is(bytes.readUInt32LE(CONTROL.hotPending), 0);
});

test('an end is read whole, and no more of it than the structure holds', (t) => {
  const { area, bytes } = prepare(t);
  const at = CONTROL.end;
  bytes.writeUInt32LE(EndKind.trap, at + END.kind);
  bytes.writeInt32LE(-11, at + END.signal);
  bytes.writeInt32LE(-6, at + END.signalCode);
  bytes.writeUInt32LE(0xffff_0001, at + END.threadId);
  bytes.writeUInt32LE(2, at + END.stackOverflow);
  bytes.writeBigUInt64LE(WIDE, at + END.faultAddress);
  bytes.writeBigUInt64LE(WIDE + 1n, at + END.programCounter);
  for (let index = 0; index < REGISTER_CAPACITY; index++)
    bytes.writeBigUInt64LE(WIDE + BigInt(index), at + END.registers + 8 * index);
  for (let index = 0; index < TRAP_FRAME_COUNT; index++)
    bytes.writeBigUInt64LE(BigInt(index + 1), at + END.frames + 8 * index);
  bytes.write('words\0and more', at + END.message);
  for (const [frameCount, read] of [
    [0, 0],
    [TRAP_FRAME_COUNT - 1, TRAP_FRAME_COUNT - 1],
    [TRAP_FRAME_COUNT, TRAP_FRAME_COUNT],
    [TRAP_FRAME_COUNT + 1, TRAP_FRAME_COUNT],
    [0xffff_ffff, TRAP_FRAME_COUNT],
  ] as const) {
    bytes.writeUInt32LE(frameCount, at + END.frameCount);
    t.deepEqual(area.readEnd(), {
      kind: EndKind.trap,
      signal: -11,
      signalCode: -6,
      threadId: 0xffff_0001,
      stackOverflow: true,
      faultAddress: WIDE,
      programCounter: WIDE + 1n,
      registers: Array.from({ length: REGISTER_CAPACITY }, (_, index) => WIDE + BigInt(index)),
      frames: Array.from({ length: read }, (_, index) => BigInt(index + 1)),
      message: 'words',
    });
  }
  bytes.writeUInt32LE(0, at + END.stackOverflow);
  bytes.fill(0x7a, at + END.message, at + END.message + END_MESSAGE_BYTES);
  // What comes behind the structure is not of the message.
  t.is(area.readEnd().message, 'z'.repeat(END_MESSAGE_BYTES));
  t.false(area.readEnd().stackOverflow);
});

test('names fit up to both limits, and not beyond', (t) => {
  const { area, bytes } = prepare(t);
  bytes.fill(0xff, CONTROL.names, CONTROL.names + 16);
  area.writeLookupNames([Buffer.from('ab'), Buffer.from(''), Buffer.from('c')]);
  t.deepEqual([...bytes.subarray(CONTROL.names, CONTROL.names + 7)], [0x61, 0x62, 0, 0, 0x63, 0, 0xff]);
  const many = (count: number) => Array.from({ length: count }, () => Buffer.from('x'));
  t.notThrows(() => area.writeLookupNames(many(LOOKUP_NAME_COUNT)));
  t.throws(() => area.writeLookupNames(many(LOOKUP_NAME_COUNT + 1)), { instanceOf: RangeError });
  t.notThrows(() => area.writeLookupNames([Buffer.alloc(NAME_BYTES - 1, 'x')]));
  t.is(bytes[CONTROL.names + NAME_BYTES - 1], 0);
  t.throws(() => area.writeLookupNames([Buffer.alloc(NAME_BYTES, 'x')]), { instanceOf: RangeError });
  bytes.writeBigUInt64LE(WIDE, CONTROL.addresses);
  bytes.writeBigUInt64LE(7n, CONTROL.addresses + 8);
  t.deepEqual(area.readLookupAddresses(2), [WIDE, 7n]);
});

test('reentry slots are apart, from the first to the last', (t) => {
  const { area, bytes } = prepare(t);
  for (const slot of [0, 1, REENTRY_SLOT_COUNT - 1]) {
    const at = CONTROL.reentry + slot * REENTRY_SLOT_BYTES;
    bytes.writeUInt32LE(ReentryKind.compile, at + REENTRY_SLOT.kind);
    bytes.writeUInt32LE(0xffff_0000 + slot, at + REENTRY_SLOT.threadId);
    bytes.writeBigUInt64LE(WIDE + BigInt(slot), at + REENTRY_SLOT.returnAddress);
    bytes.writeUInt32LE(ReentryState.posted, at + REENTRY_SLOT.state);
    t.is(area.loadReentryState(slot), ReentryState.posted);
    t.deepEqual(area.readReentry(slot), {
      kind: ReentryKind.compile,
      threadId: 0xffff_0000 + slot,
      returnAddress: WIDE + BigInt(slot),
    });
    area.writeLanding(slot, WIDE - BigInt(slot));
    t.is(bytes.readBigUInt64LE(at + REENTRY_SLOT.landing), WIDE - BigInt(slot));
    t.is(area.loadReentryState(slot), ReentryState.posted);
    area.writeReentryToken(slot, 0xffff_fff0);
    t.is(bytes.readUInt32LE(at + REENTRY_SLOT.token), 0xffff_fff0);
    area.wakeReentry(slot, ReentryState.unwind);
    t.is(bytes.readUInt32LE(at + REENTRY_SLOT.state), ReentryState.unwind);
    t.is(bytes.readBigUInt64LE(at + REENTRY_SLOT.returnAddress), WIDE + BigInt(slot));
  }
});

test('call slots are apart, and a block fills its own', (t) => {
  const { area, bytes } = prepare(t);
  for (const slot of [0, 1, CALL_SLOT_COUNT - 1]) {
    const at = CONTROL.calls + slot * CALL_SLOT_BYTES;
    const before = written(bytes);
    area.writeCall(slot, WIDE, new Uint8Array(BLOCK_BYTES).fill(9));
    t.is(written(bytes) - before, BLOCK_BYTES + 8);
    t.is(bytes.readBigUInt64LE(at + CALL_SLOT.entry), WIDE);
    t.true(area.readBlock(slot, BLOCK_BYTES).equals(Buffer.alloc(BLOCK_BYTES, 9)));
    t.is(area.readBlock(slot, BLOCK_BYTES + 1).byteLength, BLOCK_BYTES);
    t.is(area.readBlock(slot, 3).byteLength, 3);
    t.throws(() => area.writeCall(slot, 0n, new Uint8Array(BLOCK_BYTES + 1)), { instanceOf: RangeError });
    bytes.writeUInt32LE(0xffff_0000 + slot, at + CALL_SLOT.threadId);
    bytes.writeUInt32LE(0xfff0_0000 + slot, at + CALL_SLOT.token);
    t.is(area.readCallThreadId(slot), 0xffff_0000 + slot);
    t.is(area.readCallToken(slot), 0xfff0_0000 + slot);
    area.storeCallState(slot, CallState.returned);
    t.is(area.loadCallState(slot), CallState.returned);
    area.wakeCall(slot, CallState.posted);
    t.is(bytes.readUInt32LE(at + CALL_SLOT.state), CallState.posted);
  }
  bytes.writeUInt32LE(0xffff_fff1, CONTROL.programThreads);
  t.is(area.programThreads, 0xffff_fff1);
});
