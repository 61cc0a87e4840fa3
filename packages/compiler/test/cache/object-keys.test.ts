import test from 'ava';
import {
  type CalleeMeaning,
  compilationEnvironment,
  KeyEnvironmentError,
  ObjectKeys,
  programKey,
} from '../../src/cache/object-keys.js';
import type { FunctionAST } from '../../src/frontends/kaleidoscope/ast.js';
import { addFunctionBytes } from '../../src/frontends/kaleidoscope/ast-bytes.js';
import { callees } from '../../src/frontends/kaleidoscope/call-graph.js';
import { LibLLVMError } from '../../src/llvm/errors.js';
import { findLibLLVM, isSupported, listLibLLVMs } from '../../src/llvm/find-libllvm.js';
import { functionsOf } from '../frontends/kaleidoscope/parse.js';

const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '+sse2' };
const LIBRARY = findLibLLVM().path;

interface Circumstances {
  readonly source?: string;
  readonly kind?: 'function' | 'expression';
  readonly frontEnd?: string;
  readonly codegen?: string;
  readonly meanings?: Readonly<Record<string, CalleeMeaning>>;
  readonly inlined?: readonly string[];
  readonly environment?: Uint8Array;
}

const SOURCE = 'def f(x y) if x < 1 then g(x) else var a = 2.5, b in (for i = x, i < y, 1 in a = h(i)) - b;';
const OWN = { parameterCount: 1, isDefined: true };
const FOREIGN = { parameterCount: 1, isDefined: false };

function parsed(source: string): FunctionAST {
  const fn = functionsOf(source).at(-1);
  if (!fn) throw new Error(`${source} has no function`);
  return fn;
}

/** The key under these circumstances; a new maker each time, so that nothing is remembered. */
function keyIn(circumstances: Circumstances = {}): string {
  const {
    source = SOURCE,
    kind = 'function',
    frontEnd = 'kaleidoscope',
    codegen = 'O1',
    meanings = { g: OWN, h: OWN },
    inlined = [],
    environment = compilationEnvironment(TARGET, () => LIBRARY),
  } = circumstances;
  const fn = parsed(source);
  const meaningOf = (name: string) => meanings[name] ?? { parameterCount: undefined, isDefined: false };
  const keys = new ObjectKeys(() => environment);
  const key = keys.ofFunction(
    kind,
    codegen,
    [fn, ...inlined.map(parsed)],
    { name: frontEnd, addKey: addFunctionBytes },
    callees(fn),
    meaningOf,
  );
  return Buffer.from(key).toString('hex');
}

const SAME: Record<string, Circumstances> = {
  'nothing at all': {},
  'white space and comments': { source: SOURCE.replaceAll(' ', '  # so\n ') },
  'the place in the source': { source: `def other(x) x;\n\n${SOURCE}` },
  'parentheses that change nothing': { source: SOURCE.replace('x < 1', '((x) < (1))') },
  'the spelling of a number': { source: SOURCE.replace('2.5', '2.50') },
  'the meaning of a name that is not called': { meanings: { g: OWN, h: OWN, k: FOREIGN } },
};

const DIFFERENT: Record<string, Circumstances> = {
  "the function's name": { source: SOURCE.replace('f(', 'ff(') },
  'a number': { source: SOURCE.replace('2.5', '2.25') },
  'the sign of zero': { source: SOURCE.replace('2.5', '0.0') },
  'an operator': { source: SOURCE.replace('- b', '+ b') },
  'the order of operands': { source: SOURCE.replace('x < 1', '1 < x') },
  'a variable': { source: SOURCE.replace('= x, i', '= y, i') },
  'the number of parameters': { source: SOURCE.replace('(x y)', '(x y z)') },
  'the order of parameters': { source: SOURCE.replace('(x y)', '(y x)') },
  'a callee': { source: SOURCE.replace('g(', 'h(') },
  'a step that was left out': { source: SOURCE.replace(', 1 in', ' in') },
  'an initializer': { source: SOURCE.replace(', b in', ', b = 0 in') },
  'the order of bindings': { source: SOURCE.replace('a = 2.5, b', 'b, a = 2.5') },
  'branches that change places': {
    source: SOURCE.replace('then g(x) else', 'then 1 else').replace('- b', '- g(x)'),
  },
  'a callee that takes more': { meanings: { g: { parameterCount: 2, isDefined: true }, h: OWN } },
  "a callee that is the process's": { meanings: { g: FOREIGN, h: OWN } },
  "the other callee that is the process's": { meanings: { g: OWN, h: FOREIGN } },
  'a callee that nobody knows': { meanings: { g: OWN } },
  'a callee that is inlined': { inlined: ['def g(x) x;'] },
  'an expression in place of a function': { kind: 'expression' },
  'the level': { codegen: 'O2' },
  'the front end': { frontEnd: 'calculator' },
  'the triple': {
    environment: compilationEnvironment({ ...TARGET, triple: 'x86_64-unknown-linux-gnu' }, () => LIBRARY),
  },
  'the CPU': { environment: compilationEnvironment({ ...TARGET, cpuName: 'skylake' }, () => LIBRARY) },
  'the features': {
    environment: compilationEnvironment({ ...TARGET, cpuFeatures: '+sse2,+avx' }, () => LIBRARY),
  },
};

