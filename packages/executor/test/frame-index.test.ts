import { RequestError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { CommitWrites } from '../src/commit-writes.js';
import { type FrameRecord, frameRecords } from '../src/eh-frame-records.js';
import { FrameIndex } from '../src/frame-index.js';
import {
  FRAME_CELL_SHIFT,
  FRAME_INDEX,
  FRAME_LEVEL_SHIFT,
  FRAME_NODE,
  FRAME_RECORD,
} from '../src/native/shared-layout.js';
import { type Reservation, ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';
import { finish } from './finish.js';
import { ehFrameOf } from './machine-code.js';

const MIB = 1024 * 1024;
const BASE = 0x7000_0000_0000n;
const CODE_BYTES = 4 * MIB;
const SECTION_BYTES = 128;

function prepare(t: ExecutionContext, constantBytes = 2 * MIB) {
  const sizes = { codeBytes: CODE_BYTES, constantBytes, dataBytes: MIB };
  const reservation = new ReservationPool(layoutReservation(4096, sizes)).take();
  t.teardown(() => reservation.release());
  const frames = new FrameIndex(reservation, BASE, function* () {
    yield;
  });
  const nothing = new CommitWrites(reservation, []);
  const index = {
    add: (offset: number, sizeBytes: number) => {
      const sections = finish(frames.parse([{ offset, sizeBytes }], nothing));
      for (const section of sections) finish(frames.add(section));
    },
    remove: (address: bigint) => finish(frames.remove(address)),
  };
  /** Puts a function's section at its place, and into the index. */
  const add = (place: number, start: number, sizeBytes: number) => {
    const offset = CODE_BYTES + place * SECTION_BYTES;
    const section = ehFrameOf(BASE + BigInt(start), sizeBytes, 4);
    reservation.write(offset, section);
    index.add(offset, section.byteLength);
    return BASE + BigInt(offset);
  };
  return { reservation, index, add };
}

/**
 * What `frames.c` does.
 * @param onNode called for each node that is looked at.
 */
function find(reservation: Reservation, codeOffset: number, onNode = () => {}): FrameRecord | undefined {
  let headOffset = reservation.layout.frameHeads.offset + FRAME_INDEX.heads;
  for (let shift = FRAME_CELL_SHIFT; ; shift += FRAME_LEVEL_SHIFT) {
    let at = Number(reservation.read(headOffset + 8 * (codeOffset >>> shift), 8).readBigUInt64LE());
    while (at !== 0) {
      onNode();
      const node = reservation.read(at, FRAME_NODE.next + 8);
      const record = node.subarray(FRAME_NODE.record);
      const [start, end] = [record.readUInt32LE(FRAME_RECORD.start), record.readUInt32LE(FRAME_RECORD.end)];
      if (codeOffset >= start && codeOffset < end)
        return { start, end, fde: record.readUInt32LE(FRAME_RECORD.fde) };
      at = Number(node.readBigUInt64LE(FRAME_NODE.next));
    }
    const last = (CODE_BYTES - 1) >>> shift;
    if (last === 0) return undefined;
    headOffset += 8 * (last + 1);
  }
}

test('a record is found from its first byte to its last, whatever its size and place', (t) => {
  const { reservation, add } = prepare(t);
  const functions = [
    [0, 1],
    [16, 40],
    [4096 - 8, 16],
    [8192, 4096],
    [16384, 3 * 4096],
    [65536 - 1, 2],
    [MIB - 20_000, 300_000],
    [2 * MIB, 2 * MIB],
  ] as const;
  for (const [place, [start, sizeBytes]] of functions.entries()) add(place, start, sizeBytes);
  for (const [place, [start, sizeBytes]] of functions.entries()) {
    const record = { start, end: start + sizeBytes, fde: CODE_BYTES + place * SECTION_BYTES + 24 };
    t.deepEqual(find(reservation, start), record);
    t.deepEqual(find(reservation, start + sizeBytes - 1), record);
  }
  for (const nowhere of [1, 15, 56, 4096 + 8, 8191, 12288, 65537])
    t.is(find(reservation, nowhere), undefined);
});

test('records come and go, and their memory is used again', (t) => {
  const { reservation, index, add } = prepare(t);
  const live = new Map<number, bigint>();
  let random = 12345;
  const next = (below: number) => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return (random >>> 8) % below;
  };
  for (let round = 0; round < 4000; round++) {
    const place = next(200);
    // Places are 5,000 bytes apart, so that some functions cross pages.
    const start = place * 5000;
    const address = live.get(place);
    if (address === undefined) live.set(place, add(place, start, 100 + place));
    else {
      index.remove(address);
      live.delete(place);
      t.is(find(reservation, start), undefined);
    }
    const other = next(200);
    t.is(find(reservation, other * 5000 + 99)?.start, live.has(other) ? other * 5000 : undefined);
  }
  const { frameNodes } = reservation.layout;
  const unused = reservation.read(frameNodes.offset + 64 * 1024, frameNodes.sizeBytes - 64 * 1024);
  t.true(
    unused.every((byte) => byte === 0),
    'the nodes of 200 functions fit into 64 KiB',
  );
});

test('records of one page go in any order', (t) => {
  const { reservation, index, add } = prepare(t);
  const starts = [0, 100, 200];
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    const addresses = starts.map((start, place) => add(place, start, 50));
    const left = new Set(starts);
    for (const place of order) {
      index.remove(addresses[place] ?? 0n);
      left.delete(starts[place] ?? 0);
      for (const start of starts)
        t.is(find(reservation, start)?.start, left.has(start) ? start : undefined, `${order}`);
    }
  }
});

