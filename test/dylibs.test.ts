import type { ResourceTracker } from '@farjit/compiler';
import { addrAdd } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { gate } from '#compiler/test/gate.js';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

const constant = (name: string, value: number) =>
  parseAssembly(`define double @${name}() { ret double ${value}.0 }`);
const calls = (name: string, callee: string) =>
  parseAssembly(`declare double @${callee}()
define double @${name}() { %r = call double @${callee}() ret double %r }`);

test('a name means another function in each dylib, and what a link order says where there is none', async (t) => {
  const { jit } = await openJIT(t);
  const [one, two] = [jit.createDylib('one'), jit.createDylib('two')];
  await one.addModule(constant('f', 1));
  await two.addModule(constant('f', 2));
  await one.addModule(calls('callF', 'f'));
  await two.addModule(calls('callF', 'f'));
  t.is(await (await one.lookup('callF'))(), 1);
  t.is(await (await two.lookup('callF'))(), 2);
  await t.throwsAsync(jit.lookup('callF'), { code: 'SYMBOLS_NOT_FOUND' });
  jit.mainDylib.addToLinkOrder(two);
  jit.mainDylib.addToLinkOrder(one);
  t.deepEqual(await evaluateAll(jit, 'extern f(); f();'), [2]);
  t.is(await (await jit.lookup('callF'))(), 2);
});

test('a definition comes before those of the link order, also for callers that are linked already', async (t) => {
  const { jit } = await openJIT(t);
  const library = jit.createDylib('library');
  await library.addModule(constant('f', 1));
  jit.mainDylib.addToLinkOrder(library);
  await jit.addModule(calls('callF', 'f'));
  t.deepEqual(await evaluateAll(jit, 'callF();'), [1]);
  const own = await jit.addModule(constant('f', 2));
  t.deepEqual(await evaluateAll(jit, 'callF();'), [2]);
  jit.removeModule(own);
  t.deepEqual(await evaluateAll(jit, 'callF();'), [1]);
});

test('a dylib that comes into a link order takes names from the process, for callers that are linked already', async (t) => {
  const { jit } = await openJIT(t);
  t.deepEqual(await evaluateAll(jit, 'extern fabs(x); def f(x) fabs(x); f(0 - 3);'), [3]);
  const library = jit.createDylib('library');
  await library.addModule(parseAssembly('define double @fabs(double %x) { ret double 7.0 }'));
  t.deepEqual(await evaluateAll(jit, 'f(0 - 3);'), [3]);
  jit.mainDylib.addToLinkOrder(library);
  t.deepEqual(await evaluateAll(jit, 'f(0 - 3);'), [7]);
});

test('hidden names of another dylib mean nothing, and its data is shared', async (t) => {
  const { jit } = await openJIT(t);
  const library = jit.createDylib('library');
  await library.addModule(
    parseAssembly(`
@count = global double 1.0
@secret = hidden global double 5.0
define double @next() {
  %v = load double, double* @count
  %n = fadd double %v, 1.0
  store double %n, double* @count
  ret double %n
}`),
  );
  jit.mainDylib.addToLinkOrder(library);
  await jit.addModule(
    parseAssembly(`
@count = external global double
@secret = external global double
define double @get() { %v = load double, double* @count ret double %v }
define double @spy() { %v = load double, double* @secret ret double %v }`),
  );
  const next = await library.lookup('next');
  t.is(await next(), 2);
  t.deepEqual(await evaluateAll(jit, 'get();'), [2]);
  t.is(await next(), 3);
  t.deepEqual(await evaluateAll(jit, 'get();'), [3]);
  await t.throwsAsync((await jit.lookup('spy'))(), { message: /secret/ });
});

test('an absolute symbol is an address, and a reexport whatever its target means', async (t) => {
  const { jit } = await openJIT(t);
  const cosine = await jit.findSymbol('cos');
  if (!cosine) return t.fail('no cos');
  const tracker = jit.mainDylib.defineAbsolute({
    kosinus: cosine.address,
    place: { address: addrAdd(cosine.address, 16), callable: false },
  });
  jit.mainDylib.reexport({ other: 'f', sinus: 'sin' });
  t.deepEqual(
    await evaluateAll(
      jit,
      'extern kosinus(x); extern other(x); extern sinus(x); kosinus(0); sinus(0); def f(x) x + 1; other(1);',
    ),
    [1, 0, 2],
  );
  t.deepEqual(
    await evaluateAll(jit, 'def g(x) other(x); g(2); def f(x) x * 10; g(2); other(3);'),
    [3, 20, 30],
  );
  t.like(await jit.findSymbol('kosinus'), { kind: 'absolute', address: cosine.address });
  t.is((await jit.findSymbol('place'))?.address, addrAdd(cosine.address, 16));
  t.is((await jit.findSymbol('other'))?.address, (await jit.findSymbol('f'))?.address);
  t.is(await (await jit.lookup('other'))(4), 40);
  t.throws(() => jit.mainDylib.defineAbsolute({ place: cosine.address, fresh: cosine.address }), {
    code: 'LINK_ERROR',
    message: /place already defined/,
  });
  t.is(await jit.findSymbol('fresh'), undefined);
  tracker.remove();
  t.is(await jit.findSymbol('kosinus'), undefined);
});

