import { setTimeout as delay } from 'node:timers/promises';
import type { JITCallable } from '@farjit/compiler';
import test from 'ava';
import { eventually, openJIT } from './jit-fixture.js';

const SUM = `
  int ask(int);
  int sum(int n) { return n == 0 ? 0 : n + ask(n - 1); }
  int add(int a, int b) { return a + b; }
`;

for (const how of ['by its run', 'by name alone'])
  test(`code calls a function that calls code, 64 times in each other, on one thread: ${how}`, async (t) => {
    const { jit } = await openJIT(t, { local: { limits: { threads: 1 } } });
    let most = 0;
    let open = 0;
    jit.define({
      ask: {
        signature: 'i32(i32)',
        call: async (run, n) => {
          most = Math.max(most, ++open);
          const result = how === 'by its run' ? await run.call(sum, [n]) : await sum(n);
          open--;
          return result;
        },
      },
    });
    await jit.addC(SUM);
    const sum = await jit.lookup('sum', 'i32(i32)');
    t.is(await sum(64), (64 * 65) / 2);
    t.is(most, 64);
    const error = await t.throwsAsync(sum(66), {
      code: 'HOST_FUNCTION_FAILED',
      message: /^ask has thrown: /,
    });
    let cause: { code?: string; cause?: unknown } = error as never;
    while (cause.code === 'HOST_FUNCTION_FAILED') cause = cause.cause as never;
    t.like(cause, {
      code: 'HOST_CALLS_TOO_DEEP',
      message: 'sum is not called: 64 calls of functions in JavaScript are in each other',
    });
    t.is(await sum(64), (64 * 65) / 2, 'the runner is the same, and goes on');
    t.is(jit.statistics().runnersLost, 0);
  });

for (const depth of [8, 12])
  test(`as many chains as there are workers come to their ends, or are told that they are too many: ${depth} deep`, async (t) => {
    const { jit } = await openJIT(t);
    let waiting: (() => void)[] | undefined = [];
    jit.define({
      ask: {
        signature: 'i32(i32)',
        call: async (_run, n) => {
          // So that all are in it at the same time.
          if (n === depth - 1)
            await new Promise<void>((resolve) => (waiting ? waiting.push(resolve) : resolve()));
          return sum(n);
        },
      },
    });
    await jit.addC(SUM);
    const sum = await jit.lookup('sum', 'i32(i32)');
    const calls = Array.from({ length: 64 }, () => sum(depth));
    await eventually(() => waiting?.length === 64, 'all workers wait');
    const gates = waiting;
    waiting = undefined;
    for (const go of gates) go();
    const results = await Promise.allSettled(calls);
    const failures = results.filter((result) => result.status === 'rejected');
    if (depth === 8) t.deepEqual(failures, []);
    for (const { reason } of failures)
      t.regex(reason.message, /sum is not called: more than 512 functions in JavaScript have been called/);
    for (const result of results)
      if (result.status === 'fulfilled') t.is(result.value, (depth * (depth + 1)) / 2);
    t.is(await sum(1), 1);
    t.is(jit.statistics().runnersLost, 0);
  });

test('what is called is on the thread of its call: its thread-local variables, its strings, its arrays, its structs', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({
    ask: {
      signature: 'i32(i32)',
      call: async (run, x) => {
        t.is(await run.call(seen, []), 7);
        t.is(await run.call(length, ['any text']), 8n);
        const numbers = Float64Array.of(1, 2, 3);
        await run.call(scale, [numbers, 3, 10]);
        t.deepEqual([...numbers], [10, 20, 30]);
        t.deepEqual(await run.call(turned, [[1, 2, 3]]), [3, 2, 1]);
        t.is(await run.call(nothing, []), undefined);
        return x + 1;
      },
    },
  });
  await jit.addC(`
    #include <string.h>
    int ask(int);
    static _Thread_local int own;
    int f(int x) { own = 7; return ask(x) + own; }
    int seen(void) { return own; }
    long length(const char *text) { return strlen(text); }
    void scale(double *numbers, int count, double by) { for (int i = 0; i < count; i++) numbers[i] *= by; }
    struct large { double a, b, c; };
    struct large turned(struct large x) { return (struct large) {x.c, x.b, x.a}; }
    void nothing(void) {}
  `);
  const seen = await jit.lookup('seen', 'i32()');
  const length = await jit.lookup('length', 'i64(ptr)');
  const scale = await jit.lookup('scale', 'void(inout ptr, i32, double)');
  const turned = await jit.lookup('turned', '{double, double, double}({double, double, double})');
  const nothing = await jit.lookup('nothing', 'void()');
  const f = await jit.lookup('f', 'i32(i32)');
  const before = jit.allocatedBytes;
  t.is(await f(1), 9);
  const after = jit.allocatedBytes;
  t.is(await f(1), 9);
  t.is(jit.allocatedBytes, after, `what was passed is free again (${before} before)`);
});

