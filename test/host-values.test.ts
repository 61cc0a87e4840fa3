import { setTimeout as delay } from 'node:timers/promises';
import { HostFunctionError, type JIT, type JITCallable, SignatureError } from '@farjit/compiler';
import test from 'ava';
import { openJIT } from './jit-fixture.js';

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
