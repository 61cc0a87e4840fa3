import { LinkError } from '@farjit/compiler';
import test from 'ava';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

test('a module is compiled at its first call, in one go, and each function linked at its own', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
define double @twice(double %x) {
  %y = fadd double %x, %x
  ret double %y
}
define double @thrice(double %x) {
  %y = call double @twice(double %x)
  %z = fadd double %y, %x
  ret double %z
}`),
  );
  t.is(jit.statistics().modulesCompiled, 0);
  // A function of doubles needs no extern.
  t.deepEqual(await evaluateAll(jit, 'twice(4);'), [8]);
  t.is(jit.statistics().modulesCompiled, 1);
  t.deepEqual(await evaluateAll(jit, 'thrice(4);'), [12]);
  t.is(jit.statistics().modulesCompiled, 1);
  t.is(jit.statistics().compileCallbacks, 2);
});

test('modules share data, also in a circle', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@a = global i32 5
@b = external global i32
define i32 @addA(i32 %x) {
  %a = load i32, i32* @a
  %b = load i32, i32* @b
  %s = add i32 %a, %b
  %r = add i32 %s, %x
  store i32 %r, i32* @a
  ret i32 %r
}`),
  );
  await jit.addModule(
    parseAssembly(`
@a = external global i32
@b = global i32 10
@where = global i32* @a
define i32 @readA() {
  %p = load i32*, i32** @where
  %a = load i32, i32* %p
  %b = load i32, i32* @b
  %r = add i32 %a, %b
  ret i32 %r
}`),
  );
  const addA = await jit.lookup('addA');
  const readA = await jit.lookup('readA');
  t.is(await addA(1), 16);
  t.is(await readA(), 26);
  t.is(await addA(0), 26);
  t.is(await readA(), 36);
  t.is((await jit.findSymbol('a'))?.kind, 'data');
});

test('a removed module can be added again, with its globals at their initial values', async (t) => {
  const { jit } = await openJIT(t);
  const assembly = `
@count = global i32 0
define i32 @next() {
  %n = load i32, i32* @count
  %m = add i32 %n, 1
  store i32 %m, i32* @count
  ret i32 %m
}`;
  const tracker = await jit.addModule(parseAssembly(assembly));
  t.deepEqual([...tracker.names].sort(), ['count', 'next']);
  const next = await jit.lookup('next');
  t.is(await next(), 1);
  t.is(await next(), 2);
  jit.removeModule(tracker);
  t.is(await jit.findSymbol('next'), undefined);
  await t.throwsAsync(next(), { code: 'SYMBOLS_NOT_FOUND' });
  await jit.addModule(parseAssembly(assembly));
  t.is(await next(), 1);
});

