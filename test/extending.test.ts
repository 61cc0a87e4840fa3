import { readFileSync } from 'node:fs';
import {
  DOUBLE,
  type FirstCodeRequest,
  type FrontEnd,
  type Functions,
  FunctionType,
  JIT,
  type JITOptions,
  type KeyBytes,
  LinkGraph,
  LinkSymbol,
  type SessionEvent,
  x86_64,
} from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { folder } from '#compiler/test/cache/folder.js';
import { CALCULATOR_FILE, Calculator, type CalculatorFunction } from './calculator.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

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

interface Constant {
  readonly name: string;
  readonly value: number;
}

/** A language of functions that take nothing and give a number, which it makes code of itself. */
class Constants implements FrontEnd<Constant> {
  readonly name = 'constants';
  readonly #type = new FunctionType(DOUBLE, []);

  nameOf({ name }: Constant): string {
    return name;
  }

  typeOf(): FunctionType {
    return this.#type;
  }

  parameterCountOf(): number | undefined {
    return 0;
  }

  callsOf(): [] {
    return [];
  }

  sizeOf(): number {
    return 1;
  }

  addKey({ name, value }: Constant, bytes: KeyBytes): void {
    bytes.string(name);
    bytes.double(value);
  }

  check(): void {}

  emit({ value }: Constant, { ir }: Parameters<FrontEnd<Constant>['emit']>[1]): void {
    ir.ret(ir.double(value));
  }

  firstCode({ value }: Constant, { target, symbol, entry }: FirstCodeRequest): LinkGraph | undefined {
    if (!target.triple.startsWith('x86_64-') || entry !== undefined) return undefined;
    // movabs $value, %rax; movq %rax, %xmm0; ret
    const content = Uint8Array.of(0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0x66, 0x48, 0x0f, 0x6e, 0xc0, 0xc3);
    new DataView(content.buffer).setFloat64(2, value, true);
    const graph = new LinkGraph(symbol, x86_64);
    const block = graph.addBlock(graph.section('.text', 'code'), content, content.byteLength);
    const named = { name: symbol, kind: 'defined', scope: 'default', callable: true, live: true } as const;
    graph.addSymbol(new LinkSymbol({ ...named, block, sizeBytes: content.byteLength }));
    return graph;
  }
}

test('another front end makes its first code itself, which is called and replaced as any other, and made again by the next session', async (t) => {
  const cacheDir = folder(t);
  const run = async (options: JITOptions, value: number) => {
    const { jit } = await openJIT(t, { cacheDir, ...options });
    const constants = jit.addFrontEnd(new Constants());
    constants.define({ name: 'answer', value });
    const values = await evaluateAll(jit, 'extern answer(); def f(x) x + answer(); f(1);');
    constants.define({ name: 'answer', value: value + 1 });
    values.push(...(await evaluateAll(jit, 'f(1);')));
    const asm = await jit.print('answer', 'asm');
    const { compiledWithoutLLVM, functionsCompiled } = jit.statistics();
    await jit.close();
    return { values, asm, compiledWithoutLLVM, functionsCompiled };
  };
  const libLLVM = '/nonexistent/libLLVM.so';
  const own = await run({ baseline: 'on', libLLVM }, 41);
  t.deepEqual(own.values, [42, 43]);
  // Both answers, f, and the expression, twice.
  t.deepEqual([own.compiledWithoutLLVM, own.functionsCompiled], [5, 3]);
  t.regex(own.asm ?? '', /answer\$impl.*\n\t\.byte 0x48, 0xb8/);
  const again = await run({ baseline: 'on', libLLVM }, 41);
  t.deepEqual(again, own);
  const llvm = await run({ baseline: 'off' }, 41);
  t.deepEqual([llvm.values, llvm.compiledWithoutLLVM, llvm.functionsCompiled], [[42, 43], 0, 3]);
});

test('first code cannot call what no code can call, and has to define what it is for', async (t) => {
  class Wrong extends Constants {
    override firstCode(body: Constant, request: FirstCodeRequest): LinkGraph | undefined {
      if (body.value === 1) return super.firstCode(body, { ...request, symbol: 'other' });
      const graph = super.firstCode(body, request);
      graph?.addSymbol(new LinkSymbol({ name: 'farjit$secret', kind: 'external', scope: 'default' }));
      return graph;
    }
  }
  const { jit } = await openJIT(t, { baseline: 'on' });
  const wrong = jit.addFrontEnd(new Wrong());
  wrong.define({ name: 'one', value: 1 });
  wrong.define({ name: 'two', value: 2 });
  const results = await jit.addSource('extern one(); extern two(); one(); two(); 3;');
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  );
  const [one, two] = results.map((result) => String((result as PromiseRejectedResult).reason));
  t.regex(one ?? '', /one/);
  t.regex(two ?? '', /reserved/);
});
