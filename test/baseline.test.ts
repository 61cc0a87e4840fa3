import { ExecutionTrapError, type FunctionAST, type SessionEvent } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { TUTORIAL_PROGRAMS } from '#compiler/test/frontends/kaleidoscope/tutorial-programs.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

/** No libLLVM is there. */
const NO_LLVM = '/nonexistent/libLLVM.so';

type Options = Parameters<typeof openJIT>[1];

/** A JIT that makes first code itself, and cannot do anything else. */
function openBaseline(t: ExecutionContext, options: Options = {}) {
  return openJIT(t, { baseline: 'on', libLLVM: NO_LLVM, ...options });
}

/** Values and output of a program in code of the front end's own, and of LLVM. */
async function bothWays(t: ExecutionContext, text: string): Promise<void> {
  const own = await openBaseline(t);
  const llvm = await openJIT(t, { optLevel: 0 });
  const [values, expected] = [await evaluateAll(own.jit, text), await evaluateAll(llvm.jit, text)];
  t.deepEqual(values, expected, text);
  t.deepEqual(values.map(isNegativeZero), expected.map(isNegativeZero), text);
  t.is(own.printed(), llvm.printed());
  const { compiledWithoutLLVM, functionsCompiled, expressionsCompiled, llvmMs } = own.jit.statistics();
  t.is(compiledWithoutLLVM, functionsCompiled + expressionsCompiled);
  t.is(llvmMs, 0);
  await Promise.all([own.jit.close(), llvm.jit.close()]);
}

function isNegativeZero(value: number): boolean {
  return Object.is(value, -0);
}

test('the programs of the tutorial do what they do in code of LLVM', async (t) => {
  for (const { text } of TUTORIAL_PROGRAMS) await bothWays(t, text);
});

const INFINITY = `1${'0'.repeat(308)} * 10`;
const VALUES = ['0', '(0 - 1) * 0', '1', '0 - 1', '0.5', INFINITY, `0 - ${INFINITY}`, `(${INFINITY}) * 0`];

test('signs of zero, infinities and what is no number, in every operation, comparison and condition', async (t) => {
  const lines = [
    'def add(a b) a + b; def sub(a b) a - b; def mul(a b) a * b; def less(a b) a < b;',
    'def choice(a b) if a < b then 1 else 2; def truth(a b) if a then 1 else if b then 2 else 3;',
    'def again(a b) var n = 0 in (for i = 0, (i < 2) * (a < b) in n = n + 1) + n;',
    'def until(a b) var n = 0 in (for i = 0, n < 3 in n = n + (a < b) + 1) + n;',
    'def first(a b) a; def difference(a b) (a + b) - a * b;',
  ];
  for (const left of VALUES)
    for (const right of VALUES)
      for (const name of [
        'add',
        'sub',
        'mul',
        'less',
        'choice',
        'truth',
        'again',
        'until',
        'first',
        'difference',
      ])
        lines.push(`${name}(${left}, ${right});`);
  await bothWays(t, lines.join('\n'));
});

test('functions of 0 to 20 parameters, which are used, changed and passed on in another order', async (t) => {
  const lines = ['extern printd(x); def id(x) x; def less(x y) x - y;'];
  for (let count = 0; count <= 20; count++) {
    const names = Array.from({ length: count }, (_, index) => `p${index}`);
    const sum = names.map((name, index) => `${index + 2} * ${name}`).join(' - ') || '7';
    const changed = names.map((name) => `(${name} = ${name} * 2 + 1)`).join(' + ') || '8';
    lines.push(
      `def f${count}(${names.join(' ')}) ${sum};`,
      `def back${count}(${names.join(' ')}) f${count}(${names.toReversed().join(', ')});`,
      `def turn${count}(${names.join(' ')}) f${count}(${[...names.slice(1), ...names.slice(0, 1)].join(', ')}) + printd(${changed});`,
    );
    const values = names.map(
      (_, index) => `${index * 1.5 - 3 < 0 ? '0 - ' : ''}${Math.abs(index * 1.5 - 3)}`,
    );
    for (const name of ['f', 'back', 'turn']) lines.push(`${name}${count}(${values.join(', ')});`);
    // Calls in arguments of calls, in registers and in memory.
    lines.push(`f${count}(${names.map((_, index) => `less(${index}, id(${index} * 2))`).join(', ')});`);
  }
  await bothWays(t, lines.join('\n'));
});

