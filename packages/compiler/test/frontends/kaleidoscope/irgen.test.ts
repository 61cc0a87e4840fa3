import { readFileSync } from 'node:fs';
import { FarJITError } from '@farjit/protocol/errors';
import test from 'ava';
import type { PrototypeAST } from '../../../src/frontends/kaleidoscope/ast.js';
import { Diagnostic } from '../../../src/frontends/kaleidoscope/diagnostic.js';
import { textOf } from '../../ir/module-of.js';
import { evaluate } from './evaluate.js';
import { generate, type IRGenRequest } from './generate.js';
import { executingTest } from './lli.js';
import { onlyFunction, parse } from './parse.js';
import { TUTORIAL_PROGRAMS } from './tutorial-programs.js';

const EXAMPLES = new URL('../../../../../../examples/', import.meta.url);

for (const { title, text, lines } of TUTORIAL_PROGRAMS) {
  executingTest(`runs as the tutorial's toy: ${title}`, async (t) => {
    t.deepEqual(await evaluate(text), lines);
  });
}

executingTest('duplicate names in one var shadow in order and are all restored', async (t) => {
  t.deepEqual(await evaluate('def f(a) (var a = 1, a = a + 1 in a) + a; f(40);'), ['= 42.000000']);
});

executingTest('an operator is usable in its own body', async (t) => {
  t.deepEqual(await evaluate('def binary^ 50 (x n) if n < 1 then 1 else x * (x ^ (n-1)); 2 ^ 10;'), [
    '= 1024.000000',
  ]);
});

executingTest('a body may call a function defined later', async (t) => {
  const text =
    'def even(n) if n < 1 then 1 else odd(n-1); def odd(n) if n < 1 then 0 else even(n-1); even(10); even(7);';
  t.deepEqual(await evaluate(text), ['= 1.000000', '= 0.000000']);
});

executingTest('a sum as long as a function may be is compiled', async (t) => {
  t.deepEqual(await evaluate(`1${'+1'.repeat(24_999)};`), ['= 25000.000000']);
});

executingTest('the mandelbrot example draws', async (t) => {
  const lines = await evaluate(readFileSync(new URL('mandelbrot.ks', EXAMPLES), 'utf8'));
  t.is(lines.length, 42);
  t.is(lines[3], `${'*'.repeat(36)}+++++...++++++${'*'.repeat(29)}`);
  t.is(lines[19], `${'*'.repeat(7)}+... ....${' '.repeat(37)}...++++${'*'.repeat(19)}`);
  t.is(lines[41], '= 0.000000');
});

executingTest('the other examples evaluate', async (t) => {
  const example = (name: string) => evaluate(readFileSync(new URL(name, EXAMPLES), 'utf8'));
  t.deepEqual(await example('fib.ks'), ['= 55.000000', '= 55.000000', '= 55.000000', '= 0.000000']);
  t.deepEqual(await example('operators.ks'), [
    '1024.000000',
    '3.500000',
    '-0.250000',
    '= 0.000000',
    '= 1.000000',
    '= 1.000000',
    '= 1.000000',
  ]);
});

/** Requests for every function of a text as `name$impl`, and a lookup that knows all its prototypes. */
function requestsOf(text: string): [IRGenRequest[], (name: string) => PrototypeAST | undefined] {
  const { items, diagnostics } = parse(text);
  if (diagnostics[0]) throw diagnostics[0];
  const prototypes = new Map<string, PrototypeAST>();
  const requests: IRGenRequest[] = [];
  for (const item of items) {
    const prototype = item.kind === 'extern' ? item.prototype : item.function.prototype;
    prototypes.set(prototype.name, prototype);
    if (item.kind !== 'extern') {
      requests.push({ function: item.function, implementationName: `${prototype.name}$impl` });
    }
  }
  return [requests, (name) => prototypes.get(name)];
}

