import test from 'ava';
import { CallLimit } from '../../src/calls/call-limit.js';

const WORDS = 'not done';

test('turns go to those who wait in the order they came', async (t) => {
  const limit = new CallLimit(2);
  const order: number[] = [];
  const enter = (index: number) => limit.enter(undefined, WORDS).then(() => order.push(index));
  const entered = [0, 1, 2, 3, 4].map(enter);
  await Promise.all(entered.slice(0, 2));
  await new Promise(setImmediate);
  t.deepEqual(order, [0, 1]);
  limit.leave();
  await entered[2];
  limit.leave();
  limit.leave();
  await Promise.all(entered);
  t.deepEqual(order, [0, 1, 2, 3, 4]);
});

test('one that is aborted while it waits takes no turn', async (t) => {
  const limit = new CallLimit(1);
  await limit.enter(undefined, WORDS);
  const controller = new AbortController();
  const aborted = limit.enter(controller.signal, WORDS);
  const next = limit.enter(controller.signal, WORDS);
  const last = limit.enter(undefined, WORDS);
  controller.abort();
  await t.throwsAsync(aborted, { name: 'AbortError', message: WORDS });
  await t.throwsAsync(next, { name: 'AbortError', message: WORDS });
  limit.leave();
  await last;
  limit.leave();
  await limit.enter(undefined, WORDS);
  t.pass();
});

test('a signal that is aborted after the turn has come does nothing', async (t) => {
  const limit = new CallLimit(1);
  await limit.enter(undefined, WORDS);
  const controller = new AbortController();
  const waiting = limit.enter(controller.signal, WORDS);
  limit.leave();
  controller.abort();
  await t.notThrowsAsync(waiting);
});
