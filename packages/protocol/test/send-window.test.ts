import test from 'ava';
import { ProtocolError } from '../src/errors.js';
import { MAX_UNACKNOWLEDGED_BYTES, SendWindow } from '../src/send-window.js';

function message(sizeBytes: number, mark = 0): Uint8Array {
  return new Uint8Array(sizeBytes).fill(mark);
}

function takeAll(window: SendWindow): number[] {
  const marks: number[] = [];
  for (let next = window.takeNext(); next; next = window.takeNext()) marks.push(next[0] ?? -1);
  return marks;
}

test('frames go out in order, each once', (t) => {
  const window = new SendWindow(true);
  window.add(message(1, 1));
  window.add(message(1, 2));
  t.deepEqual(takeAll(window), [1, 2]);
  t.is(window.lastSequence, 2);
  t.is(window.takeNext(), undefined);
});

test('without credit frames wait; an acknowledgement gives it back', (t) => {
  const window = new SendWindow(true);
  window.add(message(MAX_UNACKNOWLEDGED_BYTES - 1, 1));
  // Over the limit by all but a byte: one frame may be, so that one of the largest size goes at all.
  window.add(message(MAX_UNACKNOWLEDGED_BYTES, 2));
  window.add(message(3, 3));
  t.deepEqual(takeAll(window), [1, 2]);
  t.is(window.waitingBytes, 3);
  window.acknowledge(1);
  t.is(window.takeNext(), undefined);
  window.acknowledge(2);
  t.deepEqual(takeAll(window), [3]);
  t.is(window.waitingBytes, 0);
});

test('what was not acknowledged goes out again after a rewind, with what waited', (t) => {
  const window = new SendWindow(true);
  for (const mark of [1, 2, 3, 4]) window.add(message(1, mark));
  takeAll(window);
  window.acknowledge(1);
  window.add(message(1, 5));
  t.is(window.rewind(2), 2);
  t.deepEqual(takeAll(window), [3, 4, 5]);
  t.is(window.unacknowledgedCount, 3);
});

test('what goes out again after a rewind waits until it does', (t) => {
  const window = new SendWindow(true);
  for (const mark of [1, 2, 3]) window.add(message(10, mark));
  takeAll(window);
  t.is(window.waitingBytes, 0);
  window.rewind(1);
  t.is(window.waitingBytes, 20);
  window.takeNext();
  t.is(window.waitingBytes, 10);
  window.acknowledge(2);
  window.add(message(5, 4));
  t.is(window.waitingBytes, 15);
  t.deepEqual(takeAll(window), [3, 4]);
  t.is(window.waitingBytes, 0);
});

test('an old acknowledgement changes nothing, one of the future is refused', (t) => {
  const window = new SendWindow(true);
  window.add(message(1, 1));
  window.add(message(1, 2));
  window.takeNext();
  t.throws(() => window.acknowledge(2), {
    instanceOf: ProtocolError,
    message: 'frame 2 acknowledged, 1 sent',
  });
  window.takeNext();
  window.acknowledge(2);
  window.acknowledge(1);
  t.is(window.unacknowledgedCount, 0);
});

test('the other end can have received what was sent, and no less than it acknowledged', (t) => {
  const window = new SendWindow(true);
  for (const mark of [1, 2, 3]) window.add(message(1, mark));
  window.takeNext();
  window.takeNext();
  window.acknowledge(1);
  t.deepEqual(
    [0, 1, 2, 3].map((count) => window.isPossible(count)),
    [false, true, true, false],
  );
});

test('frames that cannot be sent again are let go of when they are sent', (t) => {
  const window = new SendWindow(false);
  window.add(message(1, 1));
  t.deepEqual(takeAll(window), [1]);
  t.is(window.rewind(0), 1);
  t.is(window.takeNext(), undefined);
});

test('a cleared window is empty, and its sequences go on', (t) => {
  const window = new SendWindow(true);
  window.add(message(1, 1));
  window.takeNext();
  window.clear();
  t.is(window.unacknowledgedCount, 0);
  t.is(window.lastSequence, 1);
});

test('credit is used up by the last byte of it, and not before', (t) => {
  for (const [sizeBytes, goes] of [
    [MAX_UNACKNOWLEDGED_BYTES - 1, true],
    [MAX_UNACKNOWLEDGED_BYTES, false],
  ] as const) {
    const window = new SendWindow(true);
    window.add(message(sizeBytes, 1));
    window.add(message(1, 2));
    t.deepEqual(takeAll(window), goes ? [1, 2] : [1]);
  }
});

test('credit comes back with a rewind, too, and is used by what goes out again', (t) => {
  const window = new SendWindow(true);
  window.add(message(MAX_UNACKNOWLEDGED_BYTES, 1));
  window.add(message(7, 2));
  takeAll(window);
  t.is(window.rewind(0), 1);
  t.is(window.waitingBytes, MAX_UNACKNOWLEDGED_BYTES + 7);
  t.deepEqual(takeAll(window), [1]);
  t.is(window.waitingBytes, 7);
  t.is(window.rewind(1), 0);
  t.deepEqual(takeAll(window), [2]);
  window.acknowledge(2);
  t.is(window.unacknowledgedCount, 0);
  t.is(window.lastSequence, 2);
});

test('a cleared window has nothing that waits, and all that was sent counts as received', (t) => {
  const window = new SendWindow(true);
  for (const mark of [1, 2]) window.add(message(10, mark));
  window.takeNext();
  window.clear();
  t.is(window.waitingBytes, 0);
  t.is(window.takeNext(), undefined);
  t.notThrows(() => window.acknowledge(1));
  window.add(message(MAX_UNACKNOWLEDGED_BYTES - 1, 3));
  window.add(message(1, 4));
  t.deepEqual(takeAll(window), [3, 4]);
});
