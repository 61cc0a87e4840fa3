// More than 400 lines: cases that share what stands before them, each by itself.
import { setTimeout as delay } from 'node:timers/promises';
import {
  HostFunctionError,
  JIT,
  type JITCallable,
  MaterializationError,
  SignatureError,
} from '@farjit/compiler';
import test from 'ava';
import { startVersion2Executor } from './frozen-protocol.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

const CPP_LIBRARY = { local: { preload: ['libstdc++.so.6'] } };

test('code calls a function in JavaScript by its name, in one round trip a call', async (t) => {
  const { jit } = await openJIT(t);
  const heard: unknown[] = [];
  jit.define({
    add: {
      signature: 'i32(i32, i32)',
      call: (_run, a, b) => {
        heard.push(a, b);
        return a + b;
      },
    },
  });
  await jit.addC('int add(int, int); int twice(int x) { return add(x, x) + add(0, 1); }');
  const twice = await jit.lookup('twice', 'i32(i32)');
  t.is(await twice(20), 41);
  t.deepEqual(heard, [20, 20, 0, 1]);
  const { roundTrips: before } = jit.statistics();
  t.is(before.callHost, 2);
  t.is(await twice(-7), -13);
  const { roundTrips: after } = jit.statistics();
  t.deepEqual(after, { ...before, callHost: 4, call: (before.call ?? 0) + 1 });
});

test('scalars of all kinds are passed and come back as C has them, on the stack too', async (t) => {
  const { jit } = await openJIT(t);
  const heard: (number | bigint)[][] = [];
  const echo = <Value>(_run: unknown, value: Value) => {
    heard.push([value as number]);
    return value;
  };
  jit.define({
    i1: { signature: 'i1(i1)', call: echo },
    i8: { signature: 'i8(i8)', call: echo },
    u8: { signature: 'u8(u8)', call: echo },
    i16: { signature: 'i16(i16)', call: echo },
    u16: { signature: 'u16(u16)', call: echo },
    i32: { signature: 'i32(i32)', call: echo },
    u32: { signature: 'u32(u32)', call: echo },
    i64: { signature: 'i64(i64)', call: echo },
    u64: { signature: 'u64(u64)', call: echo },
    f32: { signature: 'float(float)', call: echo },
    f64: { signature: 'double(double)', call: echo },
    ptr: { signature: 'ptr(ptr)', call: echo },
    many: {
      signature:
        'double(i8, double, i64, float, u16, double, ptr, double, i32, double, i32, double, u64, double, i8, double, i1, float, i16)',
      call: (_run, ...args) => {
        heard.push(args);
        return 0.5;
      },
    },
  });
  await jit.addC(`
    #include <stdbool.h>
    #include <stdint.h>
    bool i1(bool); int8_t i8(int8_t); uint8_t u8(uint8_t); int16_t i16(int16_t); uint16_t u16(uint16_t);
    int32_t i32(int32_t); uint32_t u32(uint32_t); int64_t i64(int64_t); uint64_t u64(uint64_t);
    float f32(float); double f64(double); void *ptr(void *);
    double many(int8_t, double, int64_t, float, uint16_t, double, void *, double, int32_t, double, int32_t, double,
                uint64_t, double, int8_t, double, bool, float, int16_t);
    /* How many come back as they were passed. */
    int all(void) {
      return (i1(true) == true) + (i1(false) == false) + (i8(-128) == -128) + (u8(255) == 255) + (i16(-32768) == -32768) +
        (u16(65535) == 65535) + (i32(INT32_MIN) == INT32_MIN) + (u32(UINT32_MAX) == UINT32_MAX) +
        (i64(INT64_MIN) == INT64_MIN) + (u64(UINT64_MAX) == UINT64_MAX) + (f32(-1.5f) == -1.5f) + (f64(1e300) == 1e300) +
        (ptr((void *)&all) == (void *)&all);
    }
    double pass(void) {
      return many(-1, 1.25, -2, 2.5f, 3, 3.75, (void *)4, 4.125, -5, 5.5, 6, 6.5, 7, 7.5, -8, 8.5, true, 9.5f, -10);
    }
  `);
  const all = await jit.lookup('all', 'i32()');
  t.is(await all(), 13);
  const address = (await jit.findSymbol('all'))?.address;
  t.deepEqual(heard.flat(), [
    1,
    0,
    -128,
    255,
    -32768,
    65535,
    -(2 ** 31),
    2 ** 32 - 1,
    -(2n ** 63n),
    2n ** 64n - 1n,
    -1.5,
    1e300,
    address,
  ]);
  heard.length = 0;
  const pass = await jit.lookup('pass', 'double()');
  t.is(await pass(), 0.5);
  t.deepEqual(heard, [
    [-1, 1.25, -2n, 2.5, 3, 3.75, 4n, 4.125, -5, 5.5, 6, 6.5, 7n, 7.5, -8, 8.5, 1, 9.5, -10],
  ]);
});