test('functions are called by address as void, int, int(int) and main', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@state = global i32 7
declare i32 @puts(i8*)
define void @reset() {
  store i32 0, i32* @state
  ret void
}
define i32 @get() {
  %v = load i32, i32* @state
  ret i32 %v
}
define i32 @negate(i32 %x) {
  %y = sub i32 0, %x
  ret i32 %y
}
define i32 @main(i32 %argc, i8** %argv) {
  %p = getelementptr i8*, i8** %argv, i64 1
  %s = load i8*, i8** %p
  call i32 @puts(i8* %s)
  %end = sext i32 %argc to i64
  %q = getelementptr i8*, i8** %argv, i64 %end
  %n = load i8*, i8** %q
  %isNull = icmp eq i8* %n, null
  %bit = zext i1 %isNull to i32
  %r = add i32 %argc, %bit
  ret i32 %r
}`),
  );
  const address = async (name: string) => {
    const symbol = await jit.findSymbol(name);
    if (!symbol) throw new Error(`no ${name}`);
    return symbol.address;
  };
  t.is(await jit.callInt(await address('get')), 7);
  await jit.callVoid(await address('reset'));
  t.is(await jit.callInt(await address('get')), 0);
  t.is(await jit.callIntInt(await address('negate'), -12), 12);
  t.is(await jit.callMain(await address('main'), ['prog', 'hello there', 'third']), 4);
  t.is(printed(), 'hello there\n');
});

test('output arrives in order and before the result', async (t) => {
  const { jit, printed } = await openJIT(t);
  await jit.addSource('extern putchard(c); extern printd(x);');
  await evaluateAll(jit, 'putchard(65); ');
  t.is(printed(), 'A');
  await evaluateAll(jit, 'printd(1.5) + putchard(66) + putchard(10);');
  t.is(printed(), 'A1.500000\nB\n');
  await jit.addSource('def many(n) for i = 0, i < n in printd(i);');
  await evaluateAll(jit, 'many(20000);');
  t.is(printed().split('\n').length, 3 + 20_001);
});

test('libm and libc come through extern; what the sandbox refuses returns its errno', async (t) => {
  const { jit } = await openJIT(t);
  t.deepEqual(await evaluateAll(jit, 'extern pow(x y); extern floor(x); pow(2, 10) + floor(1.5);'), [1025]);
  await jit.addModule(
    parseAssembly(`
@path = private constant [12 x i8] c"/etc/passwd\\00"
declare i32 @open(i8*, i32, ...)
declare i32* @__errno_location()
define i32 @tryOpen() {
  %p = getelementptr [12 x i8], [12 x i8]* @path, i64 0, i64 0
  %fd = call i32 (i8*, i32, ...) @open(i8* %p, i32 0)
  %e = call i32* @__errno_location()
  %errno = load i32, i32* %e
  %isError = icmp eq i32 %fd, -1
  %r = select i1 %isError, i32 %errno, i32 0
  ret i32 %r
}`),
  );
  const EPERM = 1;
  t.is(await (await jit.lookup('tryOpen'))(), EPERM);
});

test('names that are not UTF-8 are refused, so that none is taken for another', async (t) => {
  const { jit } = await openJIT(t);
  await t.throwsAsync(jit.addModule(parseAssembly('define double @"\\FF"() { ret double 1.0 }')), {
    code: 'COMPILE',
    message: /the name 'ÿ' is not UTF-8/,
  });
  // One that a module needs is met when it is linked.
  await jit.addModule(
    parseAssembly(`
declare double @"\\FE"()
define double @"\\EF\\BF\\BD"() { ret double 7.0 }
define double @f() { %r = call double @"\\FE"() ret double %r }`),
  );
  const f = await jit.lookup('f');
  await t.throwsAsync(f(), { message: /the name 'þ' is not UTF-8/ });
  t.deepEqual(await evaluateAll(jit, '1 + 2;'), [3]);
});

test('a definition that LLVM must not mangle is known by its symbol', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
define double @"\\01raw"(double %x) { ret double %x }
define double @f(double %x) { %r = call double @"\\01raw"(double %x) ret double %r }`),
  );
  t.deepEqual(await evaluateAll(jit, 'f(4); raw(5);'), [4, 5]);
});

