import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExecutionTrapError, InitializationError, MaterializationError } from '@farjit/compiler';
import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { CXX_FLAGS, list, moduleOf, TRAPS } from './initializer-modules.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

const VOID = { result: 'void', parameters: [] } as const;
const INT = { result: 'i32', parameters: [] } as const;

test('constructors of two modules run by priority, then in the order in which they were added, and finalisers backwards', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addIR(
    moduleOf(
      'abcxy',
      `${list('ctors', [
        [65535, 'b'],
        [200, 'a'],
        [65535, 'c'],
      ])}\n${list('dtors', [
        [65535, 'x'],
        [101, 'y'],
      ])}`,
    ),
    { name: 'one' },
  );
  await jit.addIR(
    moduleOf(
      'defz',
      `${list('ctors', [
        [101, 'd'],
        [65535, 'e'],
        [200, 'f'],
      ])}\n${list('dtors', [[65535, 'z']])}`,
    ),
    { name: 'two' },
  );
  await jit.initialize();
  t.is(printed(), 'dafbce');
  t.is(jit.statistics().calls, 1);
  await jit.initialize();
  t.is(printed(), 'dafbce');
  await jit.deinitialize();
  t.is(printed(), 'dafbcezxy');
  await jit.deinitialize();
  t.is(printed(), 'dafbcezxy');
});

/** Prints from constructors and destructors of objects, of which one is local to a function. */
const CXX = `
extern "C" int putchar(int);
extern "C" int atexit(void (*)(void));
struct Noisy {
  char name; int value;
  Noisy(char n) : name(n), value(n) { putchar(name); }
  ~Noisy() { putchar(name - 32); }
};
static Noisy b('b');
__attribute__((init_priority(200))) Noisy a('a');
Noisy c('c');
int sum() { static Noisy inner('i'); return a.value + b.value + c.value; }
extern "C" int total() { return sum(); }
__attribute__((destructor)) static void last() { putchar('.'); }
`;

test('objects of C++ are constructed by priority, and destroyed in the opposite order after the destructors', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addObject(compile(CXX, CXX_FLAGS, 'c++'), { name: 'noisy.o' });
  await jit.initialize();
  t.is(printed(), 'abc');
  const total = await jit.lookup('total', INT);
  t.is(await total(), 97 + 98 + 99);
  t.is(printed(), 'abci');
  await jit.deinitialize();
  t.is(printed(), 'abci.ICBA');
  await jit.initialize();
  t.is(await total(), 97 + 98 + 99);
  t.is(printed(), 'abci.ICBAabci');
});

test('what has initialisers is not looked up, called or linked before they have run, and says whom to ask', async (t) => {
  const { jit } = await openJIT(t);
  const due = {
    code: 'INITIALIZERS_DUE',
    message: /^initialisers of one have not run in this runner: call initialize\(\) of the dylib main/,
  };
  const before = await jit.addIR('define double @plain() { ret double 1.0 }', { name: 'plain' });
  const plain = await jit.lookup('plain');
  await jit.addIR(
    `@value = global double 0.0
define internal void @set() { store double 5.0, double* @value ret void }
define double @get() { %v = load double, double* @value ret double %v }
${list('ctors', [[65535, 'set']])}`,
    { name: 'one' },
  );
  await jit.addIR(
    `@value = external global double
define double @other() { %v = load double, double* @value ret double %v }`,
    { name: 'user' },
  );
  await t.throwsAsync(jit.lookup('get'), due);
  await t.throwsAsync(jit.findSymbol('value'), due);
  await t.throwsAsync(plain(), due);
  // What the process has is not the dylib's.
  t.is((await jit.findSymbol('putchar'))?.kind, 'process');
  for (const call of ['get();', 'other();']) {
    const [result] = await jit.addSource(call);
    const { reason } = result as PromiseRejectedResult;
    t.true(reason instanceof MaterializationError);
    t.regex(reason.message, /initialisers of one have not run/);
  }
  t.deepEqual(await evaluateAll(jit, 'def twice(x) x * 2; twice(4);'), [8]);
  await jit.initialize();
  t.deepEqual(await evaluateAll(jit, 'get(); other(); plain();'), [5, 5, 1]);
  t.is(await plain(), 1);
  before.remove();
});

