import test from 'ava';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

const ADD = (name: string) => `
define double @${name}(double %x) {
  %v = load double, double* @cnt
  %n = fadd double %v, %x
  store double %n, double* @cnt
  ret double %n
}`;

test('of two common variables one is kept, and both modules count in it', async (t) => {
  const { jit } = await openJIT(t);
  for (const name of ['bump', 'bump2'])
    await jit.addModule(parseAssembly(`@cnt = common global double 0.0, align 8 ${ADD(name)}`));
  t.deepEqual(await evaluateAll(jit, 'bump(1); bump2(2); bump(4);'), [1, 3, 7]);
});

test('the largest of the common variables is kept, whichever came first', async (t) => {
  for (const isLargeFirst of [true, false]) {
    const { jit } = await openJIT(t);
    const small = `@cnt = common global double 0.0, align 8 ${ADD('bump')}`;
    const large = `
@cnt = common global [4096 x double] zeroinitializer, align 8
@next = global double 5.0
define double @last(double %x) {
  %p = getelementptr [4096 x double], [4096 x double]* @cnt, i64 0, i64 4095
  %v = load double, double* %p
  store double %x, double* %p
  ret double %v
}`;
    for (const text of isLargeFirst ? [large, small] : [small, large])
      await jit.addModule(parseAssembly(text));
    t.deepEqual(await evaluateAll(jit, 'bump(1); last(2); last(3); bump(1);'), [1, 0, 2, 2]);
  }
});

test('a COMDAT definition of two modules is kept once, also where neither calls it', async (t) => {
  const { jit } = await openJIT(t);
  const text = (name: string) => `
$tmpl = comdat any
$state = comdat any
@state = linkonce_odr global double 1.0, comdat
define linkonce_odr double @tmpl(double %x) comdat { %r = fmul double %x, 2.0 ret double %r }
define linkonce_odr double @unused(double %x) { ret double %x }
define double @${name}(double %x) {
  %v = load double, double* @state
  %n = fadd double %v, 1.0
  store double %n, double* @state
  %r = call double @tmpl(double %x)
  %s = fadd double %r, %n
  ret double %s
}`;
  for (const name of ['usea', 'useb']) await jit.addModule(parseAssembly(text(name)));
  t.deepEqual(await evaluateAll(jit, 'usea(2); useb(3); usea(0); tmpl(8); unused(9);'), [6, 9, 4, 16, 9]);
});

const CALLS_WEAK = `
define weak double @wf(double %x) { ret double 1.0 }
define double @callw(double %x) { %r = call double @wf(double %x) ret double %r }`;
const STRONG = `
define double @wf(double %x) { ret double 2.0 }
define double @callw2(double %x) { %r = call double @wf(double %x) ret double %r }`;

test('a strong function takes the place of a weak one, whether that has run or not, until it is removed', async (t) => {
  for (const hasRun of [true, false]) {
    const { jit } = await openJIT(t);
    await jit.addModule(parseAssembly(CALLS_WEAK));
    if (hasRun) t.deepEqual(await evaluateAll(jit, 'callw(0); wf(0);'), [1, 1]);
    const strong = await jit.addModule(parseAssembly(STRONG));
    t.deepEqual(await evaluateAll(jit, 'callw(0); callw2(0); wf(0);'), [2, 2, 2]);
    jit.removeModule(strong);
    t.deepEqual(await evaluateAll(jit, 'callw(0); wf(0);'), [1, 1]);
  }
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly(STRONG));
  await jit.addModule(parseAssembly(CALLS_WEAK));
  t.deepEqual(await evaluateAll(jit, 'callw(0); callw2(0);'), [2, 2]);
});

test('a strong variable takes the place of a weak one until that is in use', async (t) => {
  const weak = `@v = weak global double 1.0
define double @get() { %v = load double, double* @v ret double %v }`;
  const strong = `@v = global double 2.0
@other = global double 3.0
define double @get2() { %v = load double, double* @v ret double %v }`;
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly(weak));
  await jit.addModule(parseAssembly(strong));
  t.deepEqual(await evaluateAll(jit, 'get(); get2();'), [2, 2]);
  const late = await openJIT(t);
  await late.jit.addModule(parseAssembly(weak));
  t.deepEqual(await evaluateAll(late.jit, 'get();'), [1]);
  await t.throwsAsync(late.jit.addModule(parseAssembly(strong)), {
    code: 'LINK_ERROR',
    message: /v already in use as defined by .*; add what takes its place before it is used/,
  });
  t.is(await late.jit.findSymbol('other'), undefined);
  t.deepEqual(await evaluateAll(late.jit, 'get();'), [1]);
});

test('two strong definitions are an error that names both modules', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly(`source_filename = "one.c" define double @f() { ret double 1.0 }`));
  await t.throwsAsync(
    jit.addModule(parseAssembly(`source_filename = "two.c" define double @f() { ret double 2.0 }`)),
    { code: 'LINK_ERROR', message: /f already defined by/ },
  );
});