test('an alias is a definition like others, of a function and of a variable', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@number = global double 7.0
@other = alias double, double* @number
@twice = alias double (double), double (double)* @double
@hidden = internal alias double (double), double (double)* @double
define double @double(double %x) { %y = fadd double %x, %x ret double %y }
define double @get() { %v = load double, double* @other ret double %v }
define double @via(double %x) {
  %a = call double @twice(double %x)
  %b = call double @hidden(double %a)
  ret double %b
}`),
  );
  t.deepEqual(await evaluateAll(jit, 'get(); via(3); twice(4); double(5);'), [7, 12, 8, 10]);
  await t.throwsAsync(jit.lookup('hidden'), { code: 'SYMBOLS_NOT_FOUND' });
  await t.throwsAsync(jit.addModule(parseAssembly('define double @twice(double %x) { ret double %x }')), {
    code: 'LINK_ERROR',
    message: /twice already defined/,
  });
});

test('an indirect function of a module is what its resolver answers', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`@f = ifunc double (double), double (double)* ()* @choose
define internal double (double)* @choose() { ret double (double)* @one }
define internal double @one(double %x) { %y = fadd double %x, 1.0 ret double %y }
define double @via(double %x) { %y = call double @f(double %x) ret double %y }`),
  );
  t.deepEqual(await evaluateAll(jit, 'f(4); via(5); f(6);'), [5, 6, 7]);
});

test('a module with an empty list of functions to run is one without', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`@llvm.global_ctors = appending global [0 x { i32, void ()*, i8* }] zeroinitializer
define double @f() { ret double 3.0 }`),
  );
  t.deepEqual(await evaluateAll(jit, 'f();'), [3]);
});

test("a module's call of a function that the program defines is not one of libm's of that name", async (t) => {
  const { jit } = await openJIT(t);
  await evaluateAll(jit, 'def fabs(x) x * 100;');
  await jit.addModule(
    parseAssembly(`
declare double @fabs(double)
declare double @floor(double)
define double @far(double %x) { %r = call double @fabs(double %x) ret double %r }
define double @near(double %x) { %r = call double @floor(double %x) ret double %r }`),
  );
  t.deepEqual(await evaluateAll(jit, 'far(3); near(2.5);'), [300, 2]);
});

const NEAR_AND_FAR = (data: string) => `
declare double @fabs(double)
declare double @copysign(double, double)
${data}
define double @far(double %x) { %r = call double @fabs(double %x) ret double %r }`;

test('a definition that comes after a module was used counts in it, though LLVM knew the name by heart', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly(NEAR_AND_FAR('')));
  t.deepEqual(await evaluateAll(jit, 'far(0-3);'), [3]);
  t.deepEqual(await evaluateAll(jit, 'def fabs(x) x * 100; far(0-3);'), [-300]);
  t.deepEqual(await evaluateAll(jit, 'def copysign(x y) 1; far(0-4);'), [-400]);
});

test('it is refused when the module has data in use, which would begin anew', async (t) => {
  const { jit } = await openJIT(t);
  const counting = `
@count = internal global double 0.0
define double @next() {
  %v = load double, double* @count
  %n = fadd double %v, 1.0
  store double %n, double* @count
  ret double %n
}`;
  await jit.addModule(parseAssembly(NEAR_AND_FAR(counting)));
  t.deepEqual(await evaluateAll(jit, 'far(0-3); next();'), [3, 1]);
  await t.throwsAsync(jit.addSource('def fabs(x) x * 100;'), {
    instanceOf: LinkError,
    message:
      /fabs already in use as the process's by .*, which has data in use; define it before that is used/,
  });
  t.deepEqual(await evaluateAll(jit, 'far(0-3); next();'), [3, 2]);
  // LLVM knows nothing of these by heart, or has left the call where it was.
  t.deepEqual(await evaluateAll(jit, 'def own(x) x; next();'), [3]);
});

test('also when another name has been defined meanwhile that the module calls in earnest', async (t) => {
  const { jit } = await openJIT(t);
  const counting = `
@count = internal global double 0.0
declare double @cbrt(double)
define double @root(double %x) {
  store double %x, double* @count
  %r = call double @cbrt(double %x)
  ret double %r
}`;
  await jit.addModule(parseAssembly(NEAR_AND_FAR(counting)));
  t.deepEqual(await evaluateAll(jit, 'far(0-3); root(8);'), [3, 2]);
  t.deepEqual(await evaluateAll(jit, 'def cbrt(x) x * 10; root(8);'), [80]);
  await t.throwsAsync(jit.addSource('def fabs(x) x * 100;'), {
    instanceOf: LinkError,
    message: /fabs already in use as the process's/,
  });
  t.deepEqual(await evaluateAll(jit, 'far(0-3);'), [3]);
});

test('what a module calls of its own is linked along with it: one callback for all', async (t) => {
  const source = Array.from({ length: 10 }, (_, index) =>
    index < 9
      ? `define double @m${index}(double %x) { %r = call double @m${index + 1}(double %x) ret double %r }`
      : `define double @m${index}(double %x) { ret double %x }`,
  ).join('\n');
  for (const [speculate, callbacks] of [
    ['auto', 1],
    ['off', 10],
  ] as const) {
    const { jit } = await openJIT(t, { speculate, optLevel: 0 });
    await jit.addModule(parseAssembly(source));
    t.is(await (await jit.lookup('m0'))(7), 7);
    t.is(jit.statistics().compileCallbacks, callbacks, speculate);
    // All of it is linked by then.
    t.is(await (await jit.lookup('m0'))(8), 8);
    t.is(jit.statistics().compileCallbacks, callbacks, speculate);
  }
});

test('a function of another number of parameters than its callers were compiled for is refused by name', async (t) => {
  const { jit } = await openJIT(t);
  const one = await jit.addModule(parseAssembly('define double @f(double %x) { ret double %x }'));
  t.deepEqual(await evaluateAll(jit, 'def c(x) f(x); c(3);'), [3]);
  jit.removeModule(one);
  const c = await jit.lookup('c');
  const two = await jit.addModule(
    parseAssembly('define double @f(double %x, double %y) { %r = fadd double %x, %y ret double %r }'),
  );
  await t.throwsAsync(c(3), { message: /'f' takes 2, this call has 1/ });
  jit.removeModule(two);
  const [item] = jit.parse('def f(x) x * 2;');
  if (item?.kind !== 'definition') return t.fail();
  const own = jit.addFunctionAST(item.function);
  t.is(await c(3), 6);
  own.remove();
  await evaluateAll(jit, 'def f(x y z) x;');
  await t.throwsAsync(c(3), { message: /'f' takes 3, this call has 1/ });
});

test('no function takes the name of data, which others would read its code for', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`@v = global double 3.0
define double @get() { %v = load double, double* @v ret double %v }`),
  );
  await t.throwsAsync(jit.addSource('def v(x) x;'), { code: 'LINK_ERROR', message: /v already defined by/ });
  t.deepEqual(await evaluateAll(jit, 'get();'), [3]);
});
