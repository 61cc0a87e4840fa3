/** A program and the lines that the tutorial's chapter 7 toy prints for it (`Evaluated to` written as `=`). */
export interface TutorialProgram {
  readonly title: string;
  readonly text: string;
  readonly lines: readonly string[];
}

/** The largest power of ten that a double holds. */
const HUGE = `1${'0'.repeat(308)}`;

const SEQUENCE = 'def binary : 1 (x y) y;\n';
const INFINITY = `def inf() ${HUGE} * 10;\n`;
const NAN = `${INFINITY}def nan() inf() - inf();\n`;

export const TUTORIAL_PROGRAMS: readonly TutorialProgram[] = [
  {
    title: 'arithmetic',
    text: '1+2*3-4; 2-3-4; (1+2)*(3-5); 0.1+0.2;',
    lines: ['= 3.000000', '= -5.000000', '= -6.000000', '= 0.300000'],
  },
  {
    title: 'comparison',
    text: '1 < 2; 2 < 1; 1 < 1; 1 < 2 < 3;',
    lines: ['= 1.000000', '= 0.000000', '= 0.000000', '= 1.000000'],
  },
  {
    title: 'comparison with NaN is true',
    text: `${NAN}nan() < 1; 1 < nan(); nan() < nan(); nan();`,
    lines: ['= 1.000000', '= 1.000000', '= 1.000000', '= nan'],
  },
  {
    title: 'infinity',
    text: `${INFINITY}inf(); 0-inf(); inf() < 1;`,
    lines: ['= inf', '= -inf', '= 0.000000'],
  },
  {
    title: 'recursion',
    text: 'def fib(x) if x < 3 then 1 else fib(x-1)+fib(x-2); fib(10); fib(20);',
    lines: ['= 55.000000', '= 6765.000000'],
  },
  {
    title: 'if takes anything but zero as true, except NaN',
    text: `${NAN}def t(x) if x then 1 else 2; t(0); t(0-0); t(0.001); t(0-1); t(inf()); t(nan());`,
    lines: ['= 2.000000', '= 2.000000', '= 1.000000', '= 1.000000', '= 1.000000', '= 2.000000'],
  },
  {
    title: 'if evaluates only the branch taken',
    text: 'extern printd(x); def f(c) if c then printd(1) else printd(2); f(1); f(0);',
    lines: ['1.000000', '= 0.000000', '2.000000', '= 0.000000'],
  },
  {
    title: 'nested ifs join in the right blocks',
    text: 'def f(a b) (if a then if b then 1 else 2 else if b then 3 else 4) * 10 + (if b then 5 else 6); f(1,1); f(1,0); f(0,1); f(0,0);',
    lines: ['= 15.000000', '= 26.000000', '= 35.000000', '= 46.000000'],
  },
  {
    title: 'for runs the body before the first test and is 0',
    text: 'extern printd(x); for i = 5, i < 3 in printd(i);',
    lines: ['5.000000', '= 0.000000'],
  },
  {
    title: 'for tests with the variable of the body, before the step',
    text: 'extern printd(x); for i = 1, i < 3 in printd(i); for i = 1, i < 2, 0.5 in printd(i);',
    lines: [
      '1.000000',
      '2.000000',
      '3.000000',
      '= 0.000000',
      '1.000000',
      '1.500000',
      '2.000000',
      '= 0.000000',
    ],
  },
  {
    title: 'for evaluates body, step and end in this order each time',
    text: `extern printd(x); ${SEQUENCE}for i = 0, printd(30+i) : i < 1, printd(20+i) : 1 in printd(10+i);`,
    lines: ['10.000000', '20.000000', '30.000000', '11.000000', '21.000000', '31.000000', '= 0.000000'],
  },
  {
    title: 'the body of for may change the variable and what the end depends on',
    text: `extern printd(x); ${SEQUENCE}def f(n) (for i = 0, i < n in printd(i) : i = i + 1 : n = n - 1) : n; f(6);`,
    lines: ['0.000000', '2.000000', '4.000000', '= 3.000000'],
  },
  {
    title: 'for ends when the condition is NaN',
    text: `extern printd(x); ${NAN}for i = 1, nan() in printd(i);`,
    lines: ['1.000000', '= 0.000000'],
  },
  {
    title: 'the variable of for shadows, also a parameter, and is restored',
    text: `extern printd(x); ${SEQUENCE}def f(i) (for i = i + 10, i < i in printd(i) : i = 0) : i; f(3);`,
    lines: ['13.000000', '= 3.000000'],
  },
  {
    title: 'loops nest',
    text: 'extern printd(x); for i = 1, i < 2 in for j = i, j < 2 in printd(i*10+j);',
    lines: ['11.000000', '12.000000', '22.000000', '= 0.000000'],
  },
  {
    title: 'var without initializer is 0, and an initializer sees the bindings before it',
    text: 'var a in a; var a = 2, b = a + 1 in a * 10 + b;',
    lines: ['= 0.000000', '= 23.000000'],
  },
  {
    title: 'var shadows and is restored',
    text: 'def f(a) (var a = a + 1 in var a = a * 10 in a) + a; f(3); def g(a) (var a in a = 7) + a; g(1);',
    lines: ['= 43.000000', '= 8.000000'],
  },
  {
    title: 'assignment yields the value and changes parameters and variables',
    text: `${SEQUENCE}def f(x) var y in (y = (x = 3) + 1) : x * 10 + y; f(1);`,
    lines: ['= 34.000000'],
  },
  {
    title: 'assignment in the middle of an expression takes effect from left to right',
    text: 'def f(x) x + (x = 10) + x; f(1); def g(x) (x = 5) * x + (x = x + 1) * x; g(0);',
    lines: ['= 21.000000', '= 61.000000'],
  },
  {
    title: 'variables made in a loop keep no value from turn to turn',
    text: `extern printd(x); ${SEQUENCE}for i = 1, i < 3 in var a in (printd(a) : a = i);`,
    lines: ['0.000000', '0.000000', '0.000000', '= 0.000000'],
  },
  {
    title: 'operands, arguments and calls are evaluated from left to right',
    text: `extern printd(x); ${SEQUENCE}def f(a b c) printd(9); def p(x) printd(x) : x; f(p(1), p(2)+p(3), p(4)*p(5)) + p(6);`,
    lines: ['1.000000', '2.000000', '3.000000', '4.000000', '5.000000', '9.000000', '6.000000', '= 6.000000'],
  },
  {
    title: 'user-defined operators',
    text: `def unary!(v) if v then 0 else 1; def unary-(v) 0-v; def binary> 10 (a b) b < a;
def binary| 5 (a b) if a then 1 else if b then 1 else 0; def binary& 6 (a b) if !a then 0 else !!b;
!0; -3*-2; 3 > 2; 1 > 2 | 2 > 1 & 0; -1 < 0 & 1; 2*-3+1;`,
    lines: ['= 1.000000', '= 6.000000', '= 1.000000', '= 0.000000', '= 1.000000', '= -5.000000'],
  },
  {
    title: 'default precedence lies between + and *',
    text: 'def binary@ (a b) a*10+b; 1@2+3; 1+2@3; 2*3@4; 1@2@3;',
    lines: ['= 15.000000', '= 24.000000', '= 64.000000', '= 123.000000'],
  },
  {
    title: 'iterative Fibonacci',
    text: `${SEQUENCE}def fibi(x) var a = 1, b = 1, c in (for i = 3, i < x in c = a + b : a = b : b = c) : b; fibi(10);`,
    lines: ['= 55.000000'],
  },
  {
    title: 'eleven parameters',
    text: 'def f(a b c d e f g h i j k) a+2*b+3*c+4*d+5*e+6*f+7*g+8*h+9*i+10*j+11*k; f(1,2,3,4,5,6,7,8,9,10,11);',
    lines: ['= 506.000000'],
  },
  {
    title: 'numbers',
    text: '1.; .5; 007; 12345678.9; 0.1234567;',
    lines: ['= 1.000000', '= 0.500000', '= 7.000000', '= 12345678.900000', '= 0.123457'],
  },
];
