import test from 'ava';
import { MAX_DIAGNOSTICS } from '../../../src/frontends/kaleidoscope/diagnostic.js';
import {
  MAX_FUNCTION_BRANCHES,
  MAX_FUNCTION_EXPRESSIONS,
  MAX_NESTING_DEPTH,
  MAX_PARAMETERS,
} from '../../../src/frontends/kaleidoscope/expression-parser.js';
import { MAX_NAME_LENGTH } from '../../../src/frontends/kaleidoscope/lexer.js';
import { OperatorTable } from '../../../src/frontends/kaleidoscope/operators.js';
import { parseSource } from '../../../src/frontends/kaleidoscope/parser.js';
import { printFunction } from '../../../src/frontends/kaleidoscope/print-ast.js';
import { SourceText } from '../../../src/frontends/kaleidoscope/source-text.js';
import { errorsOf, parse, parsed } from './parse.js';

const SYNTAX: readonly [text: string, error: string][] = [
  ['def', '1:4 SYNTAX_ERROR expected a function name, found the end of the input'],
  ['def 1', "1:5 SYNTAX_ERROR expected a function name, found '1'"],
  ['def f x', "1:7 SYNTAX_ERROR expected '(' in the prototype, found 'x'"],
  ['def f(x, y) x', "1:8 SYNTAX_ERROR expected ')' in the prototype: parameters are separated by spaces"],
  ['def f(x 1) x', "1:9 SYNTAX_ERROR expected ')' in the prototype, found '1'"],
  ['def unary(v) v', "1:10 SYNTAX_ERROR expected the character of a unary operator, found '('"],
  ['def binary(a b) a', "1:11 SYNTAX_ERROR expected the character of a binary operator, found '('"],
  ['extern binary x', "1:15 SYNTAX_ERROR expected the character of a binary operator, found 'x'"],
  ['extern 5', "1:8 SYNTAX_ERROR expected a function name, found '5'"],
  ['(1', "1:3 SYNTAX_ERROR expected ')' after the expression, found the end of the input"],
  ['f(1 2)', "1:5 SYNTAX_ERROR expected ')' or ',' in the argument list, found '2'"],
  ['f(1,)', "1:5 SYNTAX_ERROR expected an expression, found ')'"],
  [
    'f(1 $ 2)',
    "1:5 SYNTAX_ERROR expected ')' or ',' in the argument list, found '$', '$' is no binary operator: define it with 'def binary$ 40 (a b) …'",
  ],
  ['if 1 2', "1:6 SYNTAX_ERROR expected 'then' after the condition of 'if', found '2'"],
  ['if 1 then 2', "1:12 SYNTAX_ERROR expected 'else' after the value for 'then', found the end of the input"],
  ['for 1', "1:5 SYNTAX_ERROR expected a name after 'for', found '1'"],
  ['for i 1', "1:7 SYNTAX_ERROR expected '=' after the variable of 'for', found '1'"],
  ['for i = 1 in 2', "1:11 SYNTAX_ERROR expected ',' after the start value of 'for', found 'in'"],
  ['for i = 1, 2 3', "1:14 SYNTAX_ERROR expected 'in' before the body of 'for', found '3'"],
  ['var in 1', "1:5 SYNTAX_ERROR expected a name in the list of 'var', found 'in'"],
  ['var a, in 1', "1:8 SYNTAX_ERROR expected a name in the list of 'var', found 'in'"],
  ['var a 1', "1:7 SYNTAX_ERROR expected 'in' before the body of 'var', found '1'"],
  ['1 +', '1:4 SYNTAX_ERROR expected an expression, found the end of the input'],
  ['1 + )', "1:5 SYNTAX_ERROR expected an expression, found ')'"],
  ['then', "1:1 SYNTAX_ERROR expected an expression, found 'then'"],
  ['-1', "1:1 SYNTAX_ERROR unknown unary operator '-': define it with 'def unary-(v) …'"],
  ['1 $ 2', "1:3 SYNTAX_ERROR '$' is no binary operator: define it with 'def binary$ 40 (a b) …'"],
  ['1\n$ 2', "2:1 SYNTAX_ERROR unknown unary operator '$': define it with 'def unary$(v) …'"],
  ['1 +\n  1.2.3', "2:3 SYNTAX_ERROR malformed number '1.2.3'"],
  ['1 + é', "1:5 SYNTAX_ERROR invalid character 'é' (U+00E9)"],
  ['def binary@ 0 (a b) a', "1:13 SEMANTIC_ERROR invalid precedence '0': it must be 1 to 100"],
  ['def binary@ 0.9 (a b) a', "1:13 SEMANTIC_ERROR invalid precedence '0.9': it must be 1 to 100"],
  ['def binary@ 101 (a b) a', "1:13 SEMANTIC_ERROR invalid precedence '101': it must be 1 to 100"],
];

