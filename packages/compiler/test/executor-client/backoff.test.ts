import test from 'ava';
import { backoffMs } from '../../src/executor-client/backoff.js';

test('the first attempt is made at once, further ones come ever further apart and at random times', (t) => {
  t.is(backoffMs(0), 0);
  for (const [failedCount, mostMs] of [
    [1, 100],
    [2, 200],
    [6, 3200],
    [7, 5000],
    [10_000, 5000],
  ] as const) {
    const waits = Array.from({ length: 100 }, () => backoffMs(failedCount));
    t.true(waits.every((ms) => ms >= mostMs / 2 && ms <= mostMs));
    t.true(new Set(waits).size > 1);
  }
});
