import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { OperatorTable } from '../../../src/frontends/kaleidoscope/operators.js';
import { errorsOf, parse, parsed } from './parse.js';

const EXAMPLES = new URL('../../../../../../examples/', import.meta.url);

test('definitions, externs and expressions, with and without semicolons', (t) => {
  t.deepEqual(parsed('def f(x y) x ;; extern sin(a) extern rand() f(1, 2) rand();'), [
    '(def f (x y) x)',
    '(extern sin (a))',
    '(extern rand ())',
    '(f 1 2)',
    '(rand)',
  ]);
});

test('an empty text has nothing in it', (t) => {
  t.deepEqual(parsed(' # only a comment'), []);
});

test('a newline does not end an expression', (t) => {
  t.deepEqual(parsed('1\n-2'), ['(- 1 2)']);
  t.deepEqual(parsed('extern f(x)\nf\n(1)'), ['(extern f (x))', '(f 1)']);
  t.deepEqual(parsed('1 2'), ['1', '2']);
});

test('built-in operators have the tutorial precedences and are left-associative', (t) => {
  t.deepEqual(parsed('1+2*3-4<5*6'), ['(< (- (+ 1 (* 2 3)) 4) (* 5 6))']);
  t.deepEqual(parsed('1-2-3'), ['(- (- 1 2) 3)']);
  t.deepEqual(parsed('1-(2-3)'), ['(- 1 (- 2 3))']);
  t.deepEqual(parsed('def f(x) x = 1 < 2'), ['(def f (x) (= x (< 1 2)))']);
});

test('if, for and var take everything to their right', (t) => {
  t.deepEqual(parsed('if 1 then 2 else 3 + 4'), ['(if 1 2 (+ 3 4))']);
  t.deepEqual(parsed('if 1 then if 2 then 3 else 4 else 5'), ['(if 1 (if 2 3 4) 5)']);
  t.deepEqual(parsed('for i = 1, i < 5 in i + 1'), ['(for i 1 (< i 5) 1 (+ i 1))']);
  t.deepEqual(parsed('for i = 1, i < 5, 0.5 in i'), ['(for i 1 (< i 5) 0.5 i)']);
  t.deepEqual(parsed('var a, b = 2, c = a + b in a * c'), ['(var ((a) (b 2) (c (+ a b))) (* a c))']);
  t.deepEqual(parsed('1 + var a in a + 2'), ['(+ 1 (var ((a)) (+ a 2)))']);
});

test('user-defined binary operators follow their precedence, 30 by default', (t) => {
  t.deepEqual(parsed('def binary| 5 (a b) a  def binary& (a b) b  1 | 2 & 3 + 4 < 5 * 6 | 7'), [
    '(def binary| 5 (a b) a)',
    '(def binary& 30 (a b) b)',
    '(| (| 1 (< (+ (& 2 3) 4) (* 5 6))) 7)',
  ]);
});

test('a precedence is cut to a whole number', (t) => {
  t.deepEqual(parsed('def binary@ 40.9 (a b) a; 1 * 2 @ 3'), ['(def binary@ 40 (a b) a)', '(@ (* 1 2) 3)']);
});

test('user-defined unary operators bind tighter than any binary one', (t) => {
  t.deepEqual(parsed('def unary!(v) v; def unary-(v) 0-v; !1+-2*!-3'), [
    '(def unary! (v) v)',
    '(def unary- (v) (- 0 v))',
    '(+ (! 1) (* (- 2) (! (- 3))))',
  ]);
});

test('a character may be a unary and a binary operator', (t) => {
  const [, , ...expressions] = parsed('def unary%(v) v; def binary% 50 (a b) a; 1 % %2; %1 % 2');
  t.deepEqual(expressions, ['(% 1 (% 2))', '(% (% 1) 2)']);
});

test('an operator works in its own body and right after its prototype', (t) => {
  t.deepEqual(parsed('def binary^ 50 (x n) if n < 1 then 1 else x * x ^ (n-1)'), [
    '(def binary^ 50 (x n) (if (< n 1) 1 (* x (^ x (- n 1)))))',
  ]);
  t.deepEqual(parsed('def unary!(v) if v then !0 else 1'), ['(def unary! (v) (if v (! 0) 1))']);
  t.deepEqual(parsed('extern unary~(v) ~1'), ['(extern unary~ (v))', '(~ 1)']);
});

test('a built-in operator cannot be defined or declared', (t) => {
  for (const operator of ['=', '<', '+', '-', '*'])
    for (const text of [`def binary${operator} 50 (a b) a;`, `extern binary${operator}(a b);`])
      t.deepEqual(
        parse(`${text} 1*2+3`).diagnostics.map(({ message }) => message),
        [`'${operator}' is built in: a definition of it would never be called`],
        text,
      );
  t.deepEqual(parsed('def unary-(v) 0-v; -1 - -2')[1], '(- (- 1) (- 2))');
});

