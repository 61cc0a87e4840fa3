import { ExecutionTrapError } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { assemble, compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: ['i32'] } as const;

/** Symbols of a trap's backtrace, from the innermost frame to `f`. */
async function backtraceOf(t: ExecutionContext, source: string, ...flags: string[]) {
  const { jit } = await openJIT(t);
  const options = ['-fomit-frame-pointer', '-fPIC', '-ffunction-sections', '-fno-ipa-icf', ...flags];
  await jit.addObject(compile(`#define KEPT __attribute__((noipa)) static\n${source}`, options));
  const f = await jit.lookup('f', INT);
  const error = await t.throwsAsync(f(1), { instanceOf: ExecutionTrapError });
  const symbols = error.frames.map(({ symbol }) => symbol);
  return symbols.slice(0, symbols.indexOf('f') + 1);
}

for (const level of ['-O0', '-O1', '-O2', '-Os'])
  test(`the backtrace of a trap goes on through frames without frame pointers: gcc ${level}`, async (t) => {
    const symbols = await backtraceOf(
      t,
      `KEPT int inner(int *p, int n) { volatile int many[40]; many[n] = n; return *p + many[n]; }
       KEPT int saves(int a, int b, int c) { int x = inner(0, a), y = inner(0, b); return x * a + y * b + c; }
       KEPT int alone(int n) { return saves(n, n + 1, n + 2) + 1; }
       int f(int n) { return alone(n) * 2; }`,
      level,
    );
    t.deepEqual(symbols, ['inner', 'saves', 'alone', 'f']);
  });

test('the backtrace of a trap goes on through stacks that are aligned or of no fixed size', async (t) => {
  const symbols = await backtraceOf(
    t,
    `KEPT int inner(int *p) { return *p; }
     KEPT int aligned(int n) { _Alignas(64) volatile char many[128]; many[n] = 1; return inner(0) + many[n]; }
     KEPT int sized(int n) { volatile char many[n * 100]; many[n] = 1; return aligned(n) + many[n]; }
     int f(int n) { return sized(n) * 2; }`,
    '-O2',
  );
  t.deepEqual(symbols, ['inner', 'aligned', 'sized', 'f']);
});

test('the backtrace of a trap goes on through the C library and the kernel’s frames of signals', async (t) => {
  const symbols = await backtraceOf(
    t,
    `#include <signal.h>
     #include <stdlib.h>
     KEPT int compare(const void *a, const void *b) { return *(int *)0 + *(const int *)a - *(const int *)b; }
     KEPT void handler(int signal) { int v[] = {signal, 2, 1}; qsort(v, 3, sizeof *v, compare); }
     KEPT int raises(int n) { raise(SIGUSR1); return n; }
     int f(int n) { signal(SIGUSR1, handler); return raises(n) + 1; }`,
    '-O2',
  );
  t.deepEqual(
    symbols.filter((symbol) => symbol !== undefined),
    ['compare', 'handler', 'raises', 'f'],
  );
});

/** Unwind information that cannot be followed, or must not be. */
const UNFOLLOWED = {
  'no instruction': '.cfi_escape 0x3f',
  'an expression that is longer than all of it': '.cfi_escape 0x0f, 0x7f',
  'a row that was not remembered': '.cfi_escape 0x0b',
  'more rows than are remembered': '.cfi_escape 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a',
  'a register that there is not': '.cfi_escape 0x05, 0x7f, 1',
  'a value in a register that there is not': '.cfi_escape 0x09, 3, 0xff, 0xff, 0x7f',
  'a CFA in a register that there is not': '.cfi_escape 0x0c, 0xff, 0xff, 0x7f, 0',
  'a CFA in memory at a register that there is not': '.cfi_escape 0x0f, 3, 0x8f, 0, 6',
  'a CFA down the stack': '.cfi_escape 0x0c, 7, 0',
  'a CFA outside of the stack': '.cfi_escape 0x0c, 0, 8',
  'a return address outside of the stack': '.cfi_escape 0x90, 0xff, 0xff, 0xff, 0x7f',
  'a return address that is none': '.cfi_escape 0x07, 0x10',
  'an offset without an end':
    '.cfi_escape 0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80',
  'a personality where nothing is': '.cfi_personality 0x80, 16',
};

test('where unwind information cannot be followed, the backtrace goes on by frame pointers', async (t) => {
  const { jit } = await openJIT(t);
  const cases = Object.entries(UNFOLLOWED);
  const functionOf = (name: string, cfi: string, body: string) => `
.section .text.${name},"ax",@progbits
.globl ${name}
.type ${name},@function
${name}: .cfi_startproc
  push %rbp
  .cfi_def_cfa_offset 16
  mov %rsp, %rbp
  ${cfi}
  xor %eax, %eax
  ${body}
  pop %rbp
  ret
  .cfi_endproc
.size ${name}, . - ${name}`;
  const sources = cases.map(
    ([, cfi], index) =>
      functionOf(`g${index}`, cfi, 'mov (%rax), %eax') +
      functionOf(`f${index}`, '.cfi_offset %rbp, -16\n.cfi_def_cfa_register %rbp', `call g${index}@PLT`),
  );
  await jit.addObject(assemble(sources.join('\n')));
  for (const [index, [what]] of cases.entries()) {
    const f = await jit.lookup(`f${index}`, INT);
    const error = await t.throwsAsync(f(1), { instanceOf: ExecutionTrapError });
    const symbols = error.frames.map(({ symbol }) => symbol);
    t.deepEqual(symbols.slice(0, 2), [`g${index}`, `f${index}`], what);
  }
});