test('bodies get the implementation name, calls go to declarations of the plain name', async (t) => {
  const generated = generate(...requestsOf('extern sin(x); def f(x) f(x) + sin(x); def g() f(1)'));
  const ir = await textOf(generated);
  t.regex(ir, /^define double @"f\$impl"\(double %x\)/m);
  t.regex(ir, /^define double @"g\$impl"\(\)/m);
  t.deepEqual(ir.match(/^declare .*$/gm), ['declare double @f(double)', 'declare double @sin(double)']);
  t.deepEqual(ir.match(/call .*$/gm), [
    'call double @f(double %x)',
    'call double @sin(double %x)',
    'call double @f(double 1.000000e+00)',
  ]);
});

test('a body with the plain name is called directly', async (t) => {
  const [requests, prototypeOf] = requestsOf('def g() f(); def f() 1');
  const direct = requests.map((request) => ({
    ...request,
    implementationName: request.function.prototype.name,
  }));
  const generated = generate(direct, prototypeOf);
  t.notRegex(await textOf(generated), /declare/);
});

test('operators are called under the names of the tutorial', async (t) => {
  const [requests, prototypeOf] = requestsOf('def unary!(v) v; def binary: 1 (x y) y; !1 : 2');
  const generated = generate(requests.slice(2), prototypeOf);
  t.deepEqual((await textOf(generated)).match(/^declare .*$/gm), [
    'declare double @"unary!"(double)',
    'declare double @"binary:"(double, double)',
  ]);
});

test('an entry calls the expression and stores its value', async (t) => {
  const [[request], prototypeOf] = requestsOf('1+2');
  if (!request) return t.fail('no request');
  const generated = generate([{ ...request, withEntry: true }], prototypeOf);
  t.regex(await textOf(generated), /define void @"__anon_expr\$impl\$entry"\(i8\* %0\)/);
});

test('modules that are made by one generator do not meet', async (t) => {
  const first = generate(...requestsOf('def f(x) g(x); def g(x) x'));
  const second = generate(...requestsOf('def f(x y) g(); def g() 1'));
  t.regex(await textOf(first), /declare double @g\(double\)/);
  t.regex(await textOf(second), /declare double @g\(\)/);
});

function failureOf(
  t: { is: (actual: unknown, expected: unknown) => unknown; true: (actual: unknown) => unknown },
  text: string,
): string {
  try {
    generate(...requestsOf(text));
  } catch (error) {
    if (!(error instanceof Diagnostic)) throw error;
    t.true(generate(...requestsOf('def fine() 1')).finish().byteLength > 0);
    t.is(error.code, 'SEMANTIC_ERROR');
    return error.render();
  }
  throw new Error('nothing was wrong');
}

test('an unknown function is an error with its place', (t) => {
  t.is(
    failureOf(t, 'def f(x)\n  x + missing(x)'),
    "test.ks:2:7: error: unknown function 'missing'\n  x + missing(x)\n      ^",
  );
});

test('a wrong number of arguments is an error with its place', (t) => {
  t.is(
    failureOf(t, 'extern g(a b)\ndef f(x) if x then g(x, 1) else g(x)'),
    "test.ks:2:33: error: incorrect number of arguments: 'g' takes 2, this call has 1\n" +
      'def f(x) if x then g(x, 1) else g(x)\n' +
      `${' '.repeat(32)}^`,
  );
});

test('the first wrong call in the order of evaluation is reported', (t) => {
  t.regex(failureOf(t, 'def f() a(b())'), /unknown function 'b'/);
});

test('recursion is checked against the prototype in force, not its own', (t) => {
  const fn = onlyFunction('def f(x) f(x)');
  const [, prototypeOf] = requestsOf('def f(x y) x');
  const error = t.throws(() => generate([{ function: fn, implementationName: 'f$impl' }], prototypeOf));
  t.is(error?.message, "incorrect number of arguments: 'f' takes 2, this call has 1");
});

