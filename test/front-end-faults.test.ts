import { type Functions, JIT, type JITOptions } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { Calculator, type CalculatorFunction } from './calculator.js';

type Question = 'nameOf' | 'typeOf' | 'parameterCountOf' | 'addKey' | 'check' | 'emit';
const QUESTIONS: readonly Question[] = ['nameOf', 'typeOf', 'parameterCountOf', 'addKey', 'check', 'emit'];

async function open(t: ExecutionContext, options: JITOptions = {}) {
  const jit = await JIT.create(options);
  t.teardown(() => jit.close());
  return { jit, ...addCalculator(jit) };
}

function addCalculator(jit: JIT, calculator = new Calculator()) {
  const functions: Functions<CalculatorFunction> = jit.addFrontEnd(calculator);
  const define = (line: string) => functions.define(calculator.parse(line));
  const evaluate = (text: string) =>
    functions.evaluate(calculator.parseExpression(text), { deadlineMs: 10_000 });
  return { calculator, functions, define, evaluate };
}

/** A calculator that cannot answer some question about functions whose names begin with b, as long as it is broken. */
class BrokenCalculator extends Calculator {
  broken: Question | undefined;
}
for (const question of QUESTIONS) {
  const answer = Calculator.prototype[question] as (...asked: unknown[]) => unknown;
  Object.defineProperty(BrokenCalculator.prototype, question, {
    value(this: BrokenCalculator, asked: string | CalculatorFunction, ...more: unknown[]) {
      const name = typeof asked === 'string' ? asked : asked.name;
      if (this.broken === question && name.startsWith('b')) throw new Error(`no ${question}`);
      return answer.call(this, asked, ...more);
    },
  });
}

test('a front end that throws about a guess fails no call of another function, and keeps none waiting', async (t) => {
  for (const question of QUESTIONS) {
    const calculator = new BrokenCalculator();
    const jit = await JIT.create({ speculate: 'eager' });
    t.teardown(() => jit.close());
    const { define, evaluate } = addCalculator(jit, calculator);
    define('b0(x) = b1(x) + 1');
    define('b1(x) = x');
    define('caller(x) = c1(x)');
    define('c1(x) = x * 2');
    define('other(x) = b0(x) + caller(x)');
    calculator.broken = question;
    // Guesses reach b0 and b1 from here.
    await t.throwsAsync(evaluate('other(1)'), { message: new RegExp(`no ${question}`) }, question);
    t.is(await evaluate('caller(1)'), 2, question);
    calculator.broken = undefined;
    t.is(await evaluate('other(1)'), 4, question);
  }
});

test('callers learn of a function’s type where it was removed, or was another front end’s or module’s', async (t) => {
  const { jit, calculator, define, evaluate } = await open(t);
  const before = define('f(x) = x');
  define('g(x) = f(x)');
  t.is(await evaluate('g(2)'), 2);
  before.remove();
  define('f(x, y) = x + y * 1000');
  await t.throwsAsync(evaluate('g(2)'), { message: /f takes 2, g passes 1/ });

  const other = addCalculator(jit);
  define('h(x) = x');
  define('k(x) = h(x)');
  t.is(await evaluate('k(3)'), 3);
  other.define('h(x, y) = x + y * 1000');
  calculator.declare('h', 2);
  await t.throwsAsync(evaluate('k(3)'), { message: /h takes 2, k passes 1/ });

  const own = define('m(x) = x');
  define('n(x) = m(x)');
  t.is(await evaluate('n(4)'), 4);
  own.remove();
  await jit.addIR('define double @m(double %x, double %y) { ret double %y }');
  calculator.declare('m', 2);
  await t.throwsAsync(evaluate('n(4)'), { message: /m takes 2, n passes 1/ });
});

test('the same where a dylib of the link order has the name now', async (t) => {
  const { jit, calculator, define, evaluate } = await open(t);
  const library = jit.createDylib('library');
  await library.addIR('define double @f(double %x, double %y) { ret double %y }');
  jit.mainDylib.addToLinkOrder(library);
  const own = define('f(x) = x');
  define('g(x) = f(x)');
  t.is(await evaluate('g(2)'), 2);
  calculator.declare('f', 2);
  own.remove();
  await t.throwsAsync(evaluate('g(2)'), { message: /f takes 2, g passes 1/ });

  const late = jit.createDylib('late');
  await late.addIR('define double @h(double %x, double %y) { ret double %y }');
  const removed = define('h(x) = x');
  define('k(x) = h(x)');
  t.is(await evaluate('k(3)'), 3);
  removed.remove();
  calculator.declare('h', 2);
  jit.mainDylib.addToLinkOrder(late);
  await t.throwsAsync(evaluate('k(3)'), { message: /h takes 2, k passes 1/ });
});

test('callers of a function that is replaced by one of its type are not compiled again', async (t) => {
  const { jit, define, evaluate } = await open(t, { speculate: 'off' });
  define('f(x) = x');
  define('g(x) = f(x)');
  t.is(await evaluate('g(2)'), 2);
  const { functionsCompiled } = jit.statistics();
  addCalculator(jit).define('f(x) = x * 2');
  t.is(await evaluate('g(2)'), 4);
  t.is(jit.statistics().functionsCompiled, functionsCompiled + 1);
});

test('no function has, or calls, a name that means something else in the code that is made of it', async (t) => {
  const { calculator, functions, define, evaluate } = await open(t);
  const operand = { operands: [], parameter: 0 };
  const bodyOf = (name: string, callee?: string) => ({
    name,
    parameters: ['x'],
    body: callee === undefined ? operand : { callee, operands: [operand] },
  });
  for (const name of [
    'q$impl',
    'q$count',
    'q$impl$entry',
    'q$loop',
    'farjit$count',
    'llvm.sin.f64',
    '',
    'a\0b',
  ])
    t.throws(() => functions.define(bodyOf(name)), { code: 'NAME' }, name);
  t.throws(() => functions.define(bodyOf('\ud800')), { code: 'NAME' });
  for (const name of ['q', 'r', 'r$impl']) calculator.declare(name, 1);
  for (const name of ['a b', 'ü', '"', '%s', '$', 'main', 'impl', 'q$implement']) {
    calculator.declare(name, 1);
    functions.define(bodyOf(name));
    functions.define(bodyOf('q', name));
    t.is(await evaluate('q(5)'), 5, name);
  }
  functions.define(bodyOf('r', 'r$impl'));
  define('s(x) = r(x)');
  await t.throwsAsync(evaluate('s(1)'), { message: /cannot be called "r\$impl"/ });
});
