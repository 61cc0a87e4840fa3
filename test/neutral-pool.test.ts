import {
  CompileError,
  type ExpressionResult,
  IRSyntaxError,
  JITPool,
  LinkError,
  SymbolsNotFoundError,
} from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { archiveOf } from './archive-of.js';
import { Calculator } from './calculator.js';
import { kill, startExecutor, startExecutors } from './executor-process.js';
import { parseAssembly } from './ir-module.js';
import { eventually } from './jit-fixture.js';
import { countingCodegen, doubles } from './pool-fixture.js';

/** A pool that knows no language on so many executors. */
async function open(t: ExecutionContext, count: number) {
  const executors = await startExecutors(t, count);
  const codegen = countingCodegen(t);
  const pool = await JITPool.connect(
    executors.map(({ url }) => url),
    { codegen, speculate: 'off' },
  );
  t.teardown(() => pool.close());
  return { pool, codegen, executors };
}

/** The same, with the language of the example. */
async function openCalculator(t: ExecutionContext, count: number) {
  const opened = await open(t, count);
  const calculator = new Calculator();
  const functions = opened.pool.addFrontEnd(calculator);
  const define = (line: string) => functions.define(calculator.parse(line));
  const evaluate = (text: string) => functions.evaluate(calculator.parseExpression(text));
  return { ...opened, calculator, functions, define, evaluate };
}

test('a module is read once, defined on every executor, called and mapped without any language', async (t) => {
  const { pool, codegen, executors } = await open(t, 2);
  const half = 'define double @half(double %x) {\n %y = fmul double %x, 5.0e-1\n ret double %y\n}';
  const tracker = await pool.addModule(parseAssembly(half));
  const later = await startExecutor(t);
  await pool.add(later.url);
  t.is(codegen.readCount, 1);
  const callable = await pool.lookup('half');
  t.deepEqual(await Promise.all([callable(2), callable(4), callable(6)]), [1, 2, 3]);
  t.is(pool.statistics()?.modulesCompiled, 1);
  const data = doubles(6000);
  t.deepEqual(
    await pool.map('half', data, { chunk: 100 }),
    data.map((x) => x / 2),
  );
  const { executors: figures } = pool;
  t.is(figures.length, executors.length + 1);
  t.true(
    figures.every(({ chunks, statistics }) => chunks === statistics?.roundTrips.callAndRead && chunks > 0),
  );
  t.is(pool.statistics()?.loopsCompiled, 1);
  await t.throwsAsync(pool.addModule(parseAssembly(half)), { instanceOf: LinkError });
  // What nobody says the types of is called with a signature.
  const sine = await pool.lookup('sin', { result: 'double', parameters: ['double'] });
  t.is(await sine(0), 0);
  tracker.remove();
  await t.throwsAsync(pool.lookup('half'), { instanceOf: SymbolsNotFoundError });
  await t.throwsAsync(pool.map('half', data), { instanceOf: SymbolsNotFoundError });
});

test('LLVM assembly is read for all executors as for one, and what is refused is defined on none', async (t) => {
  const { pool, codegen } = await open(t, 2);
  const twice = 'define double @twice(double %x) {\n %y = fadd double %x, %x\n ret double %y\n}';
  await pool.addIR(twice, { name: 'twice.ll' });
  t.is(codegen.readCount, 1);
  t.deepEqual(await pool.map('twice', Float64Array.of(1, 2, 3)), Float64Array.of(2, 4, 6));
  const elsewhere = 'target triple = "aarch64-unknown-linux-gnu"\ndefine void @far() {\n ret void\n}';
  await t.throwsAsync(pool.addIR(elsewhere), { instanceOf: CompileError });
  await t.throwsAsync(pool.addModule(parseAssembly(elsewhere)), { instanceOf: CompileError });
  await t.throwsAsync(pool.addIR('define', { name: 'cut.ll' }), { instanceOf: IRSyntaxError });
  await t.throwsAsync(pool.lookup('far'), { instanceOf: SymbolsNotFoundError });
  t.is(pool.statistics()?.modulesCompiled, 1);
});