test('calls from outside go through wrappers that are made without LLVM, of up to 20 doubles', async (t) => {
  const { jit } = await openBaseline(t);
  const counts = [0, 1, 2, 7, 8, 9, 10, 20];
  for (const count of counts) {
    const names = Array.from({ length: count }, (_, index) => `p${index}`);
    await jit.addSource(
      `def f${count}(${names.join(' ')}) ${names.map((name, index) => `${index + 1} * ${name}`).join(' + ') || 7};`,
    );
    const callable = await jit.lookup(`f${count}`);
    const values = names.map((_, index) => index - 2.5);
    const expected = values.reduce((sum, value, index) => sum + (index + 1) * value, 0);
    t.is(await callable(...values), count === 0 ? 7 : expected);
  }
  const { wrappersCompiled, functionsCompiled, compiledWithoutLLVM } = jit.statistics();
  t.deepEqual([wrappersCompiled, functionsCompiled], [counts.length, counts.length]);
  t.is(compiledWithoutLLVM, 2 * counts.length);
  // What has another type has a wrapper of LLVM's, and here there is none.
  await t.throwsAsync(
    jit.lookup('abs', { result: 'i32', parameters: ['i32'] }).then((abs) => abs(-3)),
    {
      code: 'LIBLLVM',
    },
  );
});

test('more values at a time than there are registers, and deep nesting', async (t) => {
  const right = (depth: number, leaf: (level: number) => string): string =>
    depth === 0 ? leaf(0) : `${leaf(depth)} - (${right(depth - 1, leaf)})`;
  const branches = (depth: number): string =>
    depth === 0 ? 'x' : `if x < ${depth} then ${depth} else ${branches(depth - 1)}`;
  await bothWays(
    t,
    `def id(x) x;
     def deep(x) ${right(40, (level) => `(x * ${level + 1})`)};
     def calls(x) ${right(40, (level) => `id(x * ${level + 1})`)};
     def mixed(x) ${right(40, (level) => (level % 3 === 0 ? `(if x < ${level} then x * 2 else id(x))` : `(x * ${level + 1})`))};
     def nested(x) ${'id('.repeat(200)}x${')'.repeat(200)};
     def chosen(x) ${branches(150)};
     def long(x) x${' + x * 2'.repeat(5000)};
     deep(3); calls(3); mixed(3); mixed(50); nested(4); chosen(200); chosen(17); long(0.1);`,
  );
});

test('variables that are assigned to while their value is needed, shadowed, and in loops and branches', async (t) => {
  await bothWays(
    t,
    `extern printd(x);
     def binary : 1 (x y) y;
     def order(x) x + (x = x * 3) + x * (x = 2);
     def branch(x) x + (if x < 2 then (x = 10) else x * 5) + x;
     def shadow(x) x + (var x = x * 2, y = x + 1 in x = x + y) + x;
     def leaving(x) (var a = x in var b = a in b) + (var c = 7 in c);
     def steps(n) var s = 0 in (for i = 0, i < n, (s = s + 1) * 0.5 in (for j = i, j < i + 3 in s = s + i * j)) : s;
     def loopvalue(n) n + (for i = n, i < 3 in printd(i)) * 2 + n;
     def own(n) for n = n, n < 4 in printd(n);
     def unset() var a, b = a in a + b + (a = 4) : a;
     order(2); branch(1); branch(3); shadow(5); leaving(6); steps(4); loopvalue(1); own(2); unset();`,
  );
});

test('operators, and functions that are redefined with other parameters', async (t) => {
  await bothWays(
    t,
    `def size(x) x * 2; def area(a b) size(a) * b; area(3, 4);
     def unary ! (x) if x then 0 else 1; def binary | 5 (a b) if a then 1 else if b then 1 else 0;
     !0 | !1; !(1 < 2) | 0;
     def size(x y) x * y; def area(a b) size(a, b) + 1; area(3, 4);`,
  );
});

test('names of other alphabets, which only trees have', async (t) => {
  const { jit } = await openBaseline(t);
  const [item] = jit.parse('def name(x) if x < 1 then 5 else name(x - 1) * 2;');
  if (item?.kind !== 'definition') throw new Error('no definition');
  const text = JSON.stringify(item.function).replaceAll('"name":"name"', '"name":"größe 面積"');
  const renamed = JSON.parse(text.replaceAll('"callee":"name"', '"callee":"größe 面積"')) as FunctionAST;
  jit.addFunctionAST({ ...renamed, source: item.function.source });
  const [call] = jit.parse('f(3);');
  if (call?.kind !== 'expression' || call.function.body.kind !== 'call') throw new Error('no call');
  const body = { ...call.function.body, callee: 'größe 面積' };
  t.is(await jit.evaluate({ ...call.function, body }), 40);
  t.is(jit.statistics().compiledWithoutLLVM, 2);
});

