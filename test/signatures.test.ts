// More than 400 lines: cases that share what stands before them, each by itself.

import {
  ArgumentError,
  type CArgument,
  type FieldKind,
  formatSignature,
  type JIT,
  SignatureError,
  type StructKind,
} from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { openJIT } from './jit-fixture.js';

async function withC(t: ExecutionContext, source: string): Promise<JIT> {
  const { jit } = await openJIT(t);
  await jit.addC(source, { name: 'functions.c' });
  return jit;
}

test('strings and arrays are there for the call, and what is inout comes back', async (t) => {
  const jit = await withC(
    t,
    `#include <stddef.h>
     #include <stdint.h>
     #include <string.h>
     size_t length(const char *s) { return s ? strlen(s) : 99; }
     double sum(const double *v, size_t n) { double s = 0; for (size_t i = 0; i < n; i++) s += v[i]; return s; }
     void scale(float *v, size_t n, float by) { for (size_t i = 0; i < n; i++) v[i] *= by; }
     char *upper(char *to, const char *s) { for (size_t i = 0; s[i]; i++) to[i] = s[i] & ~32; return to; }
     uintptr_t distance(const char *a, const char *b) { return a > b ? a - b : b - a; }`,
  );
  const length = await jit.lookup('length', 'u64(ptr)');
  t.is(await length('größe'), 7n);
  t.is(await length(''), 0n);
  t.is(await length(null), 99n);
  t.is(await length(0n), 99n);
  const sum = await jit.lookup('sum', 'double(ptr, u64)');
  t.is(await sum(Float64Array.of(1, 2, 3.5), 3), 6.5);
  t.is(await sum(Float64Array.of(9, 1, 2).subarray(1), 2), 3);
  const scale = await jit.lookup('scale', 'void(inout ptr, u64, float)');
  const values = Float32Array.of(1, 2, 3);
  t.is(await scale(values.subarray(1), 2, 10), undefined);
  t.deepEqual(values, Float32Array.of(1, 20, 30));
  // Without inout nothing comes back.
  const inVain = await jit.lookup('scale', 'void(ptr, u64, float)');
  await inVain(values, 3, 10);
  t.deepEqual(values, Float32Array.of(1, 20, 30));
  const upper = await jit.lookup('upper', 'ptr(inout ptr, ptr)');
  const text = Buffer.alloc(5);
  const result = await upper(text, 'abcd');
  t.is(text.toString(), 'ABCD\0');
  t.is(typeof result, 'bigint');
  // Two empty ones are two.
  const distance = await jit.lookup('distance', 'u64(ptr, ptr)');
  t.not(await distance(new Uint8Array(), new Uint8Array()), 0n);
});

test('what is passed is what it was when the call was made, and its memory is given back', async (t) => {
  const jit = await withC(t, 'unsigned char first(const unsigned char *v) { return v[0]; }');
  const first = await jit.lookup('first', 'u8(ptr)');
  await first(Uint8Array.of(1));
  const before = jit.allocatedBytes;
  const bytes = new Uint8Array(3_500_000).fill(200);
  const called = first(bytes);
  bytes.fill(7);
  t.is(await called, 200);
  await t.throwsAsync(first(new Uint8Array(9_000_000)), {
    instanceOf: ArgumentError,
    message: /take 9000000 bytes, a call takes/,
  });
  const inout = await jit.lookup('first', 'u8(inout ptr)');
  await t.throwsAsync(inout(bytes), {
    instanceOf: ArgumentError,
    message: /to be read back takes 3500000 bytes/,
  });
  t.is(jit.allocatedBytes, before);
  t.is(jit.runner.generation, 1);
});

test('integers without a sign', async (t) => {
  const jit = await withC(
    t,
    `int wide(unsigned char a, unsigned short b) { return a * 65536 + b; }
     unsigned minus(unsigned x) { return -x; }
     unsigned long most(void) { return -1; }
     unsigned short small(void) { return -1; }`,
  );
  t.is(await (await jit.lookup('wide', 'i32(u8, u16)'))(255, 65535), 0xff_ffff);
  t.is(await (await jit.lookup('minus', 'u32(u32)'))(1), 0xffff_ffff);
  t.is(await (await jit.lookup('minus', 'i32(u32)'))(1), -1);
  t.is(await (await jit.lookup('most', 'u64()'))(), 0xffff_ffff_ffff_ffffn);
  t.is(await (await jit.lookup('small', 'u16()'))(), 65535);
});

