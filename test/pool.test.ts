import { ConnectError, SymbolsNotFoundError } from '@farjit/compiler';
import test from 'ava';
import { kill, socketUrl, startExecutor, startExecutors } from './executor-process.js';
import { parseAssembly } from './ir-module.js';
import { eventually } from './jit-fixture.js';
import { countingCodegen, doubles, openPool } from './pool-fixture.js';

test('definitions reach all executors, and expressions have values', async (t) => {
  const executors = await startExecutors(t, 2);
  const pool = await openPool(
    t,
    executors.map(({ url }) => url),
  );
  t.deepEqual(await pool.addSource('def f(x) x + 1; def g(x) f(x) * 2; g(1); g(20);'), [
    { status: 'fulfilled', value: 4 },
    { status: 'fulfilled', value: 42 },
  ]);
  // Calls at one time are divided.
  const g = await pool.lookup('g');
  t.deepEqual(await Promise.all([g(1), g(2), g(3), g(4)]), [4, 6, 8, 10]);
  for (const { state, statistics, sessionCount } of pool.executors) {
    t.is(state, 'connected');
    t.is(sessionCount, 1);
    t.true((statistics?.calls ?? 0) >= 2);
    t.is(statistics?.functionsDefined, 2);
  }
  await t.throwsAsync(pool.lookup('nobody'), { instanceOf: SymbolsNotFoundError });
});

test('a function is compiled once for executors of one target, also when they ask at the same moment', async (t) => {
  const codegen = countingCodegen(t);
  const executors = await startExecutors(t, 3);
  const pool = await openPool(
    t,
    executors.map(({ url }) => url),
    { codegen, optLevel: 1 },
  );
  await pool.addSource('def sq(x) x * x; def f(x) sq(x) + 1;');
  const f = await pool.lookup('f');
  t.deepEqual(await Promise.all([f(1), f(2), f(3)]), [2, 5, 10]);
  t.deepEqual(codegen.compiled.map((name) => name.split(' ')[0]).sort(), ['call$double$double', 'f', 'sq']);
  const all = pool.executors.map(({ statistics }) => statistics);
  const sum = (pick: 'functionsCompiled' | 'wrappersCompiled' | 'compileCallbacks') =>
    all.reduce((total, statistics) => total + (statistics?.[pick] ?? 0), 0);
  t.is(sum('functionsCompiled'), 2);
  t.is(sum('wrappersCompiled'), 1);
  // Each has linked both.
  t.is(sum('compileCallbacks'), 6);
  await pool.map('f', doubles(1000), { chunk: 10 });
  t.deepEqual(codegen.compiled.filter((name) => name.startsWith('map$f')).length, 1);
  t.is(pool.statistics()?.loopsCompiled, 1);
});

test('speculation on many executors compiles nothing twice', async (t) => {
  const codegen = countingCodegen(t);
  const executors = await startExecutors(t, 2);
  const pool = await openPool(
    t,
    executors.map(({ url }) => url),
    { codegen, speculate: 'eager', optLevel: 1 },
  );
  const chain = Array.from({ length: 40 }, (_, i) =>
    i === 0 ? 'def c0(x) x + 1;' : `def c${i}(x) c${i - 1}(x) + 1;`,
  );
  await pool.addSource(chain.join('\n'));
  const calls = await Promise.all([pool.lookup('c39'), pool.lookup('c20')]);
  t.deepEqual(await Promise.all(calls.map((call) => call(0))), [40, 21]);
  await eventually(() => (pool.statistics()?.functionsCompiled ?? 0) >= 40, 'all are compiled');
  t.is(pool.statistics()?.functionsCompiled, 40);
});

test('a redefinition reaches every executor', async (t) => {
  const executors = await startExecutors(t, 3);
  const pool = await openPool(
    t,
    executors.map(({ url }) => url),
  );
  await pool.addSource('def inner(x) x; def f(x) inner(x) + 1;');
  const f = await pool.lookup('f');
  t.deepEqual(await Promise.all([f(1), f(1), f(1)]), [2, 2, 2]);
  await pool.addSource('def inner(x) x * 100;');
  t.deepEqual(await Promise.all([f(1), f(1), f(1)]), [101, 101, 101]);
  const tracker = pool.addFunctionAST(functionOf(pool, 'def extra(x) x;'));
  const extra = await pool.lookup('extra');
  t.is(await extra(3), 3);
  tracker.remove();
  await t.throwsAsync(pool.lookup('extra'), { instanceOf: SymbolsNotFoundError });
});

test('removing a definition that has been replaced leaves its successor', async (t) => {
  const executors = await startExecutors(t, 1);
  const pool = await openPool(
    t,
    executors.map(({ url }) => url),
  );
  const replaced = pool.addFunctionAST(functionOf(pool, 'def f(x) x;'));
  const tracker = pool.addFunctionAST(functionOf(pool, 'def f(x) x + 1;'));
  replaced.remove();
  const f = await pool.lookup('f');
  t.is(await f(1), 2);
  t.deepEqual(await pool.map('f', { columns: [Float64Array.of(1, 2)] }), Float64Array.of(2, 3));
  tracker.remove();
  await t.throwsAsync(pool.lookup('f'), { instanceOf: SymbolsNotFoundError });
});