test('a constructor calls functions that are compiled for it, of its own module, of others, and of Kaleidoscope', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addIR('define double @far(double %x) { %y = fmul double %x, 3.0 ret double %y }');
  await jit.addIR(
    `@value = internal global double 0.0
declare double @far(double)
declare double @scale(double)
define double @near(double %x) noinline { %y = fadd double %x, 1.0 ret double %y }
define void @start(i32 %argc, i8** %argv) {
  %a = call double @near(double 1.0)
  %b = call double @far(double %a)
  %c = call double @scale(double %b)
  %n = sitofp i32 %argc to double
  %d = fadd double %c, %n
  store double %d, double* @value
  ret void
}
define double @get() { %v = load double, double* @value ret double %v }
@llvm.global_ctors = appending global [1 x { i32, void ()*, i8* }] [{ i32, void ()*, i8* } { i32 65535, void ()* bitcast (void (i32, i8**)* @start to void ()*), i8* null }]`,
  );
  await evaluateAll(jit, 'def scale(x) x * 10;');
  t.is(jit.statistics().modulesCompiled, 0);
  await jit.initialize();
  t.deepEqual(await evaluateAll(jit, 'get();'), [60]);
});

test('a constructor that traps is named, and in the next runner all are run again', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addIR(TRAPS);
  for (let attempt = 1; attempt <= 2; attempt++) {
    const error = await t.throwsAsync(jit.initialize(), { instanceOf: InitializationError });
    t.regex(error.message, /^cannot initialise main: fall: SIG(ILL|TRAP) in fall\+/);
    t.is(error.initializer, 'fall');
    t.true(error.cause instanceof ExecutionTrapError);
    t.is(printed(), 'a'.repeat(attempt));
    await t.throwsAsync(jit.lookup('a', VOID), { code: 'INITIALIZERS_DUE' });
  }
});

test('after a constructor that could not be linked, those before it are not run again and the others are', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addIR(`${moduleOf(
    'abc',
    list('ctors', [
      [1, 'a'],
      [2, 'wants'],
      [3, 'b'],
    ]),
  )}
declare void @fails()
define void @wants() { call void @c() %r = call double @f() call void @fails() ret void }
define double @f() { ret double 7.0 }`);
  await jit.addIR('declare void @missing() define void @fails() { call void @missing() ret void }');
  for (let attempt = 1; attempt <= 2; attempt++) {
    const error = await t.throwsAsync(jit.initialize(), { instanceOf: InitializationError });
    t.is(error.initializer, 'wants');
    t.regex(error.message, /^cannot initialise main: wants: .*missing/);
    await t.throwsAsync(jit.lookup('f'), { code: 'INITIALIZERS_DUE' });
    // One that ran for the constructors, and is linked.
    const [call] = await jit.addSource('extern f(); f();');
    t.regex((call as PromiseRejectedResult).reason.message, /have not run/);
  }
  await jit.addIR(`${moduleOf('m', '', 'define void @missing() { call void @m() ret void }')}`);
  await jit.initialize();
  t.is(printed(), 'acccmb');
  t.deepEqual(await evaluateAll(jit, 'f();'), [7]);
});

test('a constructor that throws ends its runner, and is named', async (t) => {
  const { jit } = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  await jit.addObject(
    compile(
      `extern "C" int putchar(int);
       static int boom() { putchar('b'); throw 42; }
       int value = boom();
       extern "C" int get() { return value; }`,
      ['-O1', '-fPIC'],
      'c++',
    ),
    { name: 'boom.o' },
  );
  const error = await t.throwsAsync(jit.initialize(), { instanceOf: InitializationError });
  t.regex(error.message, /^cannot initialise main: .*SIGABRT/);
  t.regex(error.initializer ?? '', /^_GLOBAL__sub_I_/);
  await t.throwsAsync(jit.lookup('get', INT), { code: 'INITIALIZERS_DUE' });
});

test('initialisers are due again when the runner is lost, and callables work again when they have run', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addIR(`${moduleOf(
    'a',
    list('ctors', [
      [1, 'a'],
      [2, 'set'],
    ]),
  )}
@value = internal global double 0.0
declare void @llvm.trap()
define internal void @set() { store double 5.0, double* @value ret void }
define double @get() { %v = load double, double* @value ret double %v }
define void @fall() { call void @llvm.trap() unreachable }`);
  await jit.initialize();
  const get = await jit.lookup('get');
  const fall = await jit.lookup('fall');
  t.is(await get(), 5);
  await t.throwsAsync(fall(), { code: 'EXECUTION_TRAP' });
  await t.throwsAsync(get(), { code: 'INITIALIZERS_DUE' });
  await Promise.all([jit.initialize(), jit.initialize()]);
  t.is(await get(), 5);
  t.is(printed(), 'aa');
  await t.throwsAsync(fall(), { code: 'EXECUTION_TRAP' });
  // Nothing is left to be ended.
  await jit.deinitialize();
  t.is(jit.statistics().modulesCompiled, 1);
});

