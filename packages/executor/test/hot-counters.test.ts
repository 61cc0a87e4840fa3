import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { Guard } from '../src/guard.js';
import { COUNTERS_PER_MS, HotCounters, PAGES_PER_LOOK } from '../src/hot-counters.js';
import { until } from './session-fixture.js';

/** Counters that a test sets, by page, and what is told of them. */
function recording() {
  const told: number[][] = [];
  const toldMs: number[] = [];
  const faults: string[] = [];
  const pages = new Map<number, number[] | undefined>();
  let clearCount = 0;
  const guard = new Guard({
    onFault: (_place, error) => {
      throw error;
    },
  });
  const hot = new HotCounters({
    guard,
    source: {
      clearPending: () => clearCount++,
      takePages: (limit) => [...pages.keys()].slice(0, limit),
      takeCounters: (page): ExecutorAddr[] | undefined => {
        const counters = pages.get(page);
        pages.delete(page);
        return counters?.map(toExecutorAddr);
      },
    },
    notify: (counters) => {
      told.push(counters.map(Number));
      toldMs.push(performance.now());
    },
    fault: (message) => faults.push(message),
  });
  return { hot, pages, told, toldMs, faults, clearCount: () => clearCount };
}

const ticks = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('the first counters are told at once, those right after together', async (t) => {
  const { hot, pages, told, clearCount } = recording();
  pages.set(0, [4]);
  hot.onBell();
  t.deepEqual(told, [[4]]);
  t.is(clearCount(), 1);
  pages.set(0, [8, 12]);
  pages.set(1, [4096]);
  hot.onBell();
  t.is(told.length, 1);
  await until(() => told.length === 2);
  t.deepEqual(told[1], [8, 12, 4096]);
  t.is(clearCount(), 2);
});

test('what is set without a bell waits for one', async (t) => {
  const { hot, pages, told } = recording();
  pages.set(0, [4]);
  hot.onBell();
  pages.set(0, [8]);
  await ticks(20);
  t.is(told.length, 1);
});

test('many pages are looked into a few at a time, and one bell is enough for all', async (t) => {
  const { hot, pages, told } = recording();
  for (let page = 0; page < 3 * PAGES_PER_LOOK - 1; page++) pages.set(page, [4096 * page]);
  hot.onBell();
  await until(() => told.length === 3);
  t.deepEqual(
    told.map((counters) => counters.length),
    [PAGES_PER_LOOK, PAGES_PER_LOOK, PAGES_PER_LOOK - 1],
  );
});

test('after many counters it is longer before there are more', async (t) => {
  const { hot, pages, toldMs } = recording();
  pages.set(
    0,
    Array.from({ length: 50 * COUNTERS_PER_MS }, (_, index) => 4 * index),
  );
  hot.onBell();
  pages.set(0, [4]);
  hot.onBell();
  await until(() => toldMs.length === 2);
  const [first = 0, second = 0] = toldMs;
  // Timers count whole milliseconds.
  t.true(second - first > 45, `${second - first} ms`);
});

test('a bell before the last one was looked into is a fault, and so is a page without counters', (t) => {
  const { hot, pages, faults } = recording();
  hot.onBell();
  hot.onBell();
  t.deepEqual(faults, []);
  hot.onBell();
  t.is(faults.length, 1);
  const other = recording();
  other.pages.set(7, undefined);
  other.hot.onBell();
  t.regex(other.faults[0] ?? '', /page 7/);
  t.is(pages.size, 0);
});

test('nothing is told of a runner that is gone', async (t) => {
  const { hot, pages, told } = recording();
  pages.set(0, [4]);
  hot.onBell();
  pages.set(0, [8]);
  hot.onBell();
  hot.lose();
  await ticks(20);
  t.is(told.length, 1);
});
