import test from 'ava';
import { callees, callSites } from '../../../src/frontends/kaleidoscope/call-graph.js';
import { onlyFunction, parse } from './parse.js';

test('callees come in the order in which they are reached, each once', (t) => {
  t.deepEqual(callees(onlyFunction('a(b(1), c(2)) + b(3) * d()')), ['b', 'c', 'a', 'd']);
});

test('a loop reaches start, body, step and end', (t) => {
  t.deepEqual(callees(onlyFunction('for i = s(), e(), p() in b()')), ['s', 'b', 'p', 'e']);
});

test('both branches of an if and all initializers count', (t) => {
  t.deepEqual(callees(onlyFunction('if c() then t() else e()')), ['c', 't', 'e']);
  t.deepEqual(callees(onlyFunction('var a = f(), b, c = g(a) in h()')), ['f', 'g', 'h']);
});

test('user-defined operators are calls, built-in ones are not', (t) => {
  const { items, diagnostics } = parse(
    'def unary!(v) v; def binary| 5 (a b) a; def f(x) x = !x + 1 | g(x) < 2 * 3 - 4',
  );
  t.deepEqual(diagnostics, []);
  const last = items.at(-1);
  if (last?.kind !== 'definition') return t.fail('the last item is no definition');
  t.deepEqual(callees(last.function), ['unary!', 'g', 'binary|']);
});

test('call sites know how many arguments they pass and where they stand', (t) => {
  const text = 'f(1, g())';
  const sites = [...callSites(onlyFunction(text))].map(({ callee, argumentCount, range }) => [
    callee,
    argumentCount,
    text.slice(range.start, range.end),
  ]);
  t.deepEqual(sites, [
    ['g', 0, 'g()'],
    ['f', 2, 'f(1, g())'],
  ]);
});

test('a call by an operator stands where the operator does, one before its operand with it', (t) => {
  const text = 'def unary!(v) v; def binary| 5 (a b) a; def f(x) !x | g(x)';
  const last = parse(text).items.at(-1);
  if (last?.kind !== 'definition') return t.fail('the last item is no definition');
  const sites = [...callSites(last.function)].map(({ callee, argumentCount, range }) => [
    callee,
    argumentCount,
    text.slice(range.start, range.end),
  ]);
  t.deepEqual(sites, [
    ['unary!', 1, '!x'],
    ['g', 1, 'g(x)'],
    ['binary|', 2, '|'],
  ]);
});

test('recursion lists the function itself', (t) => {
  t.deepEqual(callees(onlyFunction('def f(x) f(x)')), ['f']);
});

test('a chain longer than the stack is walked', (t) => {
  const sites = [...callSites(onlyFunction(`f()${'+f()'.repeat(20_000)}`))];
  t.is(sites.length, 20_001);
});