test('C, objects and archives reach all executors, and are read, split and compiled once', async (t) => {
  const { pool, codegen } = await open(t, 2);
  await pool.addC('double half(double x) { return x / 2; } int many(const char *s) { return s[0]; }', {
    name: 'half.c',
  });
  t.is(codegen.readCount, 1);
  const object = (source: string) => compile(source, ['-O1', '-fPIC']);
  const third = object('double half(double); double third(double x) { return half(x) * 2 / 3; }');
  const tracker = await pool.addObject(third, { name: 'third.o', signatures: { third: 'double(double)' } });
  const archive = archiveOf(t, {
    'quarter.o': object('double half(double); double quarter(double x) { return half(half(x)); }'),
    'start.o': object(
      'int n; __attribute__((constructor)) void start(void) { n++; } int begun(void) { return n; }',
    ),
  });
  await pool.addArchive(archive, { name: 'libq.a' });
  const data = doubles(6000);
  const halves = data.map((x) => x / 2);
  t.deepEqual(await pool.map('half', data, { chunk: 100 }), halves);
  t.is(pool.statistics()?.modulesCompiled, 1);
  const figures = () => pool.executors.map(({ chunks }) => chunks);
  t.true(figures().every((chunks) => chunks > 0));
  const later = await startExecutor(t);
  await pool.add(later.url);
  const called = await pool.lookup('third');
  t.deepEqual(await Promise.all([called(3), called(6), called(9)]), [1, 2, 3]);
  const quarter = await pool.lookup('quarter', 'double(double)');
  t.deepEqual(await Promise.all([quarter(4), quarter(8), quarter(12)]), [1, 2, 3]);
  t.is(pool.statistics()?.modulesCompiled, 1);
  t.deepEqual(
    await pool.map('third', data, { chunk: 500 }),
    data.map((x) => ((x / 2) * 2) / 3),
  );
  const many = await pool.lookup('many', 'i32(ptr)');
  t.is(await many('a'), 97);
  await t.throwsAsync(pool.map('many', data), {
    code: 'BAD_ARGUMENT',
    message: /many is not a function of doubles/,
  });
  const twice = archiveOf(t, { 'twice.o': object('double twice(double x) { return x * 2; }') });
  const removable = await pool.addArchive(twice, { name: 'libt.a' });
  t.is(await (await pool.lookup('twice', 'double(double)'))(2), 4);
  removable.remove();
  await t.throwsAsync(pool.lookup('twice', 'double(double)'), { code: 'SYMBOLS_NOT_FOUND' });
  const begun = await pool.lookup('begun', 'i32()');
  t.deepEqual(await Promise.all([begun(), begun(), begun()]), [1, 1, 1]);
  tracker.remove();
  await t.throwsAsync(called(3), { code: 'SYMBOLS_NOT_FOUND' });
});

test('a language is added to a pool as to a JIT, and executors that join or come back know what it has defined', async (t) => {
  const { pool, executors, define, evaluate } = await openCalculator(t, 2);
  const [first, second] = executors;
  if (!first || !second) return t.fail();
  define('square(x) = x');
  define('square(x) = x * x');
  const extra = define('extra(x) = x');
  define('norm(x, y) = square(x) + square(y)');
  t.is(await evaluate('norm(3, 4)'), 25);
  const norm = await pool.lookup('norm');
  t.deepEqual(await Promise.all([norm(1, 2), norm(2, 3)]), [5, 13]);
  extra.remove();
  await t.throwsAsync(evaluate('extra(1)'));
  await kill(first.child);
  await eventually(() => pool.executors[0]?.state === 'lost', 'the loss is known');
  t.is(await norm(3, 4), 25);
  await startExecutor(t, first.url);
  await eventually(() => pool.executors[0]?.state === 'connected', 'it is back');
  await kill(second.child);
  await eventually(() => pool.executors[1]?.state === 'lost', 'the other is gone');
  t.deepEqual([await norm(5, 12), await evaluate('norm(1, 1)')], [169, 2]);
  await t.throwsAsync(pool.lookup('extra'), { instanceOf: SymbolsNotFoundError });
});

test('a function of any language is mapped, as it is when a chunk begins', async (t) => {
  const { pool, define } = await openCalculator(t, 2);
  define('square(x) = x * x');
  define('norm(x, y) = square(x) + square(y)');
  const x = doubles(1000);
  const y = x.map((value) => -value);
  t.deepEqual(
    await pool.map('norm', { columns: [x, y] }, { chunk: 100 }),
    x.map((value) => value * value * 2),
  );
  define('square(x) = x');
  t.deepEqual(
    await pool.map('norm', { columns: [x, y] }),
    x.map(() => 0),
  );
});

test('expressions of any language are evaluated on all executors and delivered in order, the stateful ones on one', async (t) => {
  const { pool, calculator, functions, define } = await openCalculator(t, 2);
  calculator.declare('drand48', 0);
  calculator.declare('sqrt', 1);
  define('square(x) = x * x');
  define('random() = square(drand48())');
  const evaluateInOrder = async (texts: readonly string[]) => {
    const results: ExpressionResult[] = [];
    await functions.evaluateInOrder(
      texts.map((text) => calculator.parseExpression(text)),
      { output: () => {}, result: (_, result) => void results.push(result) },
    );
    return results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason));
  };
  const numbers = Array.from({ length: 40 }, (_, index) => index);
  t.deepEqual(await evaluateInOrder(numbers.map((n) => `sqrt(square(${n}))`)), numbers);
  const calls = () => pool.executors.map(({ statistics }) => statistics?.calls ?? 0);
  const before = calls();
  t.true(
    before.every((count) => count > 0),
    before.join(' and '),
  );
  // Each process has the same sequence.
  t.is(new Set(await evaluateInOrder(numbers.map(() => 'random()'))).size, numbers.length);
  t.deepEqual(
    calls()
      .map((count, index) => count - (before[index] ?? 0))
      .sort((a, b) => a - b),
    [0, numbers.length],
  );
});
