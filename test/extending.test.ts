import { readFileSync } from 'node:fs';
import { type Functions, JIT, type JITOptions, type SessionEvent } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { folder } from '#compiler/test/cache/folder.js';
import { CALCULATOR_FILE, Calculator, type CalculatorFunction } from './calculator.js';
import { eventually } from './jit-fixture.js';

async function open(t: ExecutionContext, lines: readonly string[], options: JITOptions = {}) {
  const events: SessionEvent[] = [];
  const jit = await JIT.create({ ...options, onEvent: (event) => events.push(event) });
  t.teardown(() => jit.close());
  const calculator = new Calculator();
  const functions: Functions<CalculatorFunction> = jit.addFrontEnd(calculator);
  const define = (line: string) => functions.define(calculator.parse(line));
  for (const line of lines) define(line);
  const evaluate = (text: string) => functions.evaluate(calculator.parseExpression(text));
  const names = (type: SessionEvent['type']) =>
    events.flatMap((event) => (event.type === type ? [event] : []));
  return { jit, calculator, define, evaluate, names };
}

const CHAIN = Array.from({ length: 20 }, (_, i) =>
  i < 19 ? `f${i}(x) = f${i + 1}(x) + 1` : 'f19(x) = x * 2',
);

test('the calculator of the example has fewer than 150 lines, and none about what the core gives it', (t) => {
  const text = readFileSync(CALCULATOR_FILE, 'utf8');
  t.true(text.trimEnd().split('\n').length < 150);
  t.notRegex(text, /lazy|stub|trampoline|cache|specul|tier|hot|optimi/i);
});

test('a front end’s functions are compiled when they are called, each once', async (t) => {
  const { jit, evaluate, names } = await open(t, [...CHAIN, 'other(x) = x'], { speculate: 'off' });
  t.is(jit.statistics().functionsCompiled, 0);
  t.is(await evaluate('f15(1) + f15(2)'), 14);
  t.is(jit.statistics().functionsCompiled, 5);
  t.is(jit.statistics().compileCallbacks, 5);
  t.is(names('guessed').length, 0);
});

test('what is sure to be called is guessed', async (t) => {
  const { jit, evaluate, names } = await open(t, CHAIN);
  t.is(await evaluate('f0(1)'), 21);
  t.true(
    jit.statistics().compileCallbacks < 10,
    `${jit.statistics().compileCallbacks} callbacks for 20 functions`,
  );
  t.true(names('guessed').length > 0);
});

test('a second session finds what the first has compiled, unless it says something else', async (t) => {
  const cacheDir = folder(t);
  const first = await open(t, CHAIN, { cacheDir });
  t.is(await first.evaluate('f0(1)'), 21);
  await first.jit.close();
  const second = await open(t, CHAIN, { cacheDir });
  t.is(await second.evaluate('f0(1)'), 21);
  t.is(second.jit.statistics().functionsCompiled, 0);
  second.define('f19(x) = x * 3');
  t.is(await second.evaluate('f0(1)'), 22);
  t.is(second.jit.statistics().functionsCompiled, 1);
});

test('a function that becomes hot is optimised with the bodies that it calls, and goes back when one changes', async (t) => {
  const lines = ['square(x) = x * x', 'sum(a, b) = square(a) + square(b)'];
  const { jit, define, names } = await open(t, lines, { hotThreshold: 50 });
  const sum = await jit.lookup('sum');
  for (let i = 0; i < 60; i++) t.is(await sum(i, 1), i * i + 1);
  await eventually(
    () => names('tier-up').some((event) => 'name' in event && event.name === 'sum'),
    'sum is optimised',
  );
  const [optimized] = names('tier-up').filter((event) => 'name' in event && event.name === 'sum');
  t.like(optimized, { available: ['square'] });
  t.is((await jit.tierOf('sum'))?.tier, 'optimized');
  t.is(await sum(3, 4), 25);
  define('square(x) = x');
  t.is(await sum(3, 4), 7);
});

test('a change of the number of parameters reaches callers, and a wrong call tells its author what is wrong', async (t) => {
  const { calculator, define, evaluate } = await open(t, ['f(x) = x', 'g(x) = f(x)']);
  t.is(await evaluate('g(2)'), 2);
  define('f(x, y) = x + y');
  await t.throwsAsync(evaluate('g(2)'), { message: /f takes 2, g passes 1/ });
  define('g(x) = f(x, 5)');
  t.is(await evaluate('g(2)'), 7);
  define('h(x) = missing(x)');
  await t.throwsAsync(evaluate('h(1)'), { message: /h calls missing, which is not defined/ });
  calculator.declare('floor', 1);
  t.is(await evaluate('floor(7 / 2) + 1 - 2 - 3'), -1);
});

test('two front ends in one JIT call each other', async (t) => {
  const { jit, calculator, evaluate } = await open(t, ['twice(x) = x * 2']);
  const other = new Calculator();
  const functions = jit.addFrontEnd(other);
  other.declare('twice', 1);
  functions.define(other.parse('fourfold(x) = twice(twice(x))'));
  calculator.declare('fourfold', 1);
  t.is(await evaluate('fourfold(3) + twice(1)'), 14);
});
