import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { CommitWrites, type SegmentWrite } from '../src/commit-writes.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';

const MIB = 1024 * 1024;
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: MIB, constantBytes: MIB, dataBytes: MIB }),
);

function prepare(t: ExecutionContext) {
  const reservation = pool.take();
  t.teardown(() => reservation.release());
  reservation.write(0, new Uint8Array(256).fill(0xee));
  return reservation;
}

function write(offset: number, content: readonly number[], memoryBytes = content.length): SegmentWrite {
  const address = toExecutorAddr(BigInt(0x1000 + offset));
  return { offset, segment: { address, prot: 'code', content: Uint8Array.from(content), memoryBytes } };
}

test('memory is read as it will be: what is written, zeros behind it, and what was there', (t) => {
  const reservation = prepare(t);
  const writes = new CommitWrites(reservation, [write(20, [5, 6]), write(10, [1, 2, 3], 6)]);
  const whole = [0xee, 0xee, 1, 2, 3, 0, 0, 0, 0xee, 0xee, 0xee, 0xee, 5, 6, 0xee];
  t.deepEqual([...writes.read(8, whole.length)], whole);
  // From and to each byte of it.
  for (let from = 0; from < whole.length; from++)
    for (let to = from; to <= whole.length; to++)
      t.deepEqual([...writes.read(8 + from, to - from)], whole.slice(from, to), `${from} to ${to}`);
  t.deepEqual([...reservation.read(10, 3)], [0xee, 0xee, 0xee]);
});

test('one of many is found', (t) => {
  const writes = new CommitWrites(
    prepare(t),
    Array.from({ length: 50 }, (_, index) => write(4 * index, [index])),
  );
  for (let index = 0; index < 50; index++)
    t.deepEqual([...writes.read(4 * index, 4)], [index, 0xee, 0xee, 0xee]);
});

test('writes that touch do not overlap, those that share a byte do', (t) => {
  const reservation = prepare(t);
  t.notThrows(() => new CommitWrites(reservation, [write(12, [1]), write(10, [1], 2), write(11, [])]));
  for (const second of [write(11, [1]), write(10, [1]), write(9, [1], 2)])
    t.throws(() => new CommitWrites(reservation, [write(10, [1], 2), second]), {
      code: 'INVALID_ADDRESS',
      message: /overlap/,
    });
});
