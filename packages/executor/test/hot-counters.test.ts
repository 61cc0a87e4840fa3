import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { Guard } from '../src/guard.js';
import { HotCounters, MAX_WAITING_COUNTERS } from '../src/hot-counters.js';
import { until } from './session-fixture.js';

function recording() {
  const told: ExecutorAddr[][] = [];
  const guard = new Guard({
    onFault: (_place, error) => {
      throw error;
    },
  });
  const hot = new HotCounters(guard, (counters) => told.push(counters));
  return { hot, told };
}

const ticks = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('the first counter is told at once, those right after it together and once each', async (t) => {
  const { hot, told } = recording();
  hot.add(toExecutorAddr(4));
  t.deepEqual(told, [[toExecutorAddr(4)]]);
  for (const counter of [8, 12, 8, 4, 12]) hot.add(toExecutorAddr(counter));
  t.is(told.length, 1);
  await until(() => told.length === 2);
  t.deepEqual(
    told[1],
    [8, 12, 4].map((counter) => toExecutorAddr(counter)),
  );
  // A counter that has begun anew is told again.
  hot.add(toExecutorAddr(8));
  await until(() => told.length === 3);
  t.deepEqual(told[2], [toExecutorAddr(8)]);
});

test('no more wait than one message carries', async (t) => {
  const { hot, told } = recording();
  for (let i = 0; i < 2 * MAX_WAITING_COUNTERS; i++) hot.add(toExecutorAddr(4 * i));
  await until(() => told.length === 2);
  await ticks(20);
  t.deepEqual(
    told.map((counters) => counters.length),
    [1, MAX_WAITING_COUNTERS],
  );
});

test('nothing is told of a runner that is gone', async (t) => {
  const { hot, told } = recording();
  hot.add(toExecutorAddr(4));
  hot.add(toExecutorAddr(8));
  hot.lose();
  hot.add(toExecutorAddr(12));
  await ticks(20);
  t.is(told.length, 1);
});