test('what a value has beside its own bits is not looked at', async (t) => {
  const { jit } = await openJIT(t);
  const heard: number[] = [];
  jit.define({
    narrow: {
      signature: 'i8(i8, u16, i1)',
      call: (_run, ...values) => {
        heard.push(...values);
        return 255;
      },
    },
  });
  // A caller that passes 32 bits of each, and takes back as many.
  await jit.addIR(`
    declare i32 @narrow(i32, i32, i32)
    define i32 @f() {
      %r = call i32 @narrow(i32 4607, i32 -1, i32 -1)
      ret i32 %r
    }
  `);
  const f = await jit.lookup('f', 'i32()');
  t.is(await f(), -1);
  t.deepEqual(heard, [-1, 65535, 1]);
});

test('errno, the floating-point mode and the registers that a call keeps stay as they were', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ ask: { signature: 'void()', call: async () => delay(1) } });
  await jit.addC(`
    #include <errno.h>
    #include <fenv.h>
    void ask(void);
    long f(long a, long b, long c, long d, long e) {
      errno = 77;
      fesetround(FE_UPWARD);
      ask();
      long kept = errno == 77 && fegetround() == FE_UPWARD;
      fesetround(FE_TONEAREST);
      return kept ? a + 2 * b + 3 * c + 4 * d + 5 * e : -1;
    }
  `);
  const f = await jit.lookup('f', 'i64(i64, i64, i64, i64, i64)');
  t.is(await f(1, 10, 100, 1000, 10000), 54321n);
});

test('Kaleidoscope reaches it by extern, by its name alone too, and is told when it takes something else', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({
    half: { signature: 'double(double)', call: async (_run, x) => x / 2 },
    whole: { signature: 'i32(i32)', call: (_run, x) => x },
  });
  t.deepEqual(await evaluateAll(jit, 'extern half(x); def f(x) half(x) + half(half(x)); f(8);'), [6]);
  const results = await jit.addSource('extern whole(x); whole(1);');
  t.is(results[0]?.status, 'rejected');
  t.regex(
    String((results[0] as PromiseRejectedResult).reason),
    /'whole' is i32\(i32\), and only functions of doubles/,
  );
});

test('it is called from outside as any other function', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ triple: { signature: 'i64(i64)', call: (_run, x) => 3n * x } });
  const triple = await jit.lookup('triple');
  t.deepEqual(triple.signature, { result: 'i64', parameters: ['i64'] });
  t.is(await triple(14), 42n);
  await t.throwsAsync(jit.lookup('triple', 'i64(i64, i64)'), { message: /triple is i64\(i64\)/ });
});

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

test('what it throws, or its promise is rejected with, rejects the call that its thread was in', async (t) => {
  const { jit } = await openJIT(t);
  const thrown: unknown[] = [
    new RangeError('too far'),
    undefined,
    'a text',
    null,
    { toString: () => 'an object' },
    Object.create(null),
  ];
  jit.define({
    fail: {
      signature: 'void(i32)',
      call: (_run, index) => {
        throw thrown[index];
      },
    },
    reject: { signature: 'void(i32)', call: (_run, index) => Promise.reject(thrown[index]) },
  });
  await jit.addC(`
    void fail(int); void reject(int);
    int f(int x) { fail(x); return 1; }
    int g(int x) { reject(x); return 1; }
    int h(void) { return 2; }
  `);
  const h = await jit.lookup('h', 'i32()');
  const processId = jit.runner.processId;
  for (const [name, callee] of [
    ['f', 'fail'],
    ['g', 'reject'],
  ] as const) {
    const call = await jit.lookup(name, 'i32(i32)');
    for (const [index, cause] of thrown.entries()) {
      const words =
        index === 5 ? 'something without words' : cause instanceof Error ? cause.message : String(cause);
      const message = `${callee} has thrown: ${words}`;
      const error = await t.throwsAsync(call(index), {
        instanceOf: HostFunctionError,
        code: 'HOST_FUNCTION_FAILED',
        message,
      });
      t.true(error !== undefined && 'cause' in error);
      t.is(error?.cause, cause);
      t.is(error?.symbol, callee);
      t.is(await h(), 2);
    }
  }
  t.is(jit.runner.processId, processId, 'the runner is the same');
});

