import { ExecutionTrapError } from '@farjit/compiler';
import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: ['i32'] } as const;
const NO_ARGUMENTS = { result: 'i32', parameters: [] } as const;

const SOURCE = `
static int resolved;
static int one(int x) { return x + 1; }
int two(int x) { return x + 2; }
static int (*pick(void))(int) { return ++resolved > 1 ? one : two; }
int f(int x) __attribute__((ifunc("pick")));
static int inner(int x) __attribute__((ifunc("pick_inner")));
static int (*pick_inner(void))(int) { return one; }
int (*table[])(int) = {f};
int call_table(int x) { return table[0](x); }
int call_inner(int x) { return inner(x); }
int is_same(int (*other)(int)) { return table[0] == f && other == f; }
int count(void) { return resolved; }
void end(void) { __builtin_trap(); }`;
const OTHER = `
int f(int x);
int is_same(int (*other)(int));
int call_other(int x) { return f(x); }
int is_one(void) { return is_same(f); }`;

const ADD = {
  'gcc -O0': (source: string) => compile(source, ['-O0', '-fPIC']),
  'gcc, a section for each': (source: string) => compile(source, ['-O2', '-fPIC', '-ffunction-sections']),
  'gcc’s defaults': (source: string) => compile(source, ['-O1', '-fPIE']),
} as const;

for (const [what, objectOf] of [...Object.entries(ADD), ['clang’s IR', undefined] as const])
  test(`an indirect function is resolved at its first call, once in each runner, and has one address: ${what}`, async (t) => {
    const { jit } = await openJIT(t);
    for (const [index, source] of [SOURCE, OTHER].entries())
      await (objectOf ? jit.addObject(objectOf(source)) : jit.addC(source, { name: `${index}.c` }));
    const ints = async (name: string, ...args: number[]) =>
      (await jit.lookup(name, args.length === 0 ? NO_ARGUMENTS : INT))(...args);
    t.is((await jit.findSymbol('f'))?.kind, 'function');
    for (let generation = 1; generation <= 2; generation++) {
      t.is(await ints('count'), 0);
      t.is(await ints('f', 10), 12);
      t.is(await ints('call_table', 20), 22);
      t.is(await ints('call_other', 30), 32);
      t.is(await ints('call_inner', 40), 41);
      t.is(await ints('is_one'), 1);
      t.is(await ints('count'), 1);
      t.is(jit.runner.generation, generation);
      const end = await jit.lookup('end', { result: 'void', parameters: [] });
      await t.throwsAsync(end(), { instanceOf: ExecutionTrapError });
    }
  });

test('what a resolver does is not in the way of the arguments of the call that runs it', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile(
    `#include <stdarg.h>
     static double sum(int n, ...) {
       va_list list; va_start(list, n); double all = n;
       for (int i = 0; i < 7; i++) all += va_arg(list, int) * 10 + va_arg(list, double);
       va_end(list);
       return all;
     }
     static void *pick(void) {
       __asm__ volatile("xor %%rdi, %%rdi; xor %%rsi, %%rsi; xor %%rdx, %%rdx; xor %%rcx, %%rcx; xor %%r8, %%r8;"
         "xor %%r9, %%r9; xor %%r10, %%r10; xor %%r11, %%r11;"
         "pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2; pxor %%xmm3, %%xmm3;"
         "pxor %%xmm4, %%xmm4; pxor %%xmm5, %%xmm5; pxor %%xmm6, %%xmm6; pxor %%xmm7, %%xmm7"
         ::: "rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
       return sum;
     }
     double f(int n, ...) __attribute__((ifunc("pick")));
     int ask(int n) { return (int)f(n, 1, .5, 2, .5, 3, .5, 4, .5, 5, .5, 6, .5, 7, .5); }`,
    ['-O1', '-fPIC'],
  );
  await jit.addObject(object);
  const ask = await jit.lookup('ask', INT);
  t.is(await ask(1), 284);
  t.is(await ask(2), 285);
});