const SCALARS = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'float', 'double', 'i1'] as const;
const C_TYPES: Readonly<Record<string, string>> = {
  i1: '_Bool',
  i8: 'signed char',
  u8: 'unsigned char',
  i16: 'short',
  u16: 'unsigned short',
  i32: 'int',
  u32: 'unsigned',
  i64: 'long',
  u64: 'unsigned long',
  float: 'float',
  double: 'double',
};

/** Functions of values of many kinds, in C: `sumN` weighs all that it is given, `pickN` gives one of it back. */
function manyFunctions(count: number) {
  let state = 12345;
  const random = (below: number) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const structs: string[] = [];
  const declare = (kind: FieldKind, name: string): string => {
    if (typeof kind === 'string') return `${C_TYPES[kind]} ${name}`;
    if ('element' in kind) return `${declare(kind.element, `${name}[${kind.count}]`)}`;
    const fields = kind.fields.map((field, index) => `${declare(field, `f${index}`)};`);
    structs.push(`struct s${structs.length} { ${fields.join(' ')} };`);
    return `struct s${structs.length - 1} ${name}`;
  };
  const scalar = (): FieldKind => SCALARS[random(SCALARS.length)] ?? 'i32';
  const struct = (): StructKind => ({
    fields: Array.from({ length: 1 + random(3) }, () =>
      random(5) === 0 ? { element: scalar(), count: 1 + random(3) } : random(8) === 0 ? struct() : scalar(),
    ),
  });
  let nextValue = 0;
  const terms = (kind: FieldKind, path: string, into: string[], values: number[]): CArgument => {
    if (typeof kind === 'string') {
      nextValue = (nextValue + 1) % 100;
      const value = kind === 'i1' ? 1 : nextValue;
      values.push(value);
      into.push(path);
      return value;
    }
    if ('element' in kind)
      return Array.from({ length: kind.count }, (_, i) => terms(kind.element, `${path}[${i}]`, into, values));
    return kind.fields.map((field, i) => terms(field, `${path}.f${i}`, into, values));
  };
  const functions = Array.from({ length: count }, (_, index) => {
    const parameters = Array.from({ length: 1 + random(10) }, () =>
      random(2) === 0 ? struct() : (scalar() as 'i32'),
    );
    const formal = parameters.map((kind, i) => declare(kind, `p${i}`));
    const paths: string[] = [];
    const values: number[] = [];
    const args = parameters.map((kind, i) => terms(kind, `p${i}`, paths, values));
    const picked = random(parameters.length);
    const resultType = (formal[picked] ?? '').replace(/ p\d+$/, '');
    const weighted = paths.map((path, i) => `${i + 1}.0 * ${path}`).join(' + ');
    return {
      c: `double sum${index}(${formal.join(', ')}) { return ${weighted}; }
${resultType} pick${index}(${formal.join(', ')}) { return p${picked}; }`,
      index,
      parameters,
      args,
      picked,
      sum: values.reduce((total, value, i) => total + (i + 1) * value, 0),
    };
  });
  return { source: `${structs.join('\n')}\n${functions.map(({ c }) => c).join('\n')}\n`, functions };
}

/** What a value comes back as: 64-bit integers are bigints. */
function back(kind: FieldKind, value: CArgument): unknown {
  if (typeof kind === 'string') return kind.endsWith('64') ? BigInt(value as number) : value;
  const items = value as readonly CArgument[];
  return items.map((item, i) => back('element' in kind ? kind.element : (kind.fields[i] ?? 'i32'), item));
}

test('structs by value arrive and come back as clang passes them, in registers and in memory', async (t) => {
  const { source, functions } = manyFunctions(60);
  const jit = await withC(t, source);
  for (const { index, parameters, args, picked, sum } of functions) {
    const kind = parameters[picked] ?? 'i32';
    const words = formatSignature({ result: kind, parameters });
    const sumUp = await jit.lookup(`sum${index}`, { result: 'double', parameters });
    t.is(await sumUp(...args), sum, words);
    const pick = await jit.lookup(`pick${index}`, words);
    t.deepEqual(await pick(...args), back(kind, args[picked] ?? 0) as never, words);
  }
  t.is(jit.runner.generation, 1);
});

