import { ExecutionTrapError, LinkError } from '@farjit/compiler';
import test from 'ava';
import { assemble, compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: ['i32'] } as const;

test('numbers are symbols as others are, for the object that has them and for others', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    assemble('.globl answer, first\nanswer = 0x123456789a\nfirst: movabs $answer, %rax\nshr $32, %rax\nret'),
    { name: 'number.o' },
  );
  await jit.addObject(assemble('.globl second\nsecond: mov answer@GOTPCREL(%rip), %rax\nret'));
  t.is(BigInt((await jit.findSymbol('answer'))?.address ?? 0), 0x12_3456_789an);
  t.is(await (await jit.lookup('first', INT))(0), 0x12);
  t.is(await (await jit.lookup('second', INT))(0), 0x3456_789a);
});

test('the size of what goes elsewhere is known', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    assemble(`
      .section .text.f,"ax"
      .globl f
      f: mov $table@SIZE, %eax
      ret
      .section .data.table,"aw"
      .globl table
      .size table, 12
      table: .long 1, 2, 3`),
  );
  t.is(await (await jit.lookup('f', INT))(0), 12);
});

const MODELS = `
#include <stdlib.h>
int shared = 5;
static int own[3000];
static int helper(int x) { return x * 2; }
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int (*pointer)(int) = helper;
int f(int x) {
  int values[] = { 3, 1, 2 };
  qsort(values, 3, sizeof *values, compare);
  own[x] = values[0] * 100 + values[2];
  switch (x) { case 1: own[1]++; break; case 2: own[2] += 7; break; case 3: shared++; break; case 4: shared--; break; case 5: return 1; }
  return own[x] + shared + helper(x) + pointer(x) + labs(-x);
}`;

for (const model of ['small', 'medium', 'large'])
  for (const [how, flags] of [
    ['in one section', []],
    ['in sections of its own', ['-ffunction-sections', '-fdata-sections']],
  ] as const)
    test(`an object of the code model ${model} is linked, each function ${how}`, async (t) => {
      const { jit } = await openJIT(t);
      const object = compile(MODELS, ['-O1', '-fno-inline', '-fPIC', `-mcmodel=${model}`, ...flags]);
      await jit.addObject(object, { name: `${model}.o` });
      const f = await jit.lookup('f', INT);
      t.is(await f(2), 103 + 7 + 5 + 4 + 4 + 2);
      t.is(await f(3), 103 + 6 + 6 + 6 + 3);
    });

const COLD = `
#include <stdlib.h>
__attribute__((cold, noinline)) static int rare(int x) { return x - 1000; }
int f(int x) {
  int a = x * 3, b = x * 5, c = x ^ 7;
  if (__builtin_expect(x > 100, 0)) { a = rare(a); if (a == 12345) abort(); b = rare(b) + c; }
  return a + b + c;
}`;

for (const sections of [[], ['-ffunction-sections']])
  test(`a function and its cold part are one, with gcc -O2 ${sections.join(' ')}`, async (t) => {
    const { jit } = await openJIT(t);
    const object = compile(COLD, ['-O2', '-fPIC', '-freorder-blocks-and-partition', ...sections]);
    t.true(Buffer.from(object).includes('.text.unlikely'));
    await jit.addObject(object);
    const f = await jit.lookup('f', INT);
    t.is(await f(1), 3 + 5 + 6);
    t.is(await f(200), 600 - 1000 + (1000 - 1000 + (200 ^ 7)) + (200 ^ 7));
  });

test('what is for another machine, or for 32 bits, is refused by name', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile('int f(int x) { return x; }', ['-O1', '-fPIC']);
  const foreign = object.slice();
  foreign[18] = 183;
  await t.throwsAsync(jit.addObject(foreign, { name: 'arm.o' }), {
    instanceOf: LinkError,
    message: /^arm\.o: there is no linker for ELF machine 183 \(AArch64\)$/,
  });
  const short = object.slice();
  short[4] = 1;
  await t.throwsAsync(jit.addObject(short, { name: 'x32.o' }), {
    instanceOf: LinkError,
    message: /^x32\.o: the object is not 64-bit little-endian ELF$/,
  });
  t.deepEqual(jit.definedNames(), []);
});

const NESTED = `
static __attribute__((noinline)) int apply(int (*fn)(int), int x) { return fn(x); }
int f(int x) { int add(int y) { return x + y; } return apply(add, 4); }`;

test('code on the stack is refused by name when its object says that it has some', async (t) => {
  const { jit } = await openJIT(t);
  const error = await t.throwsAsync(jit.addObject(compile(NESTED, ['-O1', '-fPIC']), { name: 'nested.o' }), {
    instanceOf: LinkError,
  });
  t.regex(error?.message ?? '', /nested\.o.*\.note\.GNU-stack: it runs code on its stack/);
});

test('code on the stack is called so by the trap when its object has not said it', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(
    'int f(int x) { unsigned char volatile code[1]; code[0] = 0xc3; return ((int (*)(int))code)(x); }',
    {
      name: 'stack.c',
    },
  );
  const f = await jit.lookup('f');
  await t.throwsAsync(f(1), {
    instanceOf: ExecutionTrapError,
    message: /^SIGSEGV .*; it jumped to its stack, and no code is run there/,
  });
});

test('code right above its stack that divides by zero or traps is not said to have jumped there', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(
    'int divide(int x) { return x / (x - 1); } int trap(int x) { __builtin_trap(); } int main(int c) { return divide(c); }',
    { name: 'above.c' },
  );
  const { trap: trapped } = await jit.runProgram({ argv: ['above'] });
  const [divide, trap] = [await jit.lookup('divide'), await jit.lookup('trap')];
  const divided = await t.throwsAsync(divide(1), { instanceOf: ExecutionTrapError });
  const stopped = await t.throwsAsync(trap(1), { instanceOf: ExecutionTrapError });
  for (const error of [trapped, divided]) t.regex(error?.message ?? '', /^SIGFPE in divide/);
  t.regex(stopped?.message ?? '', /^SIGILL in trap/);
  for (const error of [trapped, divided, stopped]) t.notRegex(error?.message ?? '', /stack/);
});
