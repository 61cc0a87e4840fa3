import { InitializationError } from '@farjit/compiler';
import test from 'ava';
import { assemble, compile } from '#compiler/test/jitlink/toolchain.js';
import { CXX_FLAGS, list, moduleOf, TRAPS } from './initializer-modules.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

const VOID = { result: 'void', parameters: [] } as const;
const INT = { result: 'i32', parameters: [] } as const;

test('lists of assembly and of older compilers run where a linker would run them', async (t) => {
  const { jit, printed } = await openJIT(t);
  const functions = [...'abcdefgxyz'].map(
    (letter) => `.globl ${letter}\n${letter}: mov $${letter.charCodeAt(0)}, %edi\n jmp putchar@PLT`,
  );
  await jit.addObject(
    assemble(`.text
${functions.join('\n')}
.section .init_array,"aw",@init_array
.quad c
.section .ctors,"aw",@progbits
.quad -1
.quad e, d
.quad 0
.section .ctors.65335,"aw",@progbits
.quad b
.section .init_array.00199,"aw",@init_array
.quad g
.section .preinit_array,"aw",@preinit_array
.quad a
.section .dtors,"aw",@progbits
.quad x, y
.section .fini_array.5,"aw",@fini_array
.quad z`),
    { name: 'lists.o' },
  );
  await jit.initialize();
  t.is(printed(), 'agbcde');
  await jit.deinitialize();
  t.is(printed(), 'agbcdexyz');
});

test('assembly in a module lists functions too, whatever it is that makes the section', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addIR(`
module asm ".macro list, name"
module asm ".section .init\\5C()\\5Cname,\\22aw\\22"
module asm ".endm"
module asm "list _array"
module asm ".quad set"
@value = internal global double 0.0
define void @set() { store double 5.0, double* @value ret void }
define double @get() { %v = load double, double* @value ret double %v }`);
  await jit.initialize();
  t.deepEqual(await evaluateAll(jit, 'get();'), [5]);
});

test('of a COMDAT group that two modules have, one list is run', async (t) => {
  const { jit, printed } = await openJIT(t);
  const source = `extern "C" int putchar(int);
inline int note() { putchar('n'); return 1; }
template <int N> struct Holder { static int value; };
template <int N> int Holder<N>::value = note();`;
  const flags = ['-O1', '-fPIC', '-std=c++17'];
  const one = compile(`${source} extern "C" int one() { return Holder<1>::value; }`, flags, 'c++');
  const two = compile(`${source} extern "C" int two() { return Holder<1>::value + 1; }`, flags, 'c++');
  await jit.addObject(one, { name: 'one.o' });
  await jit.addObject(two, { name: 'two.o' });
  await jit.initialize();
  t.is(await (await jit.lookup('one', INT))(), 1);
  t.is(await (await jit.lookup('two', INT))(), 2);
  t.is(printed(), 'n');
});

const PROGRAM = `
extern "C" int putchar(int);
extern "C" int puts(const char *);
extern "C" char *getenv(const char *);
extern "C" int atexit(void (*)(void));
struct Noisy {
  char name;
  Noisy(char n) : name(n) { putchar(name); }
  ~Noisy() { putchar(name - 32); }
};
static Noisy b('b');
__attribute__((init_priority(200))) Noisy a('a');
static int argumentCount;
static const char *variable;
__attribute__((constructor(150))) static void first(int argc, char **argv, char **) {
  argumentCount = argc;
  variable = getenv("WHAT");
  putchar(argv[0][0]);
}
__attribute__((destructor)) static void last() { puts("."); }
static void bye() { putchar('!'); }
int main(int argc, char **argv) {
  atexit(bye);
  static Noisy c('c');
  puts(variable);
  return argumentCount * 10 + argc;
}`;

test('a program runs its initialisers before main, as a process does, and its finalisers when it exits', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addObject(compile(PROGRAM, CXX_FLAGS, 'c++'), { name: 'program.o' });
  for (let run = 1; run <= 2; run++) {
    const result = await jit.runProgram({ argv: ['prog', 'x'], env: { WHAT: 'env' } });
    t.like(result, { exitCode: 22 });
    t.is(printed(), 'pabcenv\nC!BA.\n'.repeat(run));
  }
  await t.throwsAsync(jit.lookup('main'), { code: 'INITIALIZERS_DUE' });
});