test('a struct of C has pointers to what it is given, also where it is in memory', async (t) => {
  const jit = await withC(
    t,
    `struct names { const char *first; const char *last; int count; };
     int both(struct names n) { return n.first[0] * 1000 + n.last[1] + n.count; }
     struct point { double x, y, z; };
     struct point turned(struct point p) { return (struct point){ p.y, -p.x, p.z }; }
     struct div { int quotient, rest; };
     struct div divided(int a, int b) { return (struct div){ a / b, a % b }; }`,
  );
  const both = await jit.lookup('both', 'i32({ptr, ptr, i32})');
  t.is(await both(['a', 'bc', 7]), 97 * 1000 + 99 + 7);
  const turned = await jit.lookup('turned', '{double, double, double}({double, double, double})');
  t.deepEqual(await turned([1, 2, 3]), [2, -1, 3]);
  const divided = await jit.lookup('divided', '{i32, i32}(i32, i32)');
  t.deepEqual(await divided(17, 5), [3, 2]);
});

test('data is refused, whatever signature it is given', async (t) => {
  const jit = await withC(t, 'int g; int h = 5; int f(void) { return g + h; }');
  for (const name of ['g', 'h'])
    for (const signature of ['i32()', undefined])
      await t.throwsAsync(jit.lookup(name, signature), {
        instanceOf: ArgumentError,
        message: `${name} is data, not a function to call`,
      });
  t.is(await (await jit.lookup('f'))(), 5);
});

test('a function whose structs are in memory is called with a signature, and not without; nor is one of ms_abi', async (t) => {
  const jit = await withC(
    t,
    `struct B { long a[4]; };
     long b(struct B x) { return x.a[3]; }
     struct B rb(long i) { return (struct B){ { i, i + 1, i + 2, i + 3 } }; }
     long other(struct B x) __attribute__((alias("b")));
     long plain(struct B *x) { return x->a[2]; }
     __attribute__((ms_abi)) long elsewhere(long a, long b) { return a * 10 + b; }`,
  );
  for (const name of ['b', 'rb', 'other', 'elsewhere'])
    await t.throwsAsync(jit.lookup(name), {
      code: 'NO_SIGNATURE',
      message: `the signature of ${name} is not known; pass one, or declare it extern`,
    });
  const longs = [1, 2, 3, 4];
  t.is(await (await jit.lookup('b', 'i64({[4 x i64]})'))([longs]), 4n);
  t.is(await (await jit.lookup('other', 'i64({[4 x i64]})'))([longs]), 4n);
  t.deepEqual(await (await jit.lookup('rb', '{[4 x i64]}(i64)'))(1), [[1n, 2n, 3n, 4n]]);
  t.is(await (await jit.lookup('plain'))(BigInt64Array.of(1n, 2n, 3n)), 3n);
});

const STRUCTS = `
struct S { int a; long b; };
struct B { long a[4]; };
struct F { float x, y; };
struct M { long a; double b; };
struct C { char c[3]; };
union U { double d; float f; long l[2]; };
union E { float f; double d; };
struct D { double x, y; };
struct Y { float x, y, z; };
struct __attribute__((aligned(16))) A { long a; };
long s(struct S x) { return x.a * 10 + x.b; }
long b(struct B x) { return x.a[3]; }
struct B rb(long i) { return (struct B){ { i, i + 1, i + 2, i + 3 } }; }
float f(struct F x) { return x.x * 10 + x.y; }
double m(struct M x) { return x.a * 10 + x.b; }
struct M rm(long a, double b) { return (struct M){ a, b }; }
int c(struct C x) { return x.c[0] * 100 + x.c[1] * 10 + x.c[2]; }
double u(union U x) { return x.d; }
float e(union E x) { return x.f; }
float _Complex z(float _Complex x) { return x; }
double _Complex zz(double _Complex x) { return x; }
int many(long a, long b, long c, long d, long e, struct S s, int f, struct C g) { return s.a * 100 + s.b * 10 + f + g.c[2]; }
double y(struct Y x, struct D v, struct D w, struct D o, struct D last) { return x.z * 100 + v.y * 10 + last.x; }
long a(struct A x) { return x.a; }
_Bool both(struct { _Bool a; _Bool b; } x) { return x.a && x.b; }
long double wide(long double x) { return x; }
void none(struct M x) {}
`;