/** Functions of doubles that LLVM computes itself where their arguments are constants, with as many arguments. */
const FOLDED: Readonly<Record<number, readonly string[]>> = {
  1: [
    ...[
      'acos',
      'asin',
      'atan',
      'ceil',
      'cos',
      'cosh',
      'erf',
      'exp',
      'exp2',
      'fabs',
      'floor',
      'log',
      'log10',
      'log1p',
      'log2',
    ],
    ...['nearbyint', 'rint', 'round', 'roundeven', 'sin', 'sinh', 'sqrt', 'tan', 'tanh', 'trunc'],
  ],
  2: ['atan2', 'fmax', 'fmin', 'fmod', 'pow', 'remainder'],
};

test('library functions: what LLVM computes itself is the same up to one unit in the last place', async (t) => {
  const arguments_ = ['0', '1', '0.3', '2.75', '100', '0 - 0.7'];
  const text = Object.entries(FOLDED).flatMap(([count, names]) =>
    names.flatMap((name) => [
      `extern ${name}(${['x', 'y'].slice(0, Number(count)).join(' ')});`,
      ...arguments_.map((x) => `${name}(${[x, '2.5'].slice(0, Number(count)).join(', ')});`),
    ]),
  );
  const own = await openBaseline(t);
  const llvm = await openJIT(t, { optLevel: 2 });
  const values = await evaluateAll(own.jit, text.join('\n'));
  const expected = await evaluateAll(llvm.jit, text.join('\n'));
  const calls = text.filter((line) => !line.startsWith('extern'));
  for (const [index, value] of values.entries())
    t.true(distanceInUlps(value, expected[index] ?? 0) <= 1n, `${calls[index]} ${value}, ${expected[index]}`);
});

/** Of two doubles, as the distance of their bits in the order of numbers. */
function distanceInUlps(a: number, b: number): bigint {
  if (Object.is(a, b)) return 0n;
  const ordered = (value: number) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    const bits = view.getBigInt64(0);
    return bits < 0n ? -(bits & 0x7fff_ffff_ffff_ffffn) : bits;
  };
  const distance = ordered(a) - ordered(b);
  return distance < 0n ? -distance : distance;
}

test('a recursion without end is a stack overflow, with small frames and with frames of several pages', async (t) => {
  const names = Array.from({ length: 1200 }, (_, index) => `v${index}`);
  const programs = [
    'def deep(x) deep(x + 1) + 1; deep(1);',
    `def deep(x) var ${names.map((name) => `${name} = x`).join(', ')} in deep(x + 1) + ${names.join(' + ')}; deep(1);`,
  ];
  for (const program of programs) {
    const { jit } = await openBaseline(t);
    const [result] = await jit.addSource(program);
    if (result?.status !== 'rejected') return t.fail('it has returned');
    const error = result.reason as ExecutionTrapError;
    t.true(error instanceof ExecutionTrapError, String(error));
    t.true(error.trap.stackOverflow);
    t.is(error.symbol, 'deep');
    t.deepEqual(await evaluateAll(jit, '1 + 2;'), [3]);
    await jit.close();
  }
});

test('what has too large a frame is compiled by LLVM, and calls what is not', async (t) => {
  const names = Array.from({ length: 9000 }, (_, index) => `v${index}`);
  const { jit } = await openJIT(t, { baseline: 'on', speculate: 'off' });
  const text = `def one(x) x + 1; def wide(x) var ${names.map((name) => `${name} = x`).join(', ')} in one(v0) + v8999; wide(20);`;
  t.deepEqual(await evaluateAll(jit, text), [41]);
  const { functionsCompiled, compiledWithoutLLVM } = jit.statistics();
  t.is(functionsCompiled, 2);
  // `one` and the expression.
  t.is(compiledWithoutLLVM, 2);
});

test('a callback that fails unwinds through it, and the session goes on', async (t) => {
  const { jit } = await openBaseline(t, { speculate: 'off' });
  const results = await jit.addSource(
    'extern nowhere(x); def inner(a b c d e f g h i j) a + nowhere(j) + b; def outer(x) x * inner(1,2,3,4,5,6,7,8,9,10) + x; outer(2);',
  );
  t.is(results[0]?.status, 'rejected');
  t.regex(String((results[0] as PromiseRejectedResult).reason), /nowhere/);
  t.deepEqual(await evaluateAll(jit, 'def nowhere(x) x * 2; outer(2);'), [2 * (1 + 20 + 2) + 2]);
});