test('a program in a runner that is initialised already runs no initialiser twice, and all finalisers', async (t) => {
  const { jit, printed } = await openJIT(t);
  const module = (letters: string) =>
    moduleOf(
      letters,
      `${list('ctors', [[1, letters[0] as string]])}${list('dtors', [[1, letters[1] as string]])}`,
    );
  await jit.addIR(module('ax'), { name: 'one' });
  await jit.initialize();
  await jit.addIR(`${module('by')} declare void @a() define i32 @main() { call void @a() ret i32 3 }`, {
    name: 'two',
  });
  t.like(await jit.runProgram(), { exitCode: 3 });
  t.is(printed(), 'abayx');
  // In a new runner.
  t.like(await jit.runProgram(), { exitCode: 3 });
  t.is(printed(), 'abayxabayx');
});

test('a constructor that traps or exits ends its program', async (t) => {
  const { jit, printed } = await openJIT(t);
  const falling = await jit.addIR(`${TRAPS} define i32 @main() { ret i32 0 }`);
  const { exitCode, trap } = await jit.runProgram();
  t.true(exitCode > 128);
  t.is(trap?.symbol, 'fall');
  falling.remove();
  await jit.addIR(`${moduleOf('x', `${list('ctors', [[1, 'leave']])}${list('dtors', [[1, 'x']])}`)}
declare void @exit(i32)
define internal void @leave() { call void @exit(i32 9) unreachable }
define i32 @main() { ret i32 0 }`);
  t.like(await jit.runProgram(), { exitCode: 9 });
  // What the first has not flushed is lost with it.
  t.is(printed(), 'x');
});

test('a program that has no function to begin with leaves its initialisers due', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addIR(moduleOf('a', list('ctors', [[1, 'a']])), { name: 'one' });
  await t.throwsAsync(jit.runProgram(), { code: 'SYMBOLS_NOT_FOUND' });
  await t.throwsAsync(jit.lookup('a', VOID), { code: 'INITIALIZERS_DUE' });
  await jit.initialize();
  t.is(printed(), 'a');
});

test('what initialisers have made stays when functions that use it are linked again', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile(
      `extern double cbrt(double);
       static double made;
       static double (*hook)(double) = cbrt;
       __attribute__((constructor)) static void make(void) { made = 5; }
       double get(double x) { return made + cbrt(x); }
       double hooked(double x) { return hook(x); }
       void unhook(void) { hook = 0; }
       double only(void) { return made++; }`,
      ['-O1', '-fPIC', '-fno-builtin'],
    ),
    { name: 'made.o' },
  );
  await jit.initialize();
  const double = (parameters: readonly 'double'[]) => ({ result: 'double', parameters }) as const;
  const [get, hooked, only] = await Promise.all([
    jit.lookup('get', double(['double'])),
    jit.lookup('hooked', double(['double'])),
    jit.lookup('only', double([])),
  ]);
  t.is(await get(8), 7);
  t.is(await hooked(8), 2);
  t.is(await only(), 5);
  await evaluateAll(jit, 'def cbrt(x) 100;');
  t.is(await get(8), 106);
  // A variable holds what was put there.
  t.is(await hooked(8), 2);
  t.is(await only(), 6);
});

test('a function that does not call what is due runs, and one that does says what is due', async (t) => {
  const { jit } = await openJIT(t);
  const one = `define double @f(double %x) {
  %is = fcmp ogt double %x, 1.0
  br i1 %is, label %far, label %near
far:
  %y = call double @g(double %x)
  ret double %y
near:
  ret double %x
}
declare double @g(double)`;
  await jit.addIR(one, { name: 'one' });
  await jit.addObject(
    compile(
      'double n; __attribute__((constructor)) void start(void) { n = 5; } double g(double x) { return x + n; }',
      ['-O1', '-fPIC', '-ffunction-sections'],
    ),
    { name: 'two.o' },
  );
  const [near, far] = await jit.addSource('extern f(x); f(1); f(2);');
  t.deepEqual(near, { status: 'fulfilled', value: 1 });
  t.regex(
    (far as PromiseRejectedResult).reason.message,
    /cannot compile g: initialisers of two\.o have not run/,
  );
  await jit.initialize();
  t.deepEqual(await evaluateAll(jit, 'f(2);'), [7]);
});

test('a constructor that does not come back is ended by its deadline', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addIR(`${moduleOf(
    'a',
    list('ctors', [
      [1, 'a'],
      [2, 'hang'],
    ]),
  )}
define internal void @hang() { br label %again
again:
  br label %again
}`);
  const error = await t.throwsAsync(jit.initialize({ deadlineMs: 200 }), { instanceOf: InitializationError });
  t.like(error.cause, { code: 'DEADLINE_EXCEEDED' });
  t.regex(error.message, /^cannot initialise main: one of a, hang: /);
  t.is(printed(), '');
  await t.throwsAsync(jit.lookup('a', VOID), { code: 'INITIALIZERS_DUE' });
});