test('what a removed definition has replaced comes back in no executor, nor in one that joins later', async (t) => {
  const [first, second] = await startExecutors(t, 2);
  if (!first || !second) return t.fail();
  const pool = await openPool(t, [first.url]);
  await pool.addModule(parseAssembly('define double @f(double %x) {\n ret double %x\n}'));
  const tracker = pool.addFunctionAST(functionOf(pool, 'def f(x) x + 1;'));
  t.is(await (await pool.lookup('f'))(1), 2);
  tracker.remove();
  await pool.addSource('extern f(x);');
  const ask = async () => (await pool.addSource('f(1);')).map(({ status }) => status);
  t.deepEqual(await ask(), ['rejected']);
  await pool.add(second.url);
  await pool.remove(first.url);
  t.deepEqual(await ask(), ['rejected']);
});

test('an executor that was lost is connected to again, knows all definitions, and compiles nothing', async (t) => {
  const codegen = countingCodegen(t);
  const [first, second] = await startExecutors(t, 2);
  if (!first || !second) return t.fail();
  const pool = await openPool(t, [first.url, second.url], { codegen, optLevel: 1 });
  await pool.addSource('def gone(x) x; def f(x) x + 1; def f(x) x + 2;');
  const f = await pool.lookup('f');
  t.deepEqual(await Promise.all([f(1), f(1)]), [3, 3]);
  const compiled = [...codegen.compiled];
  await kill(first.child);
  await eventually(() => pool.executors[0]?.state === 'lost', 'the loss is known');
  t.is(await f(2), 4);
  await startExecutor(t, first.url);
  await eventually(() => pool.executors[0]?.state === 'connected', 'it is back');
  t.is(pool.executors[0]?.sessionCount, 2);
  await kill(second.child);
  await eventually(() => pool.executors[1]?.state === 'lost', 'the other is gone');
  t.is(await f(3), 5);
  t.deepEqual(codegen.compiled, compiled);
});

test('executors are added and removed at run time', async (t) => {
  const [first, second] = await startExecutors(t, 2);
  if (!first || !second) return t.fail();
  const pool = await openPool(t, [first.url]);
  await pool.addSource('def f(x) x + 1; extern sin(x);');
  await pool.add(second.url);
  // Twice is two sessions, as through a proxy.
  await pool.add(second.url);
  t.deepEqual(
    pool.executors.map(({ url, state }) => [url, state]),
    [
      [first.url, 'connected'],
      [second.url, 'connected'],
      [second.url, 'connected'],
    ],
  );
  await pool.remove(first.url);
  t.deepEqual(
    pool.executors.map(({ url }) => url),
    [second.url, second.url],
  );
  t.deepEqual(await pool.addSource('f(1); sin(0);'), [
    { status: 'fulfilled', value: 2 },
    { status: 'fulfilled', value: 0 },
  ]);
});

test('a module reaches all executors, those that come later too, and is compiled once', async (t) => {
  const codegen = countingCodegen(t);
  const [first, second] = await startExecutors(t, 2);
  if (!first || !second) return t.fail();
  const pool = await openPool(t, [first.url], { codegen });
  const tracker = await pool.addModule(
    parseAssembly('define double @half(double %x) {\n %y = fmul double %x, 5.0e-1\n ret double %y\n}'),
  );
  t.deepEqual(tracker.names, ['half']);
  await pool.addSource('def f(x) half(x) + 1;');
  await pool.add(second.url);
  const f = await pool.lookup('f');
  t.deepEqual(await Promise.all([f(2), f(4)]), [2, 3]);
  t.is(pool.statistics()?.modulesCompiled, 1);
  t.deepEqual(await pool.map('half', Float64Array.of(1, 2, 3)), Float64Array.of(0.5, 1, 1.5));
  await t.throwsAsync(pool.addModule(parseAssembly('define double @f(double %x) {\n ret double %x\n}')), {
    code: 'LINK_ERROR',
  });
  tracker.remove();
  await t.throwsAsync(pool.map('half', Float64Array.of(1)), { instanceOf: SymbolsNotFoundError });
  await t.throwsAsync(pool.lookup('half'), { instanceOf: SymbolsNotFoundError });
});

test('a pool without any executor is none', async (t) => {
  const url = socketUrl(t);
  await t.throwsAsync(openPool(t, [url]), {
    instanceOf: ConnectError,
    message: /cannot reach an executor at/,
  });
  await t.throwsAsync(openPool(t, [url, `${url}2`]), {
    instanceOf: ConnectError,
    message: /no executor can be used:\n {2}cannot reach.*\n {2}cannot reach/,
  });
  // What can never be right is not tried.
  const [executor] = await startExecutors(t, 1);
  for (const urls of [[executor?.url ?? '', 'http://example'], ['loc al']])
    await t.throwsAsync(openPool(t, urls), { instanceOf: ConnectError, message: /is no executor address/ });
  await t.throwsAsync(openPool(t, []), { instanceOf: ConnectError });
});

function functionOf(pool: Awaited<ReturnType<typeof openPool>>, text: string) {
  const [item] = pool.parse(text);
  if (item?.kind !== 'definition') throw new Error('no definition');
  return item.function;
}
