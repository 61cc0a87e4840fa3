import test from 'ava';
import {
  MAX_UNOPENED_FRAME_BYTES,
  MAX_UNOPENED_FRAMES,
  RateLimit,
  UnopenedLimits,
} from '../src/admission.js';

test('a rate limit counts any one second, not the clock’s', (t) => {
  let nowMs = 100;
  const limit = new RateLimit(3, () => nowMs);
  t.true(limit.take());
  nowMs += 600;
  t.true(limit.take());
  t.true(limit.take());
  t.true(limit.isExhausted);
  t.false(limit.take());
  nowMs += 399;
  t.false(limit.take());
  nowMs += 1;
  t.false(limit.isExhausted);
  t.true(limit.take());
  // The two of the middle are still within a second.
  t.false(limit.take());
  nowMs += 600;
  t.true(limit.take());
  t.true(limit.take());
  t.false(limit.take());
});

test('before the session is open, so many frames a second are admitted and no more', (t) => {
  const limits = new UnopenedLimits(() => 0);
  for (let i = 0; i < MAX_UNOPENED_FRAMES; i++) t.is(limits.admit(10), undefined);
  t.like(limits.admit(10), { code: 1008 });
});

test('before the session is open, frames up to the limit are admitted and no larger ones', (t) => {
  const limits = new UnopenedLimits(() => 0);
  t.is(limits.admit(MAX_UNOPENED_FRAME_BYTES), undefined);
  t.like(limits.admit(MAX_UNOPENED_FRAME_BYTES + 1), { code: 1009 });
});

test('one that is given back is as if it had not been taken', (t) => {
  let nowMs = 0;
  const limit = new RateLimit(2, () => nowMs);
  limit.take();
  nowMs = 500;
  limit.take();
  limit.giveBack();
  t.false(limit.isExhausted);
  t.true(limit.take());
  t.false(limit.take(), 'a refused one does not count');
  nowMs = 1000;
  t.true(limit.take());
  t.true(limit.isExhausted);
  nowMs = 1499;
  t.true(limit.isExhausted);
  nowMs = 1500;
  t.false(limit.isExhausted);
  for (let i = 0; i < 5; i++) limit.giveBack();
  t.true(limit.take());
});
