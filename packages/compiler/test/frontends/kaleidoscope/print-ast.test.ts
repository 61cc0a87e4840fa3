import test from 'ava';
import {
  printExpression,
  printFunction,
  printPrototype,
} from '../../../src/frontends/kaleidoscope/print-ast.js';
import { onlyFunction, parse } from './parse.js';

test('a function is printed with every kind of expression', (t) => {
  t.is(
    printFunction(
      onlyFunction('def f(x) var a = 1, b in for i = a, i < x in if b then g(i, x) else b = 2.5'),
    ),
    '(def f (x) (var ((a 1) (b)) (for i a (< i x) 1 (if b (g i x) (= b 2.5)))))',
  );
});

test('operators are printed under their character, their prototypes with the precedence', (t) => {
  const prototypes = parse(
    'extern unary!(v) extern binary| 5 (a b) extern f() extern binary@(a b)',
  ).items.map((item) => (item.kind === 'extern' ? printPrototype(item.prototype) : ''));
  t.deepEqual(prototypes, ['unary! (v)', 'binary| 5 (a b)', 'f ()', 'binary@ 30 (a b)']);
});

test('a chain longer than the stack is printed', (t) => {
  const text = printExpression(onlyFunction(`1${'-1'.repeat(20_000)}`).body);
  t.is(text.length, 20_000 * '(- 1)'.length + 20_000 + 1);
});