test('several calls within one take turns, and the function is answered when the last has ended', async (t) => {
  const { jit } = await openJIT(t);
  let running = 0;
  let most = 0;
  const order: number[] = [];
  jit.define({
    all: {
      signature: 'i32()',
      call: async () => {
        const results = await Promise.all([1, 2, 3, 4, 5].map((x) => slow(x)));
        // Nobody waits for this one.
        void slow(6).then((x) => order.push(x));
        return results.reduce((sum, x) => sum + x, 0);
      },
    },
    nap: {
      signature: 'void(i32)',
      call: async (_run, x) => {
        most = Math.max(most, ++running);
        order.push(x);
        await delay(2);
        running--;
      },
    },
  });
  await jit.addC(`
    int all(void); void nap(int);
    int f(void) { return all(); }
    int slow(int x) { nap(x); return 10 * x; }
  `);
  const slow = await jit.lookup('slow', 'i32(i32)');
  const f = await jit.lookup('f', 'i32()');
  t.is(await f(), 150);
  t.is(most, 1);
  t.deepEqual(order, [1, 2, 3, 4, 5, 6, 60]);
});

test('what fails in a call within fails that call, which the function may do something about', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  const caught: unknown[] = [];
  const cause = new Error('inner');
  jit.define({
    outer: {
      signature: 'i32(i32)',
      call: async (run, what) => {
        try {
          return await run.call(what === 0 ? throwing : unlinked, []);
        } catch (error) {
          caught.push(error);
          return -1;
        }
      },
    },
    inner: {
      signature: 'void()',
      call: () => {
        throw cause;
      },
    },
  });
  await jit.addC(
    `
    extern "C" {
      int outer(int); void inner(void); void missing(void);
      int cleaned;
      struct Guard { ~Guard() { cleaned++; } };
      int f(int what) { int result = 0; for (int i = 0; i < 3; i++) { Guard guard; result += outer(what); } return result; }
      int throwing(void) { Guard guard; inner(); return 1; }
      int unlinked(void) { missing(); return 1; }
      int cleanedUp(void) { return cleaned; }
    }
  `,
    { language: 'c++' },
  );
  const throwing = await jit.lookup('throwing', 'i32()');
  const unlinked = await jit.lookup('unlinked', 'i32()');
  const f = await jit.lookup('f', 'i32(i32)');
  t.is(await f(0), -3);
  t.deepEqual(
    caught.splice(0).map((error) => (error as Error).cause),
    [cause, cause, cause],
  );
  t.is(await (await jit.lookup('cleanedUp', 'i32()'))(), 6, 'destructors have run, each once');
  t.is(await f(1), -3);
  t.deepEqual(
    new Set(caught.map((error) => (error as { code?: string }).code)),
    new Set(['MATERIALIZATION_FAILED']),
  );
  t.is(jit.statistics().runnersLost, 0);
});

test('a program has calls within, from its threads too, and goes on when one of them fails', async (t) => {
  const { jit, printed } = await openJIT(t);
  jit.define({
    ask: {
      signature: 'i32(i32)',
      call: async (run, x) => (await run.call(twice, [x])) + (await run.call(bad, []).catch(() => 1000)),
    },
    fail: { signature: 'void()', call: () => Promise.reject(new Error('on purpose')) },
  });
  await jit.addC(`
    #include <pthread.h>
    #include <stdio.h>
    int ask(int); void fail(void);
    int twice(int x) { return 2 * x; }
    int bad(void) { fail(); return 0; }
    static void *run(void *x) { return (void *)(long)ask((int)(long)x); }
    int main(void) {
      pthread_t threads[4];
      long sum = ask(1);
      for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, run, (void *)i);
      for (long i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
      }
      printf("%ld\\n", sum);
      return 3;
    }
  `);
  const twice: JITCallable<[number], number> = await jit.lookup('twice', 'i32(i32)');
  const bad = await jit.lookup('bad', 'i32()');
  t.is((await jit.runProgram()).exitCode, 3);
  t.is(printed(), `${2 + 1000 + 12 + 4000}\n`);
});

test('a trap within is a trap of the call', async (t) => {
  const { jit } = await openJIT(t);
  const seen: unknown[] = [];
  jit.define({
    ask: { signature: 'i32()', call: (run) => run.call(trap, []).catch((error) => seen.push(error)) },
  });
  await jit.addC('int ask(void); int f(void) { return ask(); } int trap(void) { __builtin_trap(); }');
  const trap = await jit.lookup('trap', 'i32()');
  const f = await jit.lookup('f', 'i32()');
  const error = await t.throwsAsync(f(), { code: 'EXECUTION_TRAP' });
  t.is((error as unknown as { symbol: string }).symbol, 'trap');
  await eventually(() => seen.length === 1, 'the function is told');
  t.is((seen[0] as { code: string }).code, 'RUNNER_LOST');
});

