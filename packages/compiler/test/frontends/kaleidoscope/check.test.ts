import test from 'ava';
import type { FunctionAST, PrototypeAST } from '../../../src/frontends/kaleidoscope/ast.js';
import { checkFunction, checkPrototype } from '../../../src/frontends/kaleidoscope/check.js';
import { SourceText } from '../../../src/frontends/kaleidoscope/source-text.js';
import { errorsOf } from './parse.js';

const WRONG: readonly [text: string, ...errors: string[]][] = [
  ['x', "1:1 SEMANTIC_ERROR unknown variable name 'x'"],
  ['def f(a) a + b', "1:14 SEMANTIC_ERROR unknown variable name 'b'"],
  ['def f(a) b = a', "1:10 SEMANTIC_ERROR unknown variable name 'b'"],
  ['(var a in a) + a', "1:16 SEMANTIC_ERROR unknown variable name 'a'"],
  ['var a = a in a', "1:9 SEMANTIC_ERROR unknown variable name 'a'"],
  ['var a = b, b in a', "1:9 SEMANTIC_ERROR unknown variable name 'b'"],
  [
    '(for i = i, 1 in 2) + i',
    "1:10 SEMANTIC_ERROR unknown variable name 'i'",
    "1:23 SEMANTIC_ERROR unknown variable name 'i'",
  ],
  ['1 = 2', "1:1 SEMANTIC_ERROR the destination of '=' must be a variable"],
  ['def f(a b) a + b = 2', "1:12 SEMANTIC_ERROR the destination of '=' must be a variable"],
  ['def f(a b) a = b = 2', "1:12 SEMANTIC_ERROR the destination of '=' must be a variable"],
  ['def f(x x) x', "1:9 SEMANTIC_ERROR invalid redefinition of parameter 'x'"],
  ['extern f(x y x)', "1:14 SEMANTIC_ERROR invalid redefinition of parameter 'x'"],
  [
    'def unary!(a b) a',
    "1:5 SEMANTIC_ERROR invalid number of operands for 'unary!': a unary operator takes one operand, this has 2",
  ],
  [
    'def binary@ (a) a',
    "1:5 SEMANTIC_ERROR invalid number of operands for 'binary@': a binary operator takes two operands, this has 1",
  ],
  [
    'def unary!() 1',
    "1:5 SEMANTIC_ERROR invalid number of operands for 'unary!': a unary operator takes one operand, this has 0",
  ],
  [
    'a + b + c',
    "1:1 SEMANTIC_ERROR unknown variable name 'a'",
    "1:5 SEMANTIC_ERROR unknown variable name 'b'",
    "1:9 SEMANTIC_ERROR unknown variable name 'c'",
  ],
];

for (const [text, ...errors] of WRONG) {
  test(`refuses ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(errorsOf(text), errors);
  });
}

const RIGHT = [
  'def f(a) (var a = a, b = a in a = b) + a',
  'def f(i) (for i = i, i < 10, i in i = i + 1) + i',
  'var a = 1 in (var a = 2 in a) + a',
  'var a = 1, a = a in a',
  'undefinedFunction(1) + another()',
  'def f(x) (x = 1) + (x = 2)',
];

for (const text of RIGHT) {
  test(`accepts ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(errorsOf(text), []);
  });
}

const NOWHERE = { start: 0, end: 0 };
const SOURCE = new SourceText('<made by hand>', '');

test('a tree made by hand is checked too, its precedence included', (t) => {
  const prototype: PrototypeAST = {
    name: 'binary@',
    parameters: ['a', 'a'],
    isOperator: true,
    precedence: 101,
    range: NOWHERE,
  };
  t.deepEqual(
    checkPrototype(prototype, SOURCE).map(({ message }) => message),
    ["invalid redefinition of parameter 'a'", "invalid precedence 101 of 'binary@': it must be 1 to 100"],
  );
});

test('a chain longer than the stack is checked', (t) => {
  let body: FunctionAST['body'] = { kind: 'variable', name: 'first', range: NOWHERE };
  const right: FunctionAST['body'] = { kind: 'number', value: 1, range: NOWHERE };
  for (let i = 0; i < 100_000; i += 1) {
    body = { kind: 'binary', operator: '+', operatorRange: NOWHERE, left: body, right, range: NOWHERE };
  }
  const prototype = { name: 'f', parameters: [], isOperator: false, precedence: 0, range: NOWHERE };
  const messages = checkFunction({ prototype, body, range: NOWHERE, source: SOURCE }).map(
    ({ message }) => message,
  );
  t.deepEqual(messages, ["unknown variable name 'first'"]);
});