test('a reexport of data, and of another dylib; one that leads in a circle leads nowhere', async (t) => {
  const { jit } = await openJIT(t);
  const library = jit.createDylib('library');
  await library.addModule(parseAssembly('@v = global double 4.0'));
  jit.mainDylib.reexport({ w: { dylib: library, name: 'v' }, here: 'there', there: 'here' });
  await jit.addModule(
    parseAssembly(`
@w = external global double
define double @get() { %v = load double, double* @w ret double %v }`),
  );
  t.deepEqual(await evaluateAll(jit, 'get();'), [4]);
  await t.throwsAsync(jit.lookup('here'), { code: 'SYMBOLS_NOT_FOUND' });
});

test('callers of a removed function follow a reexport that takes its name', async (t) => {
  const { jit } = await openJIT(t);
  t.deepEqual(await evaluateAll(jit, 'def f(x) x + 1; def g(x) x + 2; def c(x) f(x); c(1);'), [2]);
  const library = jit.createDylib('library');
  const tracker = await library.addModule(parseAssembly('define double @h(double %x) { ret double 9.0 }'));
  const [again] = jit.parse('def f(x) x + 5;');
  if (again?.kind !== 'definition') return t.fail();
  const first = jit.addFunctionAST(again.function);
  t.deepEqual(await evaluateAll(jit, 'c(1);'), [6]);
  first.remove();
  jit.mainDylib.reexport({ f: { dylib: library, name: 'h' } });
  t.deepEqual(await evaluateAll(jit, 'extern f(x); c(1); c(2);'), [9, 9]);
  tracker.remove();
  await t.throwsAsync((await jit.lookup('c'))(1), { message: /h/ });
  t.deepEqual(await evaluateAll(jit, 'def k(x) x; def d(x) k(x); d(1);'), [1]);
  const [item] = jit.parse('def k(x) x + 5;');
  if (item?.kind !== 'definition') return t.fail();
  jit.addFunctionAST(item.function).remove();
  jit.mainDylib.reexport({ k: 'fabs' });
  t.deepEqual(await evaluateAll(jit, 'd(0 - 4);'), [4]);
});

test('a generator supplies what is missing when it is linked or looked up, and is not asked for what is there', async (t) => {
  const { jit } = await openJIT(t);
  const asked: string[] = [];
  jit.mainDylib.addGenerator(async (names, dylib) => {
    asked.push(...names);
    for (const name of names)
      if (name.startsWith('made')) await dylib.addModule(constant(name, asked.length));
  });
  await jit.addModule(calls('callMade', 'made1'));
  t.deepEqual(asked, []);
  t.deepEqual(await evaluateAll(jit, 'callMade(); callMade();'), [1, 1]);
  t.deepEqual(asked, ['made1']);
  t.is(await (await jit.lookup('made2'))(), 2);
  t.deepEqual(await evaluateAll(jit, 'extern sin(x); sin(0);'), [0]);
  await t.throwsAsync(jit.lookup('absent'), { code: 'SYMBOLS_NOT_FOUND' });
  t.deepEqual(new Set(asked), new Set(['made1', 'made2', 'sin', 'absent']));
});

test('a generator that fails has the look-up and the call fail with its error, and nothing else', async (t) => {
  const { jit } = await openJIT(t);
  jit.mainDylib.addGenerator((names) => {
    if (names.includes('cursed')) throw new Error('the generator is out of order');
  });
  await jit.addModule(calls('callCursed', 'cursed'));
  await t.throwsAsync((await jit.lookup('callCursed'))(), { message: /the generator is out of order/ });
  await t.throwsAsync(jit.lookup('cursed'), { message: 'the generator is out of order' });
  t.deepEqual(await evaluateAll(jit, '1 + 2;'), [3]);
});