test('a signature with structs that passes what the function takes is taken', async (t) => {
  const jit = await withC(t, STRUCTS);
  const S = [3, 4];
  for (const [name, signature, args, result] of [
    ['s', 'i64({i32, i64})', [S], 34n],
    ['s', 'u64({u32, i64})', [S], 34n],
    ['s', 'i64(i32, i64)', S, 34n],
    ['b', 'i64({[4 x i64]})', [[[1, 2, 3, 4]]], 4n],
    ['b', 'i64({i64, {i64, i64}, u64})', [[1, [2, 3], 4]], 4n],
    ['rb', '{i64, i64, i64, i64}(i64)', [1], [1n, 2n, 3n, 4n]],
    ['rb', 'void(inout ptr, i64)', [new BigInt64Array(4), 1], undefined],
    ['f', 'float({float, float})', [S], 34],
    ['f', 'float({[2 x float]})', [[S]], 34],
    ['m', 'double({i64, double})', [S], 34],
    ['rm', '{i64, double}(i64, double)', S, [3n, 4]],
    ['c', 'i32({i8, i8, i8})', [[1, 2, 3]], 123],
    ['c', 'i32({[3 x i8]})', [[[1, 2, 3]]], 123],
    ['e', 'float({float})', [[3]], 3],
    ['z', '{float, float}({float, float})', [S], S],
    ['zz', '{double, double}({double, double})', [S], S],
    [
      'many',
      'i32(i64, i64, i64, i64, i64, {i32, i64}, i32, {i8, i8, i8})',
      [1, 2, 3, 4, 5, S, 6, [7, 8, 9]],
      355,
    ],
    [
      'y',
      'double({float, float, float}, {double, double}, {double, double}, {double, double}, {double, double})',
      [[1, 2, 3], S, S, S, S],
      343,
    ],
    ['a', 'i64({i64})', [[5]], 5n],
    ['both', 'i1({i1, i1})', [[1, 1]], 1],
    ['none', 'void({i64, double})', [S], undefined],
  ] as const) {
    const callable = await jit.lookup(name, signature);
    t.deepEqual(
      await callable(...(args as readonly CArgument[])),
      result as never,
      `${name} as ${signature}`,
    );
  }
  t.is(jit.runner.generation, 1);
});

test('a signature with structs that passes anything else is refused', async (t) => {
  const jit = await withC(t, `${STRUCTS}double scalars(double x, long y) { return x; }`);
  for (const [name, signatures, words] of [
    [
      's',
      [
        'i64({double, double})',
        'i64({i32, i32, i64})',
        'i64({i32})',
        'i64({double, i64})',
        'i64(i64, i64)',
        'i64({i32, i64}, i64)',
        'double({i32, i64})',
        '{i64, i64}({i32, i64})',
      ],
      'i64(i32, i64): give that, or none',
    ],
    [
      'b',
      ['i64(ptr)', 'i64({[3 x i64]})', 'i64({[5 x i64]})', 'i64({[2 x i64]})', 'i64()'],
      'i64(32 bytes in memory)',
    ],
    [
      'rb',
      ['{[2 x i64]}(i64)', '{[3 x i64]}(i64)', 'i64(i64)', 'void(i64)', 'double(ptr, i64)'],
      '32 bytes in memory(i64)',
    ],
    [
      'f',
      ['float({i32, float})', 'float({float, float, float})', 'float(float, float)', 'float(float)'],
      'float(double or two floats)',
    ],
    [
      'm',
      ['double({double, i64, i64})', 'double({double, double})', 'double({i64, i64})'],
      'double(i64, double): give that, or none',
    ],
    [
      'rm',
      ['{double, double}(i64, double)', '{i64, i64}(i64, double)', '{i32}(i64, double)', 'i64(i64, double)'],
      '{i64, double or two floats}(i64, double or two floats)',
    ],
    [
      'scalars',
      ['double({double, double})', 'double({double}, {double})', '{i64}(double, i64)'],
      'double(double, i64): give that, or none',
    ],
  ] as const)
    for (const signature of signatures)
      await t.throwsAsync(
        jit.lookup(name, signature),
        { instanceOf: ArgumentError, message: `signature is ${signature}, and ${name} is ${words}` },
        `${name} as ${signature}`,
      );
  t.is(await (await jit.lookup('scalars', 'double({double}, {i64})'))([5], [6]), 5);
});