test('whoever leaves a call within by a jump, or by ending the thread, ends the runner', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ ask: { signature: 'void(i32)', call: (run, how) => run.call(leave, [how]) } });
  await jit.addC(`
    #include <pthread.h>
    #include <setjmp.h>
    void ask(int);
    static jmp_buf target;
    int f(int how) { if (setjmp(target) == 0) ask(how); return 1; }
    void leave(int how) { if (how) longjmp(target, 1); else pthread_exit(0); }
  `);
  const leave = await jit.lookup('leave', 'void(i32)');
  const f = await jit.lookup('f', 'i32(i32)');
  await t.throwsAsync(f(1), { code: 'RUNNER_LOST', message: /left another by a jump/ });
  await t.throwsAsync(f(0), { code: 'RUNNER_LOST', message: /ended itself in a call/ });
});

test('when the function has ended, a call is one as any other', async (t) => {
  const { jit } = await openJIT(t);
  const after: Promise<unknown>[] = [];
  jit.define({
    ask: {
      signature: 'i32()',
      call: async (run) => {
        setTimeout(() => {
          after.push(other(), run.call(other, []));
        }, 50);
        return other();
      },
    },
  });
  await jit.addC(`
    int ask(void);
    int f(void) { return ask(); }
    int other(void) { return 5; }
  `);
  const other = await jit.lookup('other', 'i32()');
  const f = await jit.lookup('f', 'i32()');
  t.is(await f(), 5);
  await eventually(() => after.length === 2, 'it is called later');
  await t.throwsAsync(after[1] as Promise<unknown>, { code: 'HOST_CALL_ENDED' });
  t.is(await after[0], 5);
});

test('a deadline or a signal of a call within ends it, and its runner', async (t) => {
  const { jit } = await openJIT(t);
  const seen: unknown[] = [];
  jit.define({
    ask: {
      signature: 'i32(i32)',
      call: async (_run, how) => {
        // Those that are in time harm nothing.
        t.is(await one.call([], { deadlineMs: 60_000, signal: new AbortController().signal }), 1);
        const controller = new AbortController();
        const spinning = spin.call([], how === 0 ? { deadlineMs: 100 } : { signal: controller.signal });
        const waiting = how === 0 ? undefined : one.call([], { signal: controller.signal });
        setTimeout(() => controller.abort(), 50);
        const results = await Promise.allSettled([spinning, ...(waiting ? [waiting] : [])]);
        seen.push(...results.map((result) => (result as { reason?: { code?: string } }).reason?.code));
        return 0;
      },
    },
  });
  await jit.addC(`
    int ask(int);
    int f(int how) { return ask(how); }
    int one(void) { return 1; }
    int spin(void) { for (;;); }
  `);
  const one = await jit.lookup('one', 'i32()');
  const spin = await jit.lookup('spin', 'i32()');
  const f = await jit.lookup('f', 'i32(i32)');
  for (const how of [0, 1]) await t.throwsAsync(f(how), { code: 'RUNNER_LOST' });
  await eventually(() => seen.length === 3, 'the function is told');
  t.deepEqual(seen, ['DEADLINE_EXCEEDED', 'CANCELLED', 'CANCELLED']);
  t.is(await one(), 1);
});

test('more calls than a session lets through, each with a call within, come to their ends', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ ask: { signature: 'i32(i32)', call: (_run, x) => twice.call([x], { deadlineMs: 60_000 }) } });
  await jit.addC('int ask(int); int f(int x) { return ask(x); } int twice(int x) { return 2 * x; }');
  const twice: JITCallable<[number], number> = await jit.lookup('twice', 'i32(i32)');
  const f = await jit.lookup('f', 'i32(i32)');
  const results = await Promise.all(Array.from({ length: 700 }, (_, index) => f(index)));
  t.true(results.every((result, index) => result === 2 * index));
});

test('a deadline ends what runs within', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ ask: { signature: 'void()', call: (run) => run.call(spin, []) } });
  await jit.addC(
    'void ask(void); void f(void) { ask(); } void spin(void) { for (;;); } int g(void) { return 1; }',
  );
  const spin = await jit.lookup('spin', 'void()');
  const f = await jit.lookup('f', 'void()');
  await t.throwsAsync(f.call([], { deadlineMs: 2000 }), { code: 'DEADLINE_EXCEEDED' });
  t.is(await (await jit.lookup('g', 'i32()'))(), 1);
});