test('a hidden name is found by other modules and by Kaleidoscope, and not from outside', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@state = hidden global double 7.0
define hidden double @inner(double %x) { %v = load double, double* @state %r = fadd double %v, %x ret double %r }
define double @near(double %x) { %r = call double @inner(double %x) ret double %r }`),
  );
  await jit.addModule(
    parseAssembly(`
@state = external global double
declare double @inner(double)
define double @far(double %x) { store double 1.0, double* @state %r = call double @inner(double %x) ret double %r }`),
  );
  t.deepEqual(await evaluateAll(jit, 'near(1); far(1); inner(4);'), [8, 2, 5]);
  await t.throwsAsync(jit.lookup('inner'), { code: 'SYMBOLS_NOT_FOUND' });
  t.is(await jit.findSymbol('state'), undefined);
  t.is((await jit.findSymbol('near'))?.kind, 'function');
});

test('an alias keeps the weak function of its module, which has its name again when the strong one is removed', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@al = alias double (), double ()* @wf
define weak double @wf() { ret double 1.0 }`),
  );
  const strong = await jit.addModule(parseAssembly('define double @wf() { ret double 2.0 }'));
  t.deepEqual(await evaluateAll(jit, 'al(); wf();'), [1, 2]);
  jit.removeModule(strong);
  t.deepEqual(await evaluateAll(jit, 'al(); wf();'), [1, 1]);
});

test('what is linked again leaves the state of other parts of its module alone', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@count = internal global double 0.0
@total = global double 0.0
@other = external global double
declare double @cbrt(double)
define double @next() {
  %v = load double, double* @count
  %n = fadd double %v, 1.0
  store double %n, double* @count
  ret double %n
}
define double @add(double %x) {
  %a = call double @cbrt(double %x)
  %v = load double, double* @total
  %n = fadd double %v, %a
  store double %n, double* @total
  ret double %n
}
define double @get() { %v = load double, double* @other ret double %v }
@own = internal global double 0.0
define double @addOwn(double %x) {
  %a = call double @cbrt(double %x)
  %v = load double, double* @own
  %n = fadd double %v, %a
  store double %n, double* @own
  ret double %n
}`),
  );
  const other = await jit.addModule(parseAssembly('@other = global double 5.0'));
  t.deepEqual(await evaluateAll(jit, 'next(); next(); add(1); get(); addOwn(8);'), [1, 2, 1, 5, 2]);
  jit.removeModule(other);
  await jit.addModule(parseAssembly('@other = global double 6.0'));
  t.deepEqual(
    await evaluateAll(jit, 'get(); next(); def cbrt(x) 10; add(0); next(); addOwn(0);'),
    [6, 3, 11, 4, 12],
  );
});

test('a variable that an alias kept is the one of its name again when the strong one is removed', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@al = alias double, double* @wv
@wv = weak global double 1.0
define double @getAl() { %v = load double, double* @al ret double %v }
define double @getWv() { %v = load double, double* @wv ret double %v }`),
  );
  const strong = await jit.addModule(parseAssembly('@wv = global double 2.0'));
  t.deepEqual(await evaluateAll(jit, 'getAl(); getWv();'), [1, 2]);
  jit.removeModule(strong);
  t.deepEqual(await evaluateAll(jit, 'getAl(); getWv();'), [1, 1]);
});

test('a weak reference is null before there is a definition and after it has been removed', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
declare extern_weak double @maybe()
define double @ask() {
  %is = icmp ne double ()* @maybe, null
  br i1 %is, label %there, label %absent
there:
  %r = call double @maybe()
  ret double %r
absent:
  ret double -1.0
}`),
  );
  t.deepEqual(await evaluateAll(jit, 'ask();'), [-1]);
  const tracker = await jit.addModule(parseAssembly('define double @maybe() { ret double 4.0 }'));
  t.deepEqual(await evaluateAll(jit, 'ask();'), [4]);
  jit.removeModule(tracker);
  t.deepEqual(await evaluateAll(jit, 'ask();'), [-1]);
});

test('what has no name is for its module alone, whatever its linkage', async (t) => {
  const { jit } = await openJIT(t);
  const module = (name: string, start: number) =>
    parseAssembly(`
@0 = global double ${start}.0
define double @1(double %x) {
  %v = load double, double* @0
  %n = fadd double %v, %x
  store double %n, double* @0
  ret double %n
}
define double @${name}(double %x) { %r = call double @1(double %x) ret double %r }`);
  await jit.addModule(module('one', 10));
  await jit.addModule(module('two', 20));
  t.deepEqual(await evaluateAll(jit, 'one(1); two(2); one(3);'), [11, 22, 14]);
  t.deepEqual(jit.definedNames(), ['one', 'two']);
});