for (const [text, error] of SYNTAX) {
  test(`refuses ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(errorsOf(text), [error]);
  });
}

test('atEnd tells unfinished input from wrong input', (t) => {
  for (const text of [
    'def f(x',
    'def f(x)',
    '1 +',
    'f(1,',
    'if 1 then',
    'for i = 1, i < 3',
    'var a = 1',
    '(1 # )',
  ]) {
    const [diagnostic, ...more] = parse(text).diagnostics;
    t.true(diagnostic?.atEnd, text);
    t.is(more.length, 0, text);
  }
  for (const text of ['def f(x,', '1 + )', '1.2.3', 'f(1 2', 'x']) {
    t.false(parse(text).diagnostics[0]?.atEnd, text);
  }
});

test('the end of the input is reported after the last token, not after the comments', (t) => {
  t.is(
    parse('1 +  # more\n\n').diagnostics[0]?.render(),
    ['test.ks:1:4: error: expected an expression, found the end of the input', '1 +  # more', '   ^'].join(
      '\n',
    ),
  );
});

test('parsing goes on at the next def, extern or semicolon', (t) => {
  const text = 'def f(x,y) x+y; 1 + ; extern 7 extern sin(x)\ndef g() def h(x) x\nsin(1.2.3) 4; sin(2)';
  t.deepEqual(errorsOf(text), [
    "1:8 SYNTAX_ERROR expected ')' in the prototype: parameters are separated by spaces",
    "1:21 SYNTAX_ERROR expected an expression, found ';'",
    "1:30 SYNTAX_ERROR expected a function name, found '7'",
    "2:9 SYNTAX_ERROR expected an expression, found 'def'",
    "3:5 SYNTAX_ERROR malformed number '1.2.3'",
  ]);
  const kinds = parse(text).items.map((item) =>
    item.kind === 'extern' ? item.prototype.name : printFunction(item.function),
  );
  t.deepEqual(kinds, ['sin', '(def h (x) x)', '(def __anon_expr () (sin 2))']);
});

test('an operator whose body is wrong is known to the rest of the text', (t) => {
  t.deepEqual(errorsOf('def binary| 5 (a b) a + ; 1 | 2'), [
    "1:25 SYNTAX_ERROR expected an expression, found ';'",
  ]);
});

test('diagnostics are limited in number', (t) => {
  t.is(parse('1.2.3 ;'.repeat(1000)).diagnostics.length, MAX_DIAGNOSTICS);
  t.is(parse(`x${'+x'.repeat(1000)}`).diagnostics.length, MAX_DIAGNOSTICS);
  t.is(parse('x;'.repeat(1000)).diagnostics.length, MAX_DIAGNOSTICS);
});

const NESTED: readonly [what: string, open: string, close: string, before?: string][] = [
  ['parentheses', '(', ')'],
  ['arguments', 'f(', ')'],
  ['unary operators', '!', '', 'def unary!(v) v;'],
  ['if branches', 'if 1 then 2 else ', ''],
  ['if conditions', 'if ', ' then 2 else 3'],
  ['for bodies', 'for i = 1, 2 in ', ''],
  ['for steps', 'for i = 1, 2, ', ' in 3'],
  ['var bodies', 'var a = 1 in ', ''],
  ['var initializers', 'var a = ', ' in 2'],
  ['right operands', '1+(2*', ')'],
];

for (const [what, open, close, before = ''] of NESTED) {
  test(`deeply nested ${what} are refused where they get too deep`, (t) => {
    const nest = (depth: number) => `${before}${open.repeat(depth)}1${close.repeat(depth)}`;
    t.deepEqual(errorsOf(nest(MAX_NESTING_DEPTH / 2 - 1)), []);
    const [error, ...more] = parse(nest(100_000)).diagnostics;
    t.is(error?.message, `expressions nest more than ${MAX_NESTING_DEPTH} levels deep here`);
    t.is(error?.line, 1);
    t.true((error?.column ?? 0) > MAX_NESTING_DEPTH / 2);
    t.is(more.length, 0);
  });

  test(`any number of ${what} side by side do not nest`, (t) => {
    const one = `(${open}1${close})`;
    t.deepEqual(errorsOf(`${before}${[one, ...Array(2 * MAX_NESTING_DEPTH).fill(one)].join('+')}`), []);
  });
}

test('the nesting limit is exact', (t) => {
  const nest = (depth: number) => `${'('.repeat(depth)}1${')'.repeat(depth)}`;
  t.deepEqual(errorsOf(nest(MAX_NESTING_DEPTH - 1)), []);
  t.regex(errorsOf(nest(MAX_NESTING_DEPTH))[0] ?? '', /^1:501 .*nest more than 500/);
});

test('nesting in one item does not count for the next', (t) => {
  t.deepEqual(errorsOf(`${'('.repeat(400)}1${')'.repeat(400)};`.repeat(3)), []);
  const text = `${'('.repeat(600)}; ${'('.repeat(400)}1${')'.repeat(400)}`;
  t.is(parse(text).diagnostics.length, 1);
});

test('a chain of left-associative operators may be longer than the stack is deep', (t) => {
  const [text = ''] = parsed(`1${'+1'.repeat(20_000)}`);
  t.true(text.startsWith('(+ (+ (+ '));
  t.true(text.endsWith(' 1) 1) 1)'));
  t.is(text.length, 20_000 * '(+ 1)'.length + 20_000 + 1);
});

test('the expressions of a function are limited in number, exactly', (t) => {
  const message = `a function cannot have more than ${MAX_FUNCTION_EXPRESSIONS} expressions`;
  const half = MAX_FUNCTION_EXPRESSIONS / 2;
  // A number, an operator and a call, each with what is inside it.
  for (const [text, next] of [
    [`1${'+1'.repeat(half - 1)}`, '+'],
    [`var ${'a,'.repeat(MAX_FUNCTION_EXPRESSIONS - 3)}a in`, '1'],
  ] as const) {
    t.deepEqual(errorsOf(`${text} ${next === '1' ? next : ''}`), []);
    const more = `${text} ${next}${next === '1' ? '+1' : '1+1'}`;
    t.deepEqual(
      parse(more).diagnostics.map((error) => error.message),
      [message],
    );
  }
  // Each function counts for itself.
  t.deepEqual(errorsOf(`1${'+1'.repeat(half - 1)};`.repeat(2)), []);
});

test("the 'if' and 'for' of a function are limited in number, exactly", (t) => {
  const branches = (count: number) => `0${'+(if 1 then 2 else 3)+(for i = 1, i < 2 in i)'.repeat(count / 2)}`;
  t.deepEqual(errorsOf(branches(MAX_FUNCTION_BRANCHES)), []);
  t.deepEqual(
    parse(branches(MAX_FUNCTION_BRANCHES + 2)).diagnostics.map((error) => error.message),
    [`a function cannot have more than ${MAX_FUNCTION_BRANCHES} 'if' and 'for'`],
  );
});

test('names are limited in length, exactly', (t) => {
  const name = 'n'.repeat(MAX_NAME_LENGTH);
  t.deepEqual(errorsOf(`def ${name}(${name}) ${name}`), []);
  t.deepEqual(errorsOf(`def f(x) 1 +\n ${name}n(x)`), [
    `2:2 SYNTAX_ERROR name '${'n'.repeat(40)}…' is longer than ${MAX_NAME_LENGTH} characters`,
  ]);
});

test('rising precedences nest only as deeply as there are precedences', (t) => {
  const operators = '!$%&/:>?@[]^`{|}~'.split('');
  const definitions = operators.map((operator, index) => `def binary${operator} ${3 * (index + 1)} (a b) a;`);
  const rising = operators.map((operator) => `${operator}1`).join('');
  t.deepEqual(errorsOf(`${definitions.join('')}1${rising.repeat(1000)}`), []);
});