test('an operator that nobody has defined does not end what stands before it in its line', (t) => {
  t.deepEqual(errorsOf('def half(x) x / 2;'), [
    "1:15 SYNTAX_ERROR '/' is no binary operator: define it with 'def binary/ 40 (a b) …'",
  ]);
  const hint = "'!' is no binary operator: define it with 'def binary! 40 (a b) …', or put ';' before it";
  t.deepEqual(errorsOf('def unary!(v) v; def f(x) x !x; f(1) !2'), [
    `1:29 SYNTAX_ERROR ${hint} to apply the unary one`,
    `1:38 SYNTAX_ERROR ${hint} to apply the unary one`,
  ]);
  t.deepEqual(parsed('def unary!(v) v; 1\n!2; 3 # !\r\n!4').slice(1), ['1', '(! 2)', '3', '(! 4)']);
});

test('a name with an underscore is refused for it', (t) => {
  for (const text of ['def my_f(x) x;', 'my_f(1);', 'def f(my_x) 1;'])
    t.regex(
      errorsOf(text).join(),
      /^1:\d+ SYNTAX_ERROR [^\n]*names are of letters and digits, without underscores$/,
      text,
    );
  t.deepEqual(parsed('def binary_ 30 (a b) a; def g(my x) my_x')[1], '(def g (my x) (_ my x))');
});

test('operators last from one text to the next', (t) => {
  const operators = new OperatorTable();
  parsed('def binary: 1 (x y) y; def unary!(v) v', operators);
  t.deepEqual(parsed('1 : !2', operators), ['(: 1 (! 2))']);
});

test('a text with an error leaves no operator behind', (t) => {
  const operators = new OperatorTable();
  t.is(
    parse('def binary: 1 (x y) y; def binary@ 50 (a b) a; def unary!(v) v; 1 +', operators).diagnostics
      .length,
    1,
  );
  t.is(operators.binaryPrecedence(':'), undefined);
  t.is(operators.binaryPrecedence('@'), undefined);
  t.false(operators.isUnary('!'));
});

test('a copy of an operator table changes on its own', (t) => {
  const original = new OperatorTable();
  const copy = original.copy();
  parsed('def binary: 1 (x y) y; def unary!(v) v', copy);
  t.is(copy.binaryPrecedence(':'), 1);
  t.true(copy.isUnary('!'));
  t.is(original.binaryPrecedence(':'), undefined);
  t.false(original.isUnary('!'));
});

test('ranges cover what they name', (t) => {
  const text = ' def f(a b) a + g(b) ; 1*2 ';
  const { items } = parse(text);
  const slices = items.map((item) => {
    const { start, end } = item.kind === 'extern' ? item.prototype.range : item.function.range;
    return text.slice(start, end);
  });
  t.deepEqual(slices, ['def f(a b) a + g(b)', '1*2']);
  const [definition] = items;
  if (definition?.kind !== 'definition') return t.fail('the first item is no definition');
  const { prototype, body } = definition.function;
  t.is(text.slice(prototype.range.start, prototype.range.end), 'f(a b)');
  t.deepEqual(
    prototype.parameterRanges?.map(({ start, end }) => text.slice(start, end)),
    ['a', 'b'],
  );
  if (body.kind !== 'binary') return t.fail('the body is no sum');
  t.is(text.slice(body.range.start, body.range.end), 'a + g(b)');
  t.is(text.slice(body.operatorRange.start, body.operatorRange.end), '+');
  t.is(text.slice(body.right.range.start, body.right.range.end), 'g(b)');
});

test('the examples parse', (t) => {
  const names = readdirSync(EXAMPLES).filter((name) => name.endsWith('.ks'));
  t.true(names.includes('mandelbrot.ks'));
  for (const name of names) {
    t.true(parsed(readFileSync(new URL(name, EXAMPLES), 'utf8')).length > 0, name);
  }
});

test('the mandelbrot program has the shape it should', (t) => {
  const items = parsed(readFileSync(new URL('mandelbrot.ks', EXAMPLES), 'utf8'));
  t.is(
    items.find((item) => item.startsWith('(def mandelconverger ')),
    '(def mandelconverger (real imag iters creal cimag) ' +
      '(if (| (> iters 255) (> (+ (* real real) (* imag imag)) 4)) iters ' +
      '(mandelconverger (+ (- (* real real) (* imag imag)) creal) (+ (* (* 2 real) imag) cimag) (+ iters 1) ' +
      'creal cimag)))',
  );
  t.is(
    items.find((item) => item.startsWith('(def mandelhelp ')),
    '(def mandelhelp (xmin xmax xstep ymin ymax ystep) (for y ymin (< y ymax) ystep ' +
      '(: (for x xmin (< x xmax) xstep (printdensity (mandelconverge x y))) (putchard 10))))',
  );
  t.is(items.at(-1), '(mandel (- 2.3) (- 1.3) 0.05 0.07)');
});