/** What the functions take that are given what does not fit it. */
const TAKEN = {
  'void(ptr)': 'void *',
  'void(inout ptr)': 'void *',
  'void(i32)': 'int',
  'void({i32, i8})': 'struct { int i; char c; }',
  'void({[2 x i8]})': 'struct { char c[2]; }',
} as const;

for (const [signature, args, message] of [
  ['void(ptr)', ['a\0b'], 'f: argument 1 contains a NUL, with which a string ends in C'],
  ['void(ptr)', ['\ud800'], 'f: argument 1 contains a lone surrogate, which UTF-8 has not'],
  [
    'void(ptr)',
    [[1]],
    'f: argument 1 is object: give an address, null, a string or a view of an ArrayBuffer',
  ],
  ['void(i32)', ['text'], 'f: argument 1 is no number'],
  ['void(inout ptr)', ['text'], 'f: argument 1 is no array of numbers for the function to write to'],
  ['void(inout ptr)', [0n], 'f: argument 1 is no array of numbers for the function to write to'],
  ['void({i32, i8})', [1], 'f: argument 1 is no array with the 2 items of the struct'],
  ['void({i32, i8})', [[1]], 'f: argument 1 has 1 items, the struct has 2'],
  ['void({i32, i8})', [[1, 1000]], 'f: argument 1, item 2 is 1000, which does not fit i8'],
  ['void({[2 x i8]})', [[[1, 1.5]]], 'f: argument 1, item 1, item 2 is 1.5, not an integer'],
] as const)
  test(`${signature} of ${JSON.stringify(args, (_, v) => (typeof v === 'bigint' ? `${v}` : v))} is refused`, async (t) => {
    const jit = await withC(t, `void f(${TAKEN[signature]} x) {}`);
    const f = await jit.lookup('f', signature);
    await t.throwsAsync(f(...(args as readonly CArgument[])), { instanceOf: ArgumentError, message });
    t.is(jit.statistics().wrappersCompiled, 0);
  });

test('an array whose buffer is gone is refused', async (t) => {
  const jit = await withC(t, 'void f(void *x) {}');
  for (const signature of ['void(ptr)', 'void(inout ptr)'] as const) {
    const f = await jit.lookup('f', signature);
    const array = new Int32Array(4);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    await t.throwsAsync(f(array), {
      instanceOf: ArgumentError,
      message: 'f: argument 1 is an array whose buffer has been transferred',
    });
  }
});

test('two arrays to be read back have no memory in common', async (t) => {
  const jit = await withC(t, 'void f(int *a, int *b) { a[0] = b[0]; b[1] = 7; }');
  const f = await jit.lookup('f', 'void(inout ptr, inout ptr)');
  const array = Int32Array.of(1, 2, 3, 4);
  for (const [a, b] of [
    [array, array],
    [array.subarray(0, 3), array.subarray(2)],
    [array, new DataView(array.buffer, 4, 1)],
  ] as const)
    await t.throwsAsync(f(a, b), {
      instanceOf: ArgumentError,
      message:
        'f: argument 2 has memory in common with f: argument 1: the function would write to two copies of it',
    });
  t.deepEqual([...array], [1, 2, 3, 4]);
  await f(array.subarray(0, 2), array.subarray(2));
  t.deepEqual([...array], [3, 2, 3, 7]);
});

test('an array that is in itself is refused', async (t) => {
  const jit = await withC(t, 'void f(struct { int i; } s) {}');
  const f = await jit.lookup('f', 'void({i32})');
  const endless: [number] = [0];
  endless[0] = endless as unknown as number;
  await t.throwsAsync(f(endless), {
    instanceOf: ArgumentError,
    message: /is in more arrays than there are types/,
  });
});

test('words that are no signature are refused before anything is looked up', async (t) => {
  const { jit } = await openJIT(t);
  await t.throwsAsync(jit.lookup('nowhere', 'i32(int)'), { instanceOf: SignatureError });
});
