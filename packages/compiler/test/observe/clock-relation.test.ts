import test from 'ava';
import { ClockRelation } from '../../src/observe/clock-relation.js';

const MS = 1e6;

test('a request and its answer bound the offset from both sides, and a second narrows it', (t) => {
  const clock = new ClockRelation();
  t.false(clock.isKnown);
  // Theirs is 1000 ms behind ours. There and back takes 4 ms.
  clock.sent(5000 * MS, 4002 * MS);
  t.false(clock.isKnown);
  clock.received(4002 * MS, 5004 * MS);
  t.true(clock.isKnown);
  t.true(Math.abs(clock.toOurs(4002 * MS) - 5002 * MS) <= clock.errorNs);
  t.true(clock.errorNs > 1.9 * MS && clock.errorNs < 2.1 * MS);
  // Another, which takes 1 ms: it holds what is known to less.
  clock.sent(5010 * MS, 4010.5 * MS);
  clock.received(4010.5 * MS, 5011 * MS);
  t.true(clock.errorNs < 0.51 * MS);
  t.true(Math.abs(clock.toOurs(4020 * MS) - 5020 * MS) <= clock.errorNs);
});

test('bounds widen with time, by the drift of clocks', (t) => {
  const clock = new ClockRelation();
  clock.sent(0, 0);
  clock.received(0, 1 * MS);
  const before = clock.errorNs;
  // Long after: this one is slow to come, and narrows nothing.
  clock.received(60_000 * MS, 60_900 * MS);
  t.true(clock.errorNs - before > 5 * MS && clock.errorNs - before < 7 * MS);
});

test('a clock that has been put off is believed, once both sides say so', (t) => {
  const clock = new ClockRelation();
  clock.sent(0, 0);
  clock.received(0, 1 * MS);
  // Theirs has stood still for a second.
  clock.sent(2000 * MS, 1000 * MS);
  clock.received(1000 * MS, 2001 * MS);
  t.true(clock.isKnown);
  t.true(Math.abs(clock.toOurs(1000 * MS) - 2000.5 * MS) <= clock.errorNs);
});