test('what it throws is no exception of C++, and ends a program', async (t) => {
  const { jit, printed } = await openJIT(t, CPP_LIBRARY);
  const cause = new Error('no more');
  jit.define({
    fail: {
      signature: 'void()',
      call: () => {
        throw cause;
      },
    },
  });
  await jit.addC(
    `
    #include <cstdio>
    extern "C" void fail(void);
    extern "C" int f(void) {
      try { fail(); } catch (...) { std::printf("caught\\n"); std::fflush(stdout); }
      return 1;
    }
    extern "C" int g(void) noexcept { fail(); return 1; }
    int main() {
      std::printf("begun\\n");
      try { return f(); } catch (...) { std::printf("caught\\n"); }
    }
  `,
    { language: 'c++' },
  );
  for (const name of ['f', 'g']) {
    const call = await jit.lookup(name, 'i32()');
    const error = await t.throwsAsync(call(), { code: 'HOST_FUNCTION_FAILED' });
    t.is(error?.cause, cause);
  }
  t.is(printed(), '');
  const error = await t.throwsAsync(jit.runProgram(), {
    code: 'HOST_FUNCTION_FAILED',
    message: 'fail has thrown: no more',
  });
  t.is(error?.cause, cause);
  t.is(printed(), 'begun\n');
  const g = await jit.lookup('g', 'i32()');
  await t.throwsAsync(g(), { code: 'HOST_FUNCTION_FAILED' });
});

test('on a thread of the program it ends the program, from whichever thread', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ fail: { signature: 'void()', call: () => Promise.reject(new Error('in a thread')) } });
  await jit.addC(`
    #include <pthread.h>
    void fail(void);
    static void *run(void *x) { fail(); return x; }
    int main(void) {
      pthread_t thread;
      pthread_create(&thread, 0, run, 0);
      pthread_join(thread, 0);
      return 0;
    }
  `);
  await t.throwsAsync(jit.runProgram(), {
    code: 'HOST_FUNCTION_FAILED',
    message: 'fail has thrown: in a thread',
  });
});

test('what it gives is of its type, or the call fails with the type and what it was', async (t) => {
  const { jit } = await openJIT(t);
  const given: [string, unknown, string | undefined][] = [
    ['i32', 'a', 'string, not a number or bigint: its result is i32'],
    ['i32', undefined, 'undefined, not a number or bigint: its result is i32'],
    ['i32', 1.5, '1.5, not an integer: its result is i32'],
    ['i32', 2 ** 33, '8589934592, which does not fit i32: its result is i32'],
    ['i32', true, 'boolean, not a number or bigint: its result is i32'],
    ['u8', -1, '-1, which does not fit u8: its result is u8'],
    ['u8', 255n, undefined],
    ['i8', 255, undefined],
    ['i1', true, undefined],
    ['i1', 2, '2, which does not fit i1: its result is i1'],
    ['ptr', null, undefined],
    ['ptr', 'text', 'string, not a number or bigint: its result is ptr'],
    ['i64', 2 ** 60, `${2 ** 60}, which a number does not hold exactly; pass a bigint: its result is i64`],
    ['double', '1', 'string, not a number or bigint: its result is double'],
    ['double', 1n, undefined],
    ['void', 'whatever', undefined],
  ];
  for (const [index, [result, value, wrong]] of given.entries())
    for (const how of ['at once', 'later']) {
      const name = `f${index}_${how === 'later'}`;
      // Not of the type, on purpose.
      const call = (() => (how === 'later' ? Promise.resolve(value) : value)) as () => undefined;
      jit.define({ [name]: { signature: { result: result as 'void', parameters: [] }, call } });
      const f: JITCallable = await jit.lookup(name);
      if (wrong === undefined) await t.notThrowsAsync(f(), `${result} ${String(value)}`);
      else
        await t.throwsAsync(f(), { instanceOf: HostFunctionError, message: `${name} has returned ${wrong}` });
    }
});