test('a wide vector passes through the call that resolves', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile(
    `typedef long long four __attribute__((vector_size(32)));
     __attribute__((target("avx2"))) static long long sum(four v) { return v[0] + v[1] + v[2] + v[3]; }
     __attribute__((target("avx2"))) static void *pick(void) { __asm__ volatile("vzeroall" ::: "memory"); return sum; }
     __attribute__((target("avx2"))) long long f(four v) __attribute__((ifunc("pick")));
     __attribute__((target("avx2"))) static int wide(int x) { four v = {x, 10, 100, 1000}; return (int)f(v); }
     int ask(int x) { return wide(x); }
     int has(int x) { unsigned a = 7, b, c = 0, d; __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)); return b >> 5 & 1; }`,
    ['-O1', '-fPIC', '-w'],
  );
  await jit.addObject(object);
  if ((await (await jit.lookup('has', INT))(0)) === 0) return t.pass('a processor without AVX2');
  const ask = await jit.lookup('ask', INT);
  t.is(await ask(1), 1111);
  t.is(await ask(2), 1112);
});

test('a resolver that answers null, or traps, ends the call with an error that names the indirect function', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile(
    `static void *nothing(void) { return 0; }
     static void *bad(void) { __builtin_trap(); }
     int none(int x) __attribute__((ifunc("nothing")));
     int wrong(int x) __attribute__((ifunc("bad")));
     int right(int x) { return x; }`,
    ['-O2', '-fPIC'],
  );
  await jit.addObject(object);
  const none = await t.throwsAsync((await jit.lookup('none', INT))(1), { instanceOf: ExecutionTrapError });
  t.is(none.symbol, 'none, whose resolver has answered null');
  const wrong = await t.throwsAsync((await jit.lookup('wrong', INT))(1), { instanceOf: ExecutionTrapError });
  t.is(wrong.symbol, 'bad');
  t.true(wrong.frames.some(({ symbol }) => symbol === 'wrong'));
  t.is(await (await jit.lookup('right', INT))(3), 3);
});

test('of threads that call an indirect function at once one runs the resolver, and the others wait for its answer', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile(
    `#include <pthread.h>
     #include <unistd.h>
     static int given;
     static int one(int x) { return 1; }
     static int two(int x) { return 2; }
     static void *pick(void) {
       usleep(50000);
       return __atomic_fetch_add(&given, 1, __ATOMIC_SEQ_CST) % 2 ? one : two;
     }
     int f(int x) __attribute__((ifunc("pick")));
     static pthread_barrier_t start;
     static void *ask(void *nothing) { pthread_barrier_wait(&start); return (void *)(long)f(0); }
     int different(int x) {
       pthread_t threads[8]; void *answers[8]; int count = 0;
       pthread_barrier_init(&start, 0, 8);
       for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, ask, 0);
       for (int i = 0; i < 8; i++) pthread_join(threads[i], &answers[i]);
       for (int i = 0; i < 8; i++) count += answers[i] != answers[0];
       return count * 100 + given;
     }`,
    ['-O1', '-fPIC'],
  );
  await jit.addObject(object);
  t.is(await (await jit.lookup('different', INT))(0), 1);
});

test('a resolver that could not be linked is asked again by the next call', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile(
    `void *missing(int);
     static void *pick(void) { return missing(1); }
     int f(int x) __attribute__((ifunc("pick")));
     int ask(int x) { return f(x); }`,
    ['-O1', '-fPIC', '-ffunction-sections'],
  );
  await jit.addObject(object);
  const ask = await jit.lookup('ask', INT);
  const error = await t.throwsAsync(ask(1), { code: 'MATERIALIZATION_FAILED' });
  t.regex(error.message, /no definition of "missing"/);
  await jit.addObject(
    compile('static int f(int x) { return x * 2; } void *missing(int n) { return f; }', ['-O1', '-fPIC']),
  );
  t.is(await ask(4), 8);
});