test('dylibs outlive a runner', async (t) => {
  const { jit } = await openJIT(t);
  const library = jit.createDylib('library');
  await library.addModule(constant('f', 1));
  jit.mainDylib.addToLinkOrder(library);
  t.deepEqual(await evaluateAll(jit, 'extern f(); extern abort(); f();'), [1]);
  const f = await library.lookup('f');
  await t.throwsAsync((await jit.lookup('abort', { result: 'void', parameters: [] }))());
  t.is(await f(), 1);
  t.deepEqual(await evaluateAll(jit, 'f();'), [1]);
});

test('callers of a removed definition get what the process, a reexport of the link order or a generator has', async (t) => {
  const { jit } = await openJIT(t);
  const define = (source: string) => {
    const [item] = jit.parse(source);
    if (item?.kind !== 'definition') throw new Error('no definition');
    return jit.addFunctionAST(item.function);
  };
  const library = jit.createDylib('library');
  library.reexport({ f: 'sqrt' });
  jit.mainDylib.addToLinkOrder(library);
  const trackers = [define('def fabs(x) x * 100;'), define('def f(x) x + 1;')];
  t.deepEqual(await evaluateAll(jit, 'def c(x) fabs(x); def d(x) f(x); c(1); d(1);'), [100, 2]);
  for (const tracker of trackers) tracker.remove();
  t.deepEqual(await evaluateAll(jit, 'c(0 - 1); d(16); c(0 - 2);'), [1, 4, 2]);

  let value = 0;
  let made: ResourceTracker | undefined;
  jit.mainDylib.addGenerator(async (names, dylib) => {
    if (names.includes('made')) made = await dylib.addModule(constant('made', ++value));
  });
  await jit.addModule(calls('callMade', 'made'));
  t.deepEqual(await evaluateAll(jit, 'callMade();'), [1]);
  made?.remove();
  t.deepEqual(await evaluateAll(jit, 'callMade(); callMade();'), [2, 2]);
});

test('code that came through a chain of reexports follows each of them; hidden names of another dylib are no targets', async (t) => {
  const { jit } = await openJIT(t);
  const [near, far] = [jit.createDylib('near'), jit.createDylib('far')];
  await far.addModule(constant('one', 1));
  await far.addModule(constant('two', 2));
  await far.addModule(parseAssembly('define hidden double @secret() { ret double 3.0 }'));
  const middle = near.reexport({ b: { dylib: far, name: 'one' } });
  jit.mainDylib.reexport({ a: { dylib: near, name: 'b' }, spied: { dylib: far, name: 'secret' } });
  far.reexport({ open: 'secret' });
  await jit.addModule(calls('callA', 'a'));
  await jit.addModule(calls('spy', 'spied'));
  t.deepEqual(await evaluateAll(jit, 'callA();'), [1]);
  middle.remove();
  near.reexport({ b: { dylib: far, name: 'two' } });
  t.deepEqual(await evaluateAll(jit, 'callA();'), [2]);
  await t.throwsAsync((await jit.lookup('spy'))(), { message: /no definition of "spied"/ });
  t.is(await (await far.lookup('open'))(), 3);
});

test('who needs a name that a generator is being asked for waits for it; the generator itself does not', async (t) => {
  const { jit } = await openJIT(t);
  const asked: string[] = [];
  const found: unknown[] = [];
  jit.mainDylib.addGenerator(async (names, dylib) => {
    asked.push(...names);
    for (const name of names) {
      found.push(await dylib.findSymbol(name));
      await dylib.addModule(constant(name, 1));
    }
  });
  await jit.addModule(calls('callMade', 'made'));
  const values = await Promise.all(
    [jit.lookup('callMade'), jit.lookup('made')].map(async (f) => (await f)()),
  );
  t.deepEqual(values, [1, 1]);
  t.deepEqual([asked, found], [['made'], [undefined]]);
});

test('two questions to a generator that look each other up do not wait for each other', async (t) => {
  const { jit } = await openJIT(t);
  const { wait, reached, open } = gate();
  jit.mainDylib.addGenerator(async (names, dylib) => {
    if (names.includes('a')) await wait();
    await dylib.findSymbol(names.includes('a') ? 'b' : 'a');
    for (const name of names)
      if (!dylib.definedNames().includes(name)) await dylib.addModule(constant(name, 1));
  });
  const a = jit.findSymbol('a');
  await reached;
  const b = jit.findSymbol('b');
  await new Promise(setImmediate);
  open();
  t.deepEqual([(await a)?.kind, (await b)?.kind], ['function', 'function']);
});

test('what waits for a generator that does not answer ends with the session', async (t) => {
  const { jit } = await openJIT(t);
  const { wait, reached } = gate();
  jit.mainDylib.addGenerator(() => wait());
  const looking = t.throwsAsync(jit.lookup('never'), { code: 'SESSION_CLOSED' });
  await reached;
  await jit.close();
  await looking;
});