test('a signature of what is not passed is refused by name, and what is no function', async (t) => {
  const { jit } = await openJIT(t);
  const define = (definition: object) => () => {
    jit.define({
      fine: { signature: 'void()', call: () => {} },
      f: definition as { signature: 'void()'; call(): void },
    });
  };
  const call = () => 0;
  for (const [signature, words] of [
    [
      'void({i32, i32})',
      /^f cannot be a function in JavaScript: its signature void\({i32, i32}\) has a struct for parameter 1/,
    ],
    ['{double}()', /has a struct for its result: pass a ptr to it$/],
    ['void(inout ptr)', /has an inout ptr for parameter 1: it is a ptr/],
    [`void(${new Array(32).fill('i32').join(', ')})`, /has 32 parameters, and there is room for 31$/],
  ] as const)
    t.throws(define({ signature, call }), { code: 'BAD_ARGUMENT', message: words });
  t.throws(define({ signature: 'void(', call }), { instanceOf: SignatureError });
  t.throws(define({ signature: 'void()' }), { code: 'BAD_ARGUMENT', message: /^functions\.f/ });
  t.throws(define({ signature: 5, call }), { code: 'BAD_ARGUMENT', message: /^functions\.f/ });
  t.throws(define({ signature: 'void()', call, cal: 1 }), { code: 'BAD_ARGUMENT', message: /^functions\.f/ });
  t.throws(() => jit.define({ '': { signature: 'void()', call: () => {} } }), { code: 'BAD_ARGUMENT' });
  t.throws(() => jit.define(null as unknown as Record<never, never>), { code: 'BAD_ARGUMENT' });
  t.deepEqual(jit.definedNames(), [], 'nothing of what was refused is there');
  await jit.addC('int taken(void) { return 1; }');
  t.throws(() => jit.define({ fine: { signature: 'i32()', call }, taken: { signature: 'i32()', call } }), {
    code: 'LINK_ERROR',
    message: /taken/,
  });
  t.deepEqual(jit.definedNames(), ['taken']);
  jit.define({
    most: { signature: `i32(${new Array(31).fill('i32').join(', ')})`, call: (_run, ...args) => args.length },
  });
  const most = await jit.lookup('most');
  t.is(await most(...new Array(31).fill(0)), 31);
});

test('an executor that calls none is told of when one is defined', async (t) => {
  const { transport, ended } = startVersion2Executor();
  t.teardown(() => ended);
  const { jit } = await openJIT(t, { executor: transport });
  t.throws(() => jit.define({ f: { signature: 'void()', call: () => {} } }), {
    code: 'FEATURE_MISSING',
    message:
      /^f is not defined: the executor \(farjit-executor [\d.]+\) is of a release that calls no functions in JavaScript$/,
  });
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

test('what the program has flushed before is heard before', async (t) => {
  const order: string[] = [];
  const { jit } = await openJIT(t, {
    onOutput: (_stream, content) => {
      order.push(Buffer.from(content).toString());
    },
  });
  jit.define({ say: { signature: 'void(i32)', call: (_run, x) => void order.push(`${x}`) } });
  await jit.addC(`
    #include <unistd.h>
    void say(int);
    void f(void) { for (int i = 0; i < 3; i++) { write(1, "written", 7); say(i); } }
  `);
  await (await jit.lookup('f', 'void()'))();
  t.deepEqual(order, ['written', '0', 'written', '1', 'written', '2']);
});

test('dylibs have their own of a name', async (t) => {
  const { jit } = await openJIT(t);
  const other = jit.createDylib('other');
  jit.define({ which: { signature: 'i32()', call: () => 1 } });
  other.define({ which: { signature: 'i32()', call: () => 2 } });
  for (const dylib of [jit.mainDylib, other])
    await dylib.addC('int which(void); int f(void) { return which(); }');
  t.is(await (await jit.lookup('f', 'i32()'))(), 1);
  t.is(await (await other.lookup('f', 'i32()'))(), 2);
});

test('a `this` and a state of its own: the object that it is of', async (t) => {
  const jit = await JIT.create();
  t.teardown(() => jit.close());
  class Counter {
    readonly signature = 'i32(i32)';
    #sum = 0;
    call(_run: unknown, x: number) {
      this.#sum += x;
      return this.#sum;
    }
  }
  jit.define({ count: new Counter() });
  const count = await jit.lookup('count', 'i32(i32)');
  await count(1);
  t.is(await count(2), 3);
});

test('TypeScript reads the words: it refuses what a function is not given, and what it may not give', (t) => {
  // Never called: it is the build that fails.
  const typed = (jit: JIT): void => {
    jit.define({
      fine: { signature: 'i64(i32, ptr)', call: (_run, x: number, p: bigint) => (p > 0n ? x : p) },
      later: { signature: 'i1(double)', call: async (_run, x) => x > 1 },
      nothing: { signature: 'void()', call: () => 'whatever' },
    });
    const result: string = jit.define({
      // @ts-expect-error a text is no i32.
      text: { signature: 'i32()', call: () => 'text' },
    }).names[0] as string;
    jit.define({
      // @ts-expect-error a pointer comes as a bigint.
      pointer: { signature: 'void(ptr)', call: (_run, p: number) => p + result.length },
    });
    jit.define({
      // @ts-expect-error it is given one argument.
      more: { signature: 'void(i32)', call: (_run, x: number, y: number) => x + y },
    });
    jit.define({
      // @ts-expect-error a promise of a text is none of an i32.
      promised: { signature: 'i32()', call: async () => 'text' },
    });
  };
  t.is(typed.length, 1);
});