for (const [what, circumstances] of Object.entries(SAME))
  test(`the key does not depend on ${what}`, (t) => t.is(keyIn(circumstances), keyIn()));

test('the key depends on everything else', (t) => {
  const keys = new Map([[keyIn(), 'the function itself']]);
  for (const [what, circumstances] of Object.entries(DIFFERENT)) {
    const key = keyIn(circumstances);
    t.is(keys.get(key), undefined, what);
    keys.set(key, what);
  }
});

test('the key depends on what is inlined, and on its order', (t) => {
  const [g, h] = ['def g(x) x;', 'def h(x) x + 1;'];
  const keys = [[], [g], [h], [g, h], [h, g], ['def g(x) x + 1;']].map((inlined) =>
    keyIn({ inlined: inlined as string[] }),
  );
  t.is(new Set(keys).size, keys.length);
});

test('the key depends on the libLLVM', (t) => {
  const keys = listLibLLVMs()
    .filter(isSupported)
    .map(({ path }) => keyIn({ environment: compilationEnvironment(TARGET, () => path) }));
  t.is(new Set(keys).size, keys.length);
  t.true(keys.length > 0);
});

test('the operator that a character means is in the key', (t) => {
  const unary = keyIn({ source: 'def unary - (x) 0; def f(x) -x;', meanings: { 'unary-': OWN } });
  const binary = keyIn({ source: 'def f(x) 0 - x;' });
  t.not(unary, binary);
  // Precedence is what decides which tree a text is.
  const tree = (precedence: number) =>
    keyIn({
      source: `def binary | ${precedence} (a b) a; def f(x) x | x + x;`,
      meanings: { 'binary|': { parameterCount: 2, isDefined: true } },
    });
  t.not(tree(5), tree(30));
  t.is(tree(5), tree(6));
});

test('strings that run into each other do not make equal keys', (t) => {
  t.not(keyIn({ source: 'def f(ab c) ab;' }), keyIn({ source: 'def f(a bc) a;' }));
  t.not(keyIn({ source: 'def f(a b) g(a, b);' }), keyIn({ source: 'def f(a b) g(a) + b;' }));
});

test('a chain as long as a program can be has a key', (t) => {
  const long = `def f(x) x${' + x'.repeat(20_000)};`;
  t.not(keyIn({ source: long }), keyIn({ source: long.replace('+ x;', '- x;') }));
});

test('wrappers, modules and programs have keys of their own', (t) => {
  const keys = new ObjectKeys(() => compilationEnvironment(TARGET, () => LIBRARY));
  const bytes = Buffer.from('call$double');
  const all = [
    keys.ofWrapper('call$double', 'O1'),
    keys.ofWrapper('call$double$double', 'O1'),
    keys.ofWrapper('call$double', 'O2'),
    keys.ofModule(bytes, 'O1', []),
    keys.ofModule(bytes, 'O1', ['fabs']),
    keys.ofModule(bytes, 'O1', ['fabs', 'sin']),
    keys.ofModule(bytes, 'O2', []),
    keys.ofModule(Buffer.from('call$doublE'), 'O1', []),
    programKey('call$double', () => LIBRARY, undefined),
    programKey('call$double', () => LIBRARY, 2),
    programKey('call$doublE', () => LIBRARY, undefined),
  ].map((key) => Buffer.from(key).toString('hex'));
  t.is(new Set(all).size, all.length);
});

test('only a libLLVM that is not there, or cannot be read, leaves keys without what they begin with', (t) => {
  const missing = () => compilationEnvironment(TARGET, () => '/nowhere/libLLVM.so');
  const { cause } = t.throws(missing, { instanceOf: KeyEnvironmentError }) ?? {};
  t.like(cause, { code: 'ENOENT' });
  const fault = new TypeError('no path');
  const failing = () =>
    compilationEnvironment(TARGET, () => {
      throw fault;
    });
  t.is(t.throws(failing), fault);
});

test('what keys begin with is asked for once, also where there is none', (t) => {
  let count = 0;
  const missing = new KeyEnvironmentError(new LibLLVMError('no library'));
  const keys = new ObjectKeys(() => {
    count++;
    throw missing;
  });
  const key = (codegen: string) =>
    keys.ofFunction(
      'function',
      codegen,
      [],
      { name: 'kaleidoscope', addKey: addFunctionBytes },
      [],
      () => OWN,
    );
  for (const codegen of ['O1', 'O2', 'O1'])
    t.is(
      t.throws(() => key(codegen)),
      missing,
    );
  t.is(count, 1);
});