test('each removal is counted, before a node is used again', (t) => {
  const { reservation, index, add } = prepare(t);
  const removals = () => reservation.read(reservation.layout.frameHeads.offset, 8).readBigUInt64LE();
  const address = add(0, 0, 16);
  t.is(removals(), 0n);
  index.remove(address);
  t.is(removals(), 1n);
  index.remove(address);
  t.is(removals(), 1n);
});

test('a section without an end, or that is malformed, is refused and leaves nothing', (t) => {
  const { reservation, index } = prepare(t);
  const section = Buffer.from(ehFrameOf(BASE, 16, 4));
  reservation.write(CODE_BYTES, section);
  t.throws(() => index.add(CODE_BYTES, section.byteLength - 4), { message: /no terminator/ });
  section.writeUInt32LE(500, 0);
  reservation.write(CODE_BYTES, section);
  t.throws(() => index.add(CODE_BYTES, section.byteLength), { message: /longer than the section/ });
  section.set(ehFrameOf(BASE, 16, 4));
  section.writeUInt32LE(500, 28);
  reservation.write(CODE_BYTES, section);
  t.throws(() => index.add(CODE_BYTES, section.byteLength), {
    instanceOf: RequestError,
    message: /malformed: an FDE without a CIE/,
  });
  t.is(find(reservation, 0), undefined);
});

/** Puts one section of many functions of 16 bytes, 64 bytes apart, to the start of the constant part. */
function addMany({ reservation, index }: ReturnType<typeof prepare>, functionCount: number): void {
  const one = Buffer.from(ehFrameOf(BASE, 16, 4));
  const cie = one.subarray(0, 24);
  const pieces: Buffer[] = [cie];
  for (let count = 0; count < functionCount; count++) {
    const fde = Buffer.from(one.subarray(24, 52));
    fde.writeUInt32LE(24 + 28 * count + 4, 4);
    fde.writeBigUInt64LE(BASE + BigInt(64 * count), 8);
    pieces.push(fde);
  }
  const section = Buffer.concat([...pieces, Buffer.alloc(4)]);
  reservation.write(CODE_BYTES, section);
  index.add(CODE_BYTES, section.byteLength);
}

test('a section of many records is read to its end', (t) => {
  const prepared = prepare(t);
  const { reservation } = prepared;
  addMany(prepared, 100);
  for (let count = 0; count < 100; count++)
    t.is(find(reservation, 64 * count)?.fde, CODE_BYTES + 24 + 28 * count);
});

test('a look-up in 20,000 functions looks at no more than one in 100', (t) => {
  /** Nodes looked at on the way to each function's record, at most and all together. */
  const lookAt = (functionCount: number) => {
    const prepared = prepare(t, 16 * MIB);
    addMany(prepared, functionCount);
    let [most, sum] = [0, 0];
    for (let count = 0; count < functionCount; count++) {
      let nodeCount = 0;
      const found = find(prepared.reservation, 64 * count + 15, () => nodeCount++);
      if (found?.fde !== CODE_BYTES + 24 + 28 * count) t.fail(`the record of function ${count} is not found`);
      most = Math.max(most, nodeCount);
      sum += nodeCount;
    }
    return { most, mean: sum / functionCount };
  };
  const [few, many] = [lookAt(100), lookAt(20_000)];
  // As many as lie in one cell.
  t.is(few.most, 64);
  t.is(many.most, 64);
  t.true(many.mean < 1.5 * few.mean, `${few.mean} and ${many.mean}`);
});

test('code is in the index to the last byte of its part, and not beyond', (t) => {
  const { reservation, add } = prepare(t);
  add(0, CODE_BYTES - 16, 16);
  t.like(find(reservation, CODE_BYTES - 1), { start: CODE_BYTES - 16, end: CODE_BYTES });
  t.notThrows(() => add(1, CODE_BYTES - 48, 49));
  t.is(find(reservation, CODE_BYTES - 48), undefined);
});

