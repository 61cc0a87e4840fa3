import test, { type ExecutionContext } from 'ava';
import { MemoryWriter } from '../src/memory-writer.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';
import { SLICE_BYTES, type Slices } from '../src/turns.js';
import { finish } from './finish.js';

const MIB = 1024 * 1024;
const PAGE_BYTES = 4096;
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: 8 * MIB, constantBytes: MIB, dataBytes: 8 * MIB }),
);

function prepare(t: ExecutionContext) {
  const reservation = pool.take();
  t.teardown(() => reservation.release());
  return { reservation, writer: new MemoryWriter(reservation), data: reservation.layout.data.offset };
}

/** How often others may have their turn. */
function pauses(slices: Slices<void>): number {
  let count = 0;
  while (!slices.next().done) count++;
  return count;
}

test('what is written is written in slices, and the last of them pauses no more', (t) => {
  const { reservation, writer } = prepare(t);
  for (const [sizeBytes, count] of [
    [0, 0],
    [1, 0],
    [SLICE_BYTES, 0],
    [SLICE_BYTES + 1, 1],
    [2 * SLICE_BYTES, 1],
    [2 * SLICE_BYTES + 1, 2],
  ] as const) {
    const content = new Uint8Array(sizeBytes).map((_, index) => index % 251);
    t.is(pauses(writer.write(100, content)), count, `${sizeBytes} bytes`);
    t.true(reservation.read(100, sizeBytes).equals(content));
  }
});

test('whole pages that were cleared are not cleared again; those that hold anything are', (t) => {
  const { reservation, writer } = prepare(t);
  const cost = () => {
    const before = reservation.accessCount;
    finish(writer.clear(0, 16 * PAGE_BYTES));
    return reservation.accessCount - before;
  };
  t.is(cost(), 0, 'nothing was ever written');
  // From the last byte of one page to the first of another.
  finish(writer.write(PAGE_BYTES - 1, new Uint8Array(PAGE_BYTES + 2).fill(1)));
  t.is(cost(), 3);
  t.true(reservation.read(0, 16 * PAGE_BYTES).every((byte) => byte === 0));
  t.is(cost(), 0);
  writer.storePointer(15 * PAGE_BYTES + 8, 0x1234n);
  writer.storePointer(9 * PAGE_BYTES - 8, 0x1234n);
  t.is(cost(), 2);
  t.true(reservation.read(0, 16 * PAGE_BYTES).every((byte) => byte === 0));
});

test('a page that is cleared in part keeps what is in the rest, and is cleared when that goes', (t) => {
  const { reservation, writer } = prepare(t);
  finish(writer.write(0, new Uint8Array(3 * PAGE_BYTES).fill(7)));
  finish(writer.clear(10, 2 * PAGE_BYTES));
  const all = reservation.read(0, 3 * PAGE_BYTES);
  t.deepEqual(
    [9, 10, 2 * PAGE_BYTES + 9, 2 * PAGE_BYTES + 10, 3 * PAGE_BYTES - 1].map((offset) => all[offset]),
    [7, 0, 0, 7, 7],
  );
  finish(writer.clear(0, 3 * PAGE_BYTES));
  t.true(reservation.read(0, 3 * PAGE_BYTES).every((byte) => byte === 0));
});

test('data is zero to the byte, whatever of it was given back', (t) => {
  const { reservation, writer, data } = prepare(t);
  const SIZE = 40 * PAGE_BYTES;
  for (const [offset, sizeBytes] of [
    [0, 1],
    [1, PAGE_BYTES],
    [0, 15 * PAGE_BYTES],
    [0, 16 * PAGE_BYTES],
    [1, 16 * PAGE_BYTES],
    [1, 17 * PAGE_BYTES - 1],
    [PAGE_BYTES - 1, 17 * PAGE_BYTES + 2],
    [100, 20 * PAGE_BYTES],
    [0, SIZE],
  ] as const) {
    reservation.write(data, new Uint8Array(SIZE).fill(5));
    finish(writer.clear(data + offset, sizeBytes));
    const model = Buffer.alloc(SIZE, 5).fill(0, offset, offset + sizeBytes);
    t.true(reservation.read(data, SIZE).equals(model), `${sizeBytes} bytes at ${offset}`);
  }
});

test('16 pages of data are given back to the system, fewer are cleared where they are', (t) => {
  const { reservation, writer, data } = prepare(t);
  const pagesLeft = (offset: number, sizeBytes: number) => {
    reservation.write(data, new Uint8Array(32 * PAGE_BYTES).fill(5));
    const before = reservation.allocatedBytes;
    finish(writer.clear(data + offset, sizeBytes));
    return (before - reservation.allocatedBytes) / PAGE_BYTES;
  };
  t.is(pagesLeft(0, 16 * PAGE_BYTES), 16);
  t.is(pagesLeft(0, 17 * PAGE_BYTES - 1), 16);
  t.is(pagesLeft(0, 16 * PAGE_BYTES - 1), 0);
  // Of those that are whole.
  t.is(pagesLeft(1, 16 * PAGE_BYTES), 0);
  t.is(pagesLeft(1, 17 * PAGE_BYTES), 16);
});

test('much data is given back in pieces', (t) => {
  const { writer, data } = prepare(t);
  t.is(pauses(writer.clear(data, 2 * MIB)), 1);
  t.is(pauses(writer.clear(data, 8 * MIB)), 4);
  t.is(pauses(writer.clear(data, 0)), 0);
});

test('the first byte of data is not sealed, the last before it is', (t) => {
  const { reservation, writer, data } = prepare(t);
  const { sealedBytes } = reservation.layout;
  finish(writer.write(sealedBytes - 1, Uint8Array.of(9)));
  finish(writer.write(data, Uint8Array.of(9)));
  finish(writer.clear(sealedBytes - 1, 1));
  finish(writer.clear(data, 1));
  t.is(reservation.read(sealedBytes - 1, 1)[0], 0);
  t.is(reservation.read(data, 1)[0], 0);
});

test('memory that is gone is touched no more after a pause', (t) => {
  const { reservation, writer } = prepare(t);
  const slices = writer.write(0, new Uint8Array(3 * SLICE_BYTES).fill(1));
  slices.next();
  writer.release(new Error('gone'));
  t.throws(() => slices.next(), { message: 'gone' });
  t.is(reservation.read(SLICE_BYTES, 1)[0], 0);
  t.throws(() => finish(writer.pause()), { message: 'gone' });
});
