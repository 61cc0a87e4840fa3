import { Diagnostic, MaterializationError, SymbolsNotFoundError } from '@farjit/compiler';
import test from 'ava';
import { evaluateAll, holdCompilations, openJIT } from './jit-fixture.js';

test('a redefinition takes effect for callers that are compiled already', async (t) => {
  const { jit } = await openJIT(t);
  const values = await evaluateAll(
    jit,
    'def f(x) x + 1; def caller(x) f(x) * 10; caller(1); def f(x) x + 2; caller(1);',
  );
  t.deepEqual(values, [20, 30]);
  t.is(jit.statistics().functionsCompiled, 3);
});

test('a callable follows a redefinition', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) x + 1;');
  const f = await jit.lookup('f');
  t.is(await f(1), 2);
  await jit.addSource('def f(x) x + 100;');
  t.is(await f(1), 101);
});

test('a definition takes over from the process symbol that compiled callers were bound to', async (t) => {
  const { jit } = await openJIT(t);
  const values = await evaluateAll(
    jit,
    'extern fabs(x); def caller(x) fabs(x); caller(0-3); def fabs(x) 42; caller(0-3);',
  );
  t.deepEqual(values, [3, 42]);
});

test('a definition may use functions that are defined later', async (t) => {
  const { jit } = await openJIT(t);
  t.deepEqual(await evaluateAll(jit, 'def f(x) later(x); def later(x) x * 2; f(21);'), [42]);
});

test('an operator works from the line after its definition', async (t) => {
  const { jit } = await openJIT(t);
  const values = await evaluateAll(
    jit,
    'def binary| 5 (a b) if a then 1 else if b then 1 else 0;\n0 | 7;\ndef unary!(v) if v then 0 else 1;\n!(1 | 0);',
  );
  t.deepEqual(values, [1, 0]);
});

test('after a change of the parameter count, compiled callers do not pass garbage', async (t) => {
  const { jit } = await openJIT(t);
  t.deepEqual(await evaluateAll(jit, 'def f(x) x; def caller(x) f(x); caller(5);'), [5]);
  const [result] = await jit.addSource('def f(x y) x + y; caller(5);');
  t.is(result?.status, 'rejected');
  const error = result?.status === 'rejected' ? result.reason : undefined;
  t.true(error instanceof MaterializationError && error.symbol === 'caller');
  t.true(error instanceof MaterializationError && error.cause instanceof Diagnostic);
  t.deepEqual(await evaluateAll(jit, 'def f(x) x * 3; caller(5);'), [15]);
});

test('a removed function is missed by its callers, and can be defined again', async (t) => {
  const { jit } = await openJIT(t);
  const [definition] = jit.parse('def f(x) x + 1;');
  t.is(definition?.kind, 'definition');
  if (definition?.kind !== 'definition') return;
  const tracker = jit.addFunctionAST(definition.function);
  t.deepEqual(await evaluateAll(jit, 'def caller(x) f(x); caller(1);'), [2]);
  jit.removeModule(tracker);
  await t.throwsAsync(jit.lookup('f'), { instanceOf: SymbolsNotFoundError });
  const [missing] = await jit.addSource('caller(1);');
  t.is(missing?.status, 'rejected');
  t.deepEqual(await evaluateAll(jit, 'def f(x) x + 10; caller(1);'), [11]);
});

test('a call waits no longer for a compilation when what it makes is redefined or removed', async (t) => {
  for (const change of ['redefined', 'removed'] as const) {
    let heldCount = 1;
    const { reached, transforms } = holdCompilations((name) => name === 'f' && heldCount-- > 0);
    const { jit } = await openJIT(t, { transforms, speculate: 'off' });
    const [item] = jit.parse('def f(x) x;');
    if (item?.kind !== 'definition') return t.fail();
    const tracker = jit.addFunctionAST(item.function);
    await jit.addSource('def g(x) f(x);');
    const called = (await jit.lookup('g'))(1);
    await reached;
    if (change === 'redefined') {
      await jit.addSource('def f(x) x * 5;');
      t.is(await called, 5);
    } else {
      tracker.remove();
      await t.throwsAsync(called, { message: /f has been removed/ });
    }
  }
});

test('nor for the others of its module, where it was a guess', async (t) => {
  let heldCount = 1;
  const chain = Array.from({ length: 60 }, (_, i) => `def f${i}(x) ${i < 59 ? `f${i + 1}(x) + 1` : 'x'};`);
  // What is too much for the module of the function that was asked for.
  const isOfGuesses = (name: string) => /^f(?!0\b)\d+\+/.test(name);
  let held = '';
  const { reached, transforms } = holdCompilations((name) => {
    if (!isOfGuesses(name) || heldCount-- <= 0) return false;
    held = name;
    return true;
  });
  const { jit } = await openJIT(t, { transforms, speculate: 'eager' });
  await jit.addSource(chain.reverse().join('\n'));
  const called = (await jit.lookup('f0'))(0);
  await reached;
  const first = Number(/\d+/.exec(held)?.[0]);
  await jit.addSource(`def f${first}(x) x + 1000;`);
  t.is(await called, first + 1000);
});