test('a dylib is initialised after its link order, and deinitialised alone', async (t) => {
  const { jit, printed } = await openJIT(t);
  const [below, above] = [jit.createDylib('below'), jit.createDylib('above')];
  above.addToLinkOrder(below);
  below.addToLinkOrder(above);
  const module = (letters: string) =>
    moduleOf(
      letters,
      `${list('ctors', [[65535, letters[0] as string]])}${list('dtors', [[65535, letters[1] as string]])}`,
    );
  await above.addIR(module('ax'), { name: 'above' });
  await below.addIR(module('by'), { name: 'below' });
  await t.throwsAsync(above.lookup('b', VOID), {
    message: /initialisers of below .* of the dylib below first/,
  });
  await above.initialize();
  t.is(printed(), 'ba');
  await above.deinitialize();
  t.is(printed(), 'bax');
  await (await below.lookup('b', VOID))();
  await t.throwsAsync(below.lookup('a', VOID), { message: /of the dylib above first/ });
  t.is(printed(), 'baxb');
});

test('a constructor can wait for another dylib to be initialised, by a generator that it asks', async (t) => {
  const { jit, printed } = await openJIT(t);
  const plugin = jit.createDylib('plugin');
  await plugin.addIR(`${moduleOf('p', list('ctors', [[1, 'p']]))} define void @used() { ret void }`);
  jit.mainDylib.addGenerator(async (names) => {
    if (!names.includes('late')) return;
    await plugin.initialize();
    jit.mainDylib.reexport({ late: { dylib: plugin, name: 'used' } });
  });
  await jit.addIR(`${moduleOf(
    'ab',
    list('ctors', [
      [1, 'a'],
      [2, 'ask'],
      [3, 'b'],
    ]),
  )}
declare void @late()
define void @ask() { call void @late() ret void }`);
  await jit.initialize();
  t.is(printed(), 'apb');
});

test('what __cxa_atexit is given belongs to the dylib of its caller', async (t) => {
  const { jit, printed } = await openJIT(t);
  const source = (name: string) => `
extern int putchar(int);
extern void *__dso_handle;
extern int __cxa_atexit(void (*)(void *), void *, void *);
static void say(void *what) { putchar(*(char *)what); }
__attribute__((constructor)) static void start(void) { __cxa_atexit(say, "${name}", &__dso_handle); }
void *handle(void) { return &__dso_handle; }`;
  const dylibs = ['a', 'b'].map((name) => jit.createDylib(name));
  const handles = new Set();
  for (const dylib of dylibs) {
    await dylib.addObject(compile(source(dylib.name), ['-O1', '-fPIC']), { name: dylib.name });
    await dylib.initialize();
    handles.add(await (await dylib.lookup('handle', { result: 'ptr', parameters: [] }))());
    t.is(await dylib.findSymbol('__dso_handle'), undefined);
  }
  t.is(handles.size, 2);
  for (const dylib of dylibs) await dylib.deinitialize();
  t.is(printed(), 'ab');
});

test('what is initialised is removed when it has been deinitialised, and what is added later is initialised by itself', async (t) => {
  const { jit, printed } = await openJIT(t);
  const one = await jit.addIR(moduleOf('ax', `${list('ctors', [[1, 'a']])}${list('dtors', [[1, 'x']])}`), {
    name: 'one',
  });
  await jit.initialize();
  const two = await jit.addIR(moduleOf('b', list('ctors', [[1, 'b']])), { name: 'two' });
  await t.throwsAsync(jit.lookup('a', VOID), { message: /initialisers of two have not run/ });
  await jit.initialize();
  t.is(printed(), 'ab');
  t.throws(() => one.remove(), {
    code: 'INITIALIZED',
    message: /^one is initialised: call deinitialize\(\) of the dylib main/,
  });
  await (await jit.lookup('a', VOID))();
  await jit.deinitialize();
  one.remove();
  t.is(printed(), 'abax');
  t.is(await jit.findSymbol('a').catch(({ code }) => code), undefined);
  two.remove();
  await jit.initialize();
  t.is(printed(), 'abax');
});

test('objects with initialisers are kept, and more of them run in one call than its block holds', async (t) => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-initializers-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true }));
  const count = 3000;
  const entries = Array.from({ length: count }, () => [65535, 'bump'] as const);
  const ir = `@count = internal global double 0.0
define internal void @bump() { %v = load double, double* @count %n = fadd double %v, 1.0 store double %n, double* @count ret void }
define double @get() { %v = load double, double* @count ret double %v }
${list('ctors', entries)}`;
  for (const compiled of [1, 0]) {
    const { jit } = await openJIT(t, { cacheDir });
    await jit.addIR(ir);
    await jit.initialize();
    t.deepEqual(await evaluateAll(jit, 'get();'), [count]);
    t.is(jit.statistics().modulesCompiled, compiled);
    await jit.close();
  }
});