test('parameters and arguments are limited in number', (t) => {
  const names = Array.from({ length: MAX_PARAMETERS + 1 }, (_, index) => `p${index}`);
  t.deepEqual(errorsOf(`def f(${names.slice(1).join(' ')}) 1`), []);
  t.regex(errorsOf(`def f(${names.join(' ')}) 1`)[0] ?? '', /more than 1000 parameters/);
  t.deepEqual(errorsOf(`f(${names.slice(1).fill('1').join(',')})`), []);
  t.regex(errorsOf(`f(${names.fill('1').join(',')})`)[0] ?? '', /more than 1000 arguments/);
});

test('a megabyte on one line, NUL bytes and broken UTF-8 are errors with a place', (t) => {
  const megabyte = 1 << 20;
  const digits = parse('9'.repeat(megabyte)).diagnostics[0];
  t.is(digits?.message, `number '${'9'.repeat(40)}…' does not fit a double`);
  const late = parse(`${'1;'.repeat(megabyte / 2)}@`).diagnostics[0];
  t.deepEqual([late?.line, late?.column], [1, megabyte + 1]);
  t.true((late?.render().length ?? 0) < 500);
  const name = parse('a'.repeat(megabyte)).diagnostics[0];
  t.is(name?.message, `name '${'a'.repeat(40)}…' is longer than ${MAX_NAME_LENGTH} characters`);

  const bytes = new Uint8Array(megabyte);
  t.is(
    parseSource(SourceText.fromBytes('nul', bytes), new OperatorTable()).diagnostics[0]?.message,
    "invalid character '\\u{0}' (U+0000)",
  );
  bytes.fill(0xff);
  t.is(
    parseSource(SourceText.fromBytes('ff', bytes), new OperatorTable()).diagnostics[0]?.message,
    'invalid character U+FFFD: the input is not valid UTF-8 here',
  );
});

test('any soup of tokens ends in items and diagnostics', (t) => {
  const words =
    'def extern if then else for in var binary unary ( ) ( ) , ; = + - < ! @ 1 2.5 1.2.3 x y f é \u0000 #c\n'.split(
      ' ',
    );
  let state = 1;
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % below;
  };
  let itemCount = 0;
  let diagnosticCount = 0;
  for (let round = 0; round < 3000; round += 1) {
    const text = Array.from({ length: 1 + next(30) }, () => words[next(words.length)]).join(' ');
    const { items, diagnostics } = parse(text);
    for (const diagnostic of diagnostics) diagnostic.render();
    itemCount += items.length;
    diagnosticCount += diagnostics.length;
  }
  t.true(itemCount > 100);
  t.true(diagnosticCount > 3000);
});