test('code of two cells is in both, of more in a larger one, at every bound', (t) => {
  const { reservation, add } = prepare(t);
  const CELL = 1 << FRAME_CELL_SHIFT;
  const functions = [
    [CELL - 1, 1],
    [CELL, CELL],
    [3 * CELL - 1, CELL + 1],
    // To the first byte of a third.
    [7 * CELL - 1, CELL + 2],
    [64 * CELL - 1, 8 * CELL + 1],
    [128 * CELL - 1, 8 * CELL + 2],
  ] as const;
  for (const [place, [start, sizeBytes]] of functions.entries()) add(place, start, sizeBytes);
  for (const [start, sizeBytes] of functions)
    for (let at = start; at < start + sizeBytes; at += at === start ? 1 : CELL) {
      t.is(find(reservation, at)?.start, start, `${at}`);
      t.is(find(reservation, start + sizeBytes - 1)?.start, start);
    }
});

test('the index has whole pages at the end of the constant part, for all cells of all levels', (t) => {
  for (const codeBytes of [3 * 4096, 8 * 4096, 9 * 4096, MIB, CODE_BYTES, 96 * MIB]) {
    const layout = layoutReservation(4096, { codeBytes, constantBytes: 2 * MIB, dataBytes: MIB });
    const { offset, sizeBytes } = layout.frameHeads;
    t.is(offset + sizeBytes, layout.constant.offset + layout.constant.sizeBytes);
    t.is(sizeBytes % 4096, 0);
    let cells = 0;
    for (let cellBytes = 4096; ; cellBytes *= 8) {
      cells += Math.ceil(codeBytes / cellBytes);
      if (cellBytes >= codeBytes) break;
    }
    t.true(sizeBytes >= 8 + 8 * cells && sizeBytes < 8 + 8 * cells + 4096, `${codeBytes}`);
  }
});

/** A CIE with an augmentation and its data, and one FDE. */
function sectionOf(augmentation: string, augmentationData: readonly number[], fdeBody: Buffer): Buffer {
  const cie = [
    ...Buffer.from(`${augmentation}\0`),
    1,
    0x78,
    16,
    augmentationData.length,
    ...augmentationData,
  ];
  const section = Buffer.alloc(4 + 5 + cie.length + 8 + fdeBody.byteLength + 4);
  section.writeUInt32LE(5 + cie.length, 0);
  section.writeUInt8(1, 8);
  section.set(cie, 9);
  const fde = 9 + cie.length;
  section.writeUInt32LE(4 + fdeBody.byteLength, fde);
  section.writeUInt32LE(fde + 4, fde + 4);
  section.set(fdeBody, fde + 8);
  return section;
}

test('pointers of each encoding that compilers use are read', (t) => {
  const relative = Buffer.alloc(8);
  // From the field, 8 bytes into the FDE, back to the start of the reservation.
  const fdeAt = 9 + 'zPLR\0'.length + 4 + 7;
  relative.writeInt32LE(-(4096 + fdeAt + 8) + 32, 0);
  relative.writeUInt32LE(16, 4);
  const personality = sectionOf('zPLR', [0x1b, 0, 0, 0, 0, 0x1b, 0x1b], relative);
  t.deepEqual(finish(frameRecords(personality, 4096, BASE)), [{ start: 32, end: 48, fde: 4096 + fdeAt }]);

  const absolute = Buffer.alloc(16);
  absolute.writeBigUInt64LE(BASE + 64n, 0);
  absolute.writeBigUInt64LE(8n, 8);
  t.like(finish(frameRecords(sectionOf('zR', [0x00], absolute), 0, BASE)), [{ start: 64, end: 72 }]);
  // Of code that is not in the reservation.
  absolute.writeBigUInt64LE(toExecutorAddr(64n), 0);
  t.deepEqual(finish(frameRecords(sectionOf('zR', [0x00], absolute), 0, BASE)), []);
});

for (const [what, section] of [
  ['an unknown augmentation', sectionOf('zX', [0], Buffer.alloc(16))],
  ['one without a length', sectionOf('eh', [0], Buffer.alloc(16))],
  ['an indirect pointer', sectionOf('zR', [0x9b], Buffer.alloc(16))],
  ['a pointer of variable length', sectionOf('zR', [0x01], Buffer.alloc(16))],
  ['an FDE that is too short for its pointers', sectionOf('zR', [0x00], Buffer.alloc(4))],
  ['a record that is too short', Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
] as const)
  test(`EH frames are refused: ${what}`, (t) => {
    t.throws(() => finish(frameRecords(section, 0, BASE)), {
      instanceOf: RequestError,
      message: /malformed/,
    });
  });
