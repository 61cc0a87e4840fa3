import { setTimeout as delay } from 'node:timers/promises';
import { MaterializationError } from '@farjit/compiler';
import test from 'ava';
import { eventually, openJIT } from './jit-fixture.js';

test('one that has not ended keeps no other, nor functions that are to be compiled, waiting', async (t) => {
  const { jit } = await openJIT(t);
  const waiting: (() => void)[] = [];
  jit.define({
    park: {
      signature: 'i32(i32)',
      call: (_run, x) => new Promise<number>((resolve) => waiting.push(() => resolve(x))),
    },
  });
  await jit.addC(`
    int park(int);
    int parked(int x) { return park(x); }
    int first(int x) { return x + 1; }
    int other(int x) { return first(x) + 1; }
  `);
  const parked = await jit.lookup('parked', 'i32(i32)');
  const calls = Array.from({ length: 40 }, (_, index) => parked(index));
  await eventually(() => waiting.length === 40, 'all threads wait');
  const other = await jit.lookup('other', 'i32(i32)');
  t.is(await other(1), 3);
  // Last come, first served.
  for (const go of waiting.reverse()) go();
  t.deepEqual(
    await Promise.all(calls),
    calls.map((_, index) => index),
  );
});

test('threads of the program call it, more of them than there are slots', async (t) => {
  const { jit } = await openJIT(t, { local: { limits: { threads: 400 } } });
  let count = 0;
  let most = 0;
  jit.define({
    note: {
      signature: 'i64(i64)',
      call: async (_run, x) => {
        most = Math.max(most, ++count);
        await delay(20);
        count--;
        return x;
      },
    },
  });
  await jit.addC(`
    #include <pthread.h>
    long note(long);
    static void *run(void *x) { return (void *)note((long)x); }
    long all(void) {
      static pthread_t threads[300];
      long sum = 0;
      pthread_attr_t small;
      pthread_attr_init(&small);
      pthread_attr_setstacksize(&small, 128 * 1024);
      for (long i = 0; i < 300; i++)
        if (pthread_create(&threads[i], &small, run, (void *)i) != 0) return -1 - i;
      for (long i = 0; i < 300; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
      }
      return sum;
    }
  `);
  const all = await jit.lookup('all', 'i64()');
  t.is(await all(), BigInt((299 * 300) / 2));
  t.true(most > 1 && most <= 256, `${most} at once`);
  t.is(jit.statistics().roundTrips.callHost, 300);
});

test('a deadline, a signal and a loss end the call, and tell the function', async (t) => {
  const { jit } = await openJIT(t);
  const signals: AbortSignal[] = [];
  jit.define({
    never: {
      signature: 'void()',
      call: (run) => {
        signals.push(run.signal);
        return new Promise(() => {});
      },
    },
  });
  await jit.addC(`
    #include <stdlib.h>
    void never(void);
    void f(void) { never(); }
    void die(void) { abort(); }
    int g(void) { return 3; }
  `);
  const f = await jit.lookup('f', 'void()');
  const controller = new AbortController();
  const cancelled = f.call([], { signal: controller.signal });
  await eventually(() => signals.length === 1, 'it is called');
  t.false(signals[0]?.aborted);
  controller.abort();
  await t.throwsAsync(cancelled, { code: 'CANCELLED' });
  // It is linked anew first, which takes as long as it takes.
  for (let deadlineMs = 500; signals.length < 2; deadlineMs *= 2)
    await t.throwsAsync(f.call([], { deadlineMs }), { code: 'DEADLINE_EXCEEDED' });
  const lost = f();
  await eventually(() => signals.length === 3, 'and again');
  const die = await jit.lookup('die', 'void()');
  await Promise.all([
    t.throwsAsync(die(), { code: 'RUNNER_LOST' }),
    t.throwsAsync(lost, { code: 'RUNNER_LOST' }),
  ]);
  await eventually(() => signals.every(({ aborted }) => aborted), 'all are told');
  const g = await jit.lookup('g', 'i32()');
  t.is(await g(), 3);
});

test('functions that never end do not use up what a session has, however many runners are lost over them', async (t) => {
  const { jit } = await openJIT(t);
  let count = 0;
  jit.define({
    never: {
      signature: 'void()',
      call: () => {
        count++;
        return new Promise(() => {});
      },
    },
  });
  await jit.addC('void never(void); void f(void) { never(); }');
  const f = await jit.lookup('f', 'void()');
  // 1,024 requests that are not answered would be too many.
  for (let round = 0; round < 21; round++) {
    const controller = new AbortController();
    const calls = Array.from({ length: 50 }, () => f.call([], { signal: controller.signal }));
    await eventually(() => count === 50 * (round + 1), 'all are called');
    controller.abort();
    for (const call of calls) await t.throwsAsync(call);
  }
  t.is(count, 1050);
});

test('a JIT that is closed by the function, or while it waits, ends the call', async (t) => {
  for (const isWaiting of [false, true]) {
    const { jit } = await openJIT(t);
    let signal: AbortSignal | undefined;
    let reached = () => {};
    const called = new Promise<void>((resolve) => {
      reached = resolve;
    });
    jit.define({
      close: {
        signature: 'i32()',
        call: async (run) => {
          signal = run.signal;
          reached();
          if (isWaiting) await delay(50);
          else await jit.close();
          return 1;
        },
      },
    });
    const close = await jit.lookup('close', 'i32()');
    const ended = t.throwsAsync(close());
    await called;
    if (isWaiting) await jit.close();
    const error = await ended;
    t.regex((error as { code?: string }).code ?? '', /^(RUNNER_LOST|CONNECTION_CLOSED|SESSION_CLOSED)$/);
    await eventually(() => signal?.aborted === true, 'the function is told');
  }
});

test('it may be removed and defined anew, by itself too, and threads that are inside go on', async (t) => {
  const { jit } = await openJIT(t);
  const make = (value: number): ReturnType<typeof jit.define> =>
    jit.define({
      next: {
        signature: 'i32()',
        call: async () => {
          tracker.remove();
          tracker = make(value + 1);
          await delay(1);
          return value;
        },
      },
    });
  let tracker = make(1);
  await jit.addC('int next(void); int f(void) { return 100 * next() + next(); }');
  const f = await jit.lookup('f', 'i32()');
  t.is(await f(), 102);
  t.is(await f(), 304);
  tracker.remove();
  await t.throwsAsync(f(), { instanceOf: MaterializationError, message: /next/ });
});

test('a new runner calls it too, and knows no address of the old one', async (t) => {
  const { jit } = await openJIT(t);
  let count = 0;
  jit.define({ count: { signature: 'i32()', call: () => ++count } });
  await jit.addC(
    '#include <stdlib.h>\nint count(void); int f(void) { return count(); } void die(void) { abort(); }',
  );
  const f = await jit.lookup('f', 'i32()');
  const die = await jit.lookup('die', 'void()');
  for (let round = 1; round <= 3; round++) {
    t.is(await f(), round);
    await t.throwsAsync(die(), { code: 'RUNNER_LOST' });
  }
  t.is(jit.statistics().roundTrips.callHost, 3);
});