test('it becomes hot after exactly its threshold, in calls and in iterations, and is optimised', async (t) => {
  const { jit } = await openJIT(t, { baseline: 'on', hotThreshold: 10, speculate: 'off' });
  const events: SessionEvent[] = [];
  let hotMessageCount = 0;
  jit.subscribe((event) => {
    if (event.type === 'frame' && event.method === 'functionsHot') hotMessageCount++;
    if (event.type === 'tier-up') events.push(event);
  });
  await evaluateAll(jit, `def f(x) x * 2 + 1; ${'f(4);'.repeat(9)}`);
  t.is((await jit.tierOf('f'))?.count, 9);
  t.is((await jit.tierOf('f'))?.tier, 'baseline');
  t.is(hotMessageCount, 0);
  t.deepEqual(await evaluateAll(jit, 'f(4);'), [9]);
  await eventually(() => events.length === 1, 'f is optimised');
  t.deepEqual(await evaluateAll(jit, 'f(4);'), [9]);
  t.is(hotMessageCount, 1);
  const loop = 'def g(n) var s = 0 in (for i = 1, i < n in s = s + i) + s;';
  t.deepEqual(await evaluateAll(jit, `${loop} g(5);`), [15]);
  t.is((await jit.tierOf('g'))?.count, 6);
  t.deepEqual(await evaluateAll(jit, 'g(5);'), [15]);
  await eventually(() => events.length === 2, 'g is optimised');
  t.deepEqual(await evaluateAll(jit, 'g(5);'), [15]);
  const { functionsCompiled, functionsOptimized } = jit.statistics();
  t.deepEqual([functionsCompiled, functionsOptimized], [2, 2]);
  // A redefinition gives the better code up, and the new one is first made as the old one was; so is the expression.
  const before = jit.statistics().compiledWithoutLLVM;
  t.deepEqual(await evaluateAll(jit, 'def f(x) x * 3; f(4);'), [12]);
  t.is((await jit.tierOf('f'))?.count, 1);
  t.is(jit.statistics().compiledWithoutLLVM, before + 2);
});

// First, and alone: others have no libLLVM either.
test.serial('without a libLLVM what becomes hot stays as it is, and that is said once', async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  t.teardown(() => process.off('warning', note));
  const { jit } = await openBaseline(t, { hotThreshold: 5 });
  const failed: string[] = [];
  jit.subscribe((event) => {
    if (event.type === 'tier-up-failed') failed.push(event.name);
  });
  const calls = (name: string) => `${name}(1);`.repeat(20);
  await evaluateAll(jit, `def f(x) x + 1; def g(x) x + 2; ${calls('f')} ${calls('g')}`);
  await eventually(() => failed.length === 2, 'both have become hot');
  t.deepEqual(await evaluateAll(jit, 'f(1); g(1);'), [2, 3]);
  await eventually(() => warnings.length > 0, 'it is told');
  t.is(warnings.filter((warning) => /hot functions are not optimised/.test(warning.message)).length, 1);
});

test('a level, and transforms, leave all code to LLVM', async (t) => {
  for (const options of [{ optLevel: 1 }, { transforms: [(bitcode: Uint8Array) => bitcode] }] as const) {
    const { jit } = await openJIT(t, { baseline: 'on', ...options });
    t.deepEqual(await evaluateAll(jit, 'def f(x) x + 1; f(1);'), [2]);
    t.is(jit.statistics().compiledWithoutLLVM, 0);
    await jit.close();
  }
});

test('a guess costs no callback of its own: a chain is made and linked ahead', async (t) => {
  const length = 100;
  const text = Array.from({ length }, (_, index) =>
    index === length - 1 ? `def f${index}(x) x + 1;` : `def f${index}(x) f${index + 1}(x) + 1;`,
  ).join('\n');
  const { jit } = await openBaseline(t);
  t.deepEqual(await evaluateAll(jit, `${text}\nf0(0);`), [length]);
  const { functionsCompiled, compiledWithoutLLVM, compileCallbacks } = jit.statistics();
  t.is(functionsCompiled, length);
  t.is(compiledWithoutLLVM, length + 1);
  t.is(compileCallbacks, 2);
});
