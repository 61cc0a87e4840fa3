import { ftruncateSync, readFileSync, readSync, writeSync } from 'node:fs';
import test from 'ava';
import {
  LibcError,
  MAP_PRIVATE,
  MAP_SHARED,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
} from '../src/native/libc.js';
import { ReservationPool, WINDOW_BYTES } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';

const MIB = 1024 * 1024;
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: 3 * MIB, constantBytes: MIB, dataBytes: 2 * MIB + 4096 }),
);

test('regions follow each other and control has its own pages', (t) => {
  const { code, constant, control, data, sealedBytes, totalBytes } = layoutReservation(4096);
  t.is(code.offset, 0);
  t.is(constant.offset, code.sizeBytes);
  t.is(control.offset, sealedBytes);
  t.is(data.offset, control.offset + control.sizeBytes);
  t.is(totalBytes, 256 * MIB);
});

test('where memory is small no part is larger, nor what the runner can write together', (t) => {
  const { code, constant, control, data, sharedBytes } = layoutReservation(4096, {}, 20 * MIB + 1);
  t.deepEqual([code.sizeBytes, constant.sizeBytes, sharedBytes], [20 * MIB, 20 * MIB, 20 * MIB]);
  t.is(data.sizeBytes, 20 * MIB - control.sizeBytes);
  t.deepEqual(layoutReservation(4096, {}, 1024 * MIB), layoutReservation(4096));
  t.is(layoutReservation(4096, { dataBytes: 32 * MIB }, 20 * MIB).data.sizeBytes, 32 * MIB);
});

test('sizes that are not whole pages are refused', (t) => {
  t.throws(() => layoutReservation(4096, { codeBytes: 5000 }), { instanceOf: RangeError });
});

test('the sealed memfd refuses every new way to write', (t) => {
  const reservation = pool.take();
  const { sealedFd, sharedFd } = reservation.descriptors;
  t.throws(() => writeSync(sealedFd, 'x', 0), { code: 'EPERM' });
  t.throws(() => ftruncateSync(sealedFd, 0), { code: 'EPERM' });
  t.throws(() => ftruncateSync(sealedFd, 64 * MIB), { code: 'EPERM' });
  const error = t.throws(() => mmap(0n, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, sealedFd, 0), {
    instanceOf: LibcError,
  });
  t.is(error?.errnoName, 'EPERM');
  t.throws(() => ftruncateSync(sharedFd, 0), { code: 'EPERM' });
  reservation.write(100, Buffer.from('through the one mapping'));
  const seen = Buffer.alloc(23);
  readSync(sealedFd, seen, 0, 23, 100);
  t.is(seen.toString(), 'through the one mapping');
  const readOnly = mmap(0n, 4096, PROT_READ, MAP_PRIVATE, sealedFd, 0);
  munmap(readOnly, 4096);
  reservation.release();
});

test('reads and writes cross windows', (t) => {
  const reservation = pool.take();
  const content = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 251));
  const { data } = reservation.layout;
  for (const offset of [WINDOW_BYTES - 100, 3 * MIB - 1, data.offset + WINDOW_BYTES - 7]) {
    reservation.write(offset, content);
    t.deepEqual(reservation.read(offset, 300), content);
    reservation.fillZero(offset + 10, 280);
    t.deepEqual(reservation.read(offset + 10, 280), Buffer.alloc(280));
    t.deepEqual(reservation.read(offset + 290, 10), content.subarray(290));
  }
  const last = data.offset + data.sizeBytes - 8;
  reservation.storePointer(last, 0xffff_ffff_ffff_fff8n);
  t.is(reservation.read(last, 8).readBigUInt64LE(), 0xffff_ffff_ffff_fff8n);
  reservation.release();
});

test('nothing outside the three parts can be reached', (t) => {
  const reservation = pool.take();
  const { control, data, totalBytes } = reservation.layout;
  t.throws(() => reservation.write(control.offset, Buffer.alloc(1)), { instanceOf: RangeError });
  t.throws(() => reservation.write(data.offset - 1, Buffer.alloc(1)), { instanceOf: RangeError });
  t.throws(() => reservation.read(totalBytes, 1), { instanceOf: RangeError });
  t.throws(() => reservation.read(-1, 1), { instanceOf: RangeError });
  reservation.release();
});

test('a released reservation reaches nothing, and its range starts empty for the next', (t) => {
  const own = new ReservationPool(pool.layout);
  const first = own.take();
  first.write(0, Buffer.from('secret'));
  const address = first.controlAddress;
  first.control.write('secret');
  first.release();
  t.notThrows(() => first.release());
  t.throws(() => first.read(0, 6), { message: /released/ });
  t.throws(() => first.write(0, Buffer.alloc(1)), { message: /released/ });
  t.throws(() => first.control, { message: /released/ });

  const second = own.take();
  t.is(second.controlAddress, address);
  t.deepEqual(second.read(0, 6), Buffer.alloc(6));
  t.is(second.control[0], 0);
  t.throws(() => first.read(0, 6), { message: /released/ });
  second.release();
});

test('what is allocated is what has been written or read, and each use of it can be seen', (t) => {
  const reservation = pool.take();
  const { data } = reservation.layout;
  t.is(reservation.allocatedBytes, 0);
  const uses = [
    () => reservation.write(0, Buffer.alloc(1)),
    // Reading makes a page where there was none.
    () => reservation.read(2 * MIB, 4097),
    () => reservation.fillZero(data.offset, 1),
    () => reservation.storePointer(data.offset, 1n),
    () => reservation.exchangeWord(data.offset + 4096, 1),
    () => reservation.giveBack(data.offset, 4096),
  ];
  const seen = uses.map((use) => {
    const before = reservation.accessCount;
    use();
    t.true(reservation.accessCount > before);
    return reservation.allocatedBytes / 4096;
  });
  t.deepEqual(seen, [1, 3, 4, 4, 5, 4]);
  reservation.release();
  t.throws(() => reservation.allocatedBytes, { message: /released/ });
});

test('a range that nobody has can be read, and costs the host no data', (t) => {
  const dataKiB = () => Number(/^VmData:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const large = new ReservationPool(layoutReservation(4096));
  const before = dataKiB();
  const reservation = large.take();
  const { control } = reservation;
  reservation.release();
  t.is(control[0], 0);
  t.true(dataKiB() - before < 64 * 1024);
});
