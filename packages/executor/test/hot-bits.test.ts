import test, { type ExecutionContext } from 'ava';
import { ControlArea } from '../src/control-area.js';
import { HotBits } from '../src/hot-bits.js';
import { CONTROL, COUNTER_PAGE_BYTES, HOT_BITS_OFFSET } from '../src/native/shared-layout.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';

const MIB = 1024 * 1024;
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: MIB, constantBytes: MIB, dataBytes: MIB }),
);
const LAST_COUNTER = HOT_BITS_OFFSET / 4 - 1;

function prepare(t: ExecutionContext) {
  const reservation = pool.take();
  t.teardown(() => reservation.release());
  const bitsOf = (page: number) =>
    reservation.layout.data.offset + page * COUNTER_PAGE_BYTES + HOT_BITS_OFFSET;
  /** Sets the bits of words of a page. */
  const set = (page: number, ...words: number[]) => {
    for (const word of words) {
      const at = bitsOf(page) + (word >>> 3);
      const [before = 0] = reservation.read(at, 1);
      reservation.write(at, Uint8Array.of(before | (1 << (word & 7))));
    }
  };
  const left = (page: number) => reservation.read(bitsOf(page), COUNTER_PAGE_BYTES - HOT_BITS_OFFSET);
  return { reservation, hot: new HotBits(new ControlArea(reservation), reservation), set, left };
}

test('a bit is a counter, from the first behind the threshold to the last before the bits', (t) => {
  const { hot, set, left } = prepare(t);
  for (const page of [0, 7, MIB / COUNTER_PAGE_BYTES - 1]) {
    const words = [1, 2, 31, 32, 63, 64, LAST_COUNTER - 1, LAST_COUNTER];
    set(page, ...words);
    t.deepEqual(
      hot.takeCounters(page),
      words.map((word) => page * COUNTER_PAGE_BYTES + 4 * word),
    );
    t.true(left(page).every((byte) => byte === 0));
    t.deepEqual(hot.takeCounters(page), []);
  }
});

test('the threshold and the bits themselves are no counters', (t) => {
  for (const word of [0, LAST_COUNTER + 1, COUNTER_PAGE_BYTES / 4 - 1]) {
    const { hot, set } = prepare(t);
    set(3, word);
    t.is(hot.takeCounters(3), undefined, `${word}`);
  }
});

test('pages are those of the data part, and no others', (t) => {
  const { reservation, hot } = prepare(t);
  const pageCount = MIB / COUNTER_PAGE_BYTES;
  const { control } = reservation;
  control.writeUInt32LE(0x8000_0000, CONTROL.hotPages + pageCount / 8 - 4);
  control.writeUInt32LE(1, CONTROL.hotPages + pageCount / 8);
  t.deepEqual(hot.takePages(4), [pageCount - 1]);
  t.deepEqual(hot.takePages(4), []);
  control.writeUInt32LE(1, CONTROL.hotPending);
  hot.clearPending();
  t.is(control.readUInt32LE(CONTROL.hotPending), 0);
});