test('an operator whose function is gone is an error', (t) => {
  const { items } = parse('def binary@ 5 (a b) a; def f(x) x @ x');
  const last = items.at(-1);
  if (last?.kind !== 'definition') return t.fail('the last item is no definition');
  const request = { function: last.function, implementationName: 'f$impl' };
  const error = t.throws(() => generate([request], () => undefined), {
    instanceOf: Diagnostic,
  });
  t.is(error?.message, "unknown function 'binary@'");
  t.is(error?.column, 35);
});

test('a tree made by hand with an unknown variable is refused before it reaches LLVM', (t) => {
  const fn = onlyFunction('def f(x) x');
  const broken = { ...fn, body: { kind: 'variable', name: 'y', range: fn.body.range } } as const;
  const error = t.throws(
    () => generate([{ function: broken, implementationName: 'f$impl' }], () => undefined),
    { instanceOf: Diagnostic },
  );
  t.is(error?.message, "unknown variable name 'y'");
});

test('a name used twice and an entry for a function with parameters are internal errors', (t) => {
  const [requests, prototypeOf] = requestsOf('def f(x) x');
  const twice = t.throws(() => generate([...requests, ...requests], prototypeOf), {
    instanceOf: FarJITError,
  });
  t.is(twice?.code, 'INTERNAL');
  t.regex(twice?.message ?? '', /'f\$impl'/);
  const entries = requests.map((request) => ({ ...request, withEntry: true }));
  t.is(t.throws(() => generate(entries, prototypeOf), { instanceOf: FarJITError })?.code, 'INTERNAL');
  t.true(generate(requests, prototypeOf).finish().byteLength > 0);
});

/** The IR of requests whose bodies call each other. */
function irOf(...requests: IRGenRequest[]): Promise<string> {
  const prototypes = new Map(requests.map(({ function: fn }) => [fn.prototype.name, fn.prototype]));
  return textOf(generate(requests, (name) => prototypes.get(name)));
}

test('a counted body counts at entry and at the end of each iteration, an uncounted one nowhere', async (t) => {
  const fn = onlyFunction('def f(n) (for i = 1, i < n in (for j = 1, j < n in j)) + n;');
  const counting = { function: 'count', counter: 'f$counter' };
  const counts = (text: string) => text.match(/call void @count\(void \(\)\* @"f\$counter"\)/g)?.length ?? 0;
  const counted = await irOf({ function: fn, implementationName: 'f$impl', counting });
  t.is(counts(counted), 3);
  t.regex(counted, /^entry:\n( +%. = alloca .*\n)* +call void @count/m);
  t.is(counted.match(/declare void @count/g)?.length, 1);
  const plain = await irOf({ function: fn, implementationName: 'f$impl' });
  t.false(plain.includes('count'));
});

test('functions counted side by side share what counts, and each has its own counter', async (t) => {
  const requests = ['f', 'g'].map((name) => ({
    function: onlyFunction(`def ${name}(x) x;`),
    implementationName: `${name}$impl`,
    counting: { function: 'count', counter: `${name}$counter` },
  }));
  const text = await irOf(...requests);
  t.is(text.match(/declare void @count/g)?.length, 1);
  for (const name of ['f', 'g']) t.regex(text, new RegExp(`@count\\(void \\(\\)\\* @"${name}\\$counter"\\)`));
});

test('a body that is there to be inlined keeps its public name, and calls of the function itself are direct', async (t) => {
  const text = await irOf(
    {
      function: onlyFunction('def f(x) f(x) + g(x);'),
      implementationName: 'f$impl',
      isCalledDirectly: true,
    },
    { function: onlyFunction('def g(x) f(x) + g(x);'), implementationName: 'g', isAvailableExternally: true },
  );
  t.regex(text, /define double @"f\$impl"/);
  t.regex(text, /define available_externally double @g\(/);
  t.is(text.match(/call double @"f\$impl"/g)?.length, 2);
  t.is(text.match(/call double @g\(/g)?.length, 2);
  t.notRegex(text, /@f\(/);
});
