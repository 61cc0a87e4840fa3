import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { descendants, farjit, folderWith, gone, start } from './run-farjit.js';

/** Runs lines through a piped REPL. */
function repl(t: ExecutionContext, lines: readonly string[], cwd?: string) {
  return farjit(t, ['repl'], { input: `${lines.join('\n')}\n`, ...(cwd === undefined ? {} : { cwd }) });
}

test.serial('piped, it evaluates line by line, without prompts, acknowledgements or colours', async (t) => {
  t.deepEqual(await repl(t, ['def f(x) x * 2', 'extern cos(x);', 'f(21)', '', 'cos(0); f(1)', '# nothing']), {
    stdout: 'Evaluated to 42\nEvaluated to 1\nEvaluated to 2\n',
    stderr: '',
    end: 0,
  });
});

test.serial('input that is not complete goes on in the next lines, empty ones too', async (t) => {
  const lines = [
    'def fib(n)',
    '  if n < 3 then',
    '    1',
    '  else',
    '',
    '    fib(n-1) +',
    '    fib(n-2)',
    'fib(10)',
  ];
  t.deepEqual(await repl(t, lines), { stdout: 'Evaluated to 55\n', stderr: '', end: 0 });
});

test.serial('input that ends too early is an error', async (t) => {
  const { stdout, stderr, end } = await repl(t, ['1', 'if 1', 'then 2']);
  t.deepEqual([stdout, end], ['Evaluated to 1\n', 1]);
  t.is(
    stderr,
    "<stdin>:3:7: error: expected 'else' after the value for 'then', found the end of the input\nthen 2\n      ^\n",
  );
});

test.serial('a long input in many lines takes time with its length, not with the square of it', async (t) => {
  // Parsed at every line, this would take minutes; unfinished or not is found out where the lines pause.
  const lines = ['def f(x)', ...Array.from({ length: 20_000 }, () => ' x +'), ' x', 'f(1)', 'f(2'];
  const { stdout, stderr } = await repl(t, lines);
  t.is(stdout, 'Evaluated to 20001\n');
  t.regex(stderr, /^<stdin>:20004:4: error: expected '\)' or ',' in the argument list, found the end/);
});

test.serial(
  'values are the shortest decimals that read back the same, or as printf writes them',
  async (t) => {
    const lines = ['0.0000001', '0.1 + 0.2', '0-1000000000000000000000*1000', '1-1', '1 < 0-1'];
    const { stdout, end } = await repl(t, lines);
    const values = ['0.0000001', '0.30000000000000004', '-1000000000000000000000000', '0', '0'];
    t.deepEqual([stdout, end], [values.map((value) => `Evaluated to ${value}\n`).join(''), 0]);
    const printf = await farjit(t, ['repl', '--print=printf'], { input: '0.0000001\n2\n' });
    t.is(printf.stdout, 'Evaluated to 0.000000\nEvaluated to 2.000000\n');
  },
);

test.serial('ans is the value of the last expression before the entry', async (t) => {
  const lines = [
    '20 + 1',
    'ans * 2',
    'def f(ans) ans + 1',
    'f(ans)',
    'ans + (var ans = 1 in ans)',
    'def g() ans',
  ];
  const { stdout, stderr, end } = await repl(t, lines);
  t.is(stdout, [21, 42, 43, 44].map((value) => `Evaluated to ${value}\n`).join(''));
  t.regex(stderr, /^<stdin>:6:9: error: unknown variable name 'ans'/);
  t.is(end, 1);
  t.regex((await repl(t, ['ans'])).stderr, /unknown variable name 'ans'/);
  t.is((await repl(t, ['extern log(x)', 'log(0)', 'ans < 0'])).stdout, 'Evaluated to -inf\nEvaluated to 1\n');
});

test.serial(':undo takes back an entry, operators too, and what it replaced comes back', async (t) => {
  const lines = [
    'def f(x) 1',
    'def f(x) 2 def unary!(v) v',
    'def g() f(0)',
    'g()',
    ':undo',
    ':undo',
    'f(0)',
    '!1',
    ':u',
    'f(0)',
    ':u',
  ];
  const { stdout, stderr, end } = await repl(t, lines);
  t.deepEqual(stdout.trimEnd().split('\n'), [
    'Evaluated to 2',
    'took back g',
    'took back unary!, f',
    'Evaluated to 1',
    'took back f',
  ]);
  t.regex(stderr, /unknown unary operator '!'/);
  t.regex(stderr, /<stdin>:10:1: error: unknown function 'f'/);
  t.regex(stderr, /nothing is defined here that could be taken back\n$/);
  t.is(end, 1);
});

// `npm run setup` installs clang where it can.
const serialWithClang = existsSync('/usr/bin/clang-14') ? test.serial : test.serial.skip;

serialWithClang(
  ':c makes functions of C callable, whatever scalars they take, and a later one replaces them',
  async (t) => {
    const lines = [
      'def binary / 50 (a b) divided(a, b)',
      'def average(a b) nearest((a + b) / 2)',
      ':c double divided(double a, double b) { return a / b; }',
      ':c int nearest(float x)',
      '{',
      '  /* a } of no account */ return x < 0 ? x - 0.5f : x + 0.5f;',
      '}',
      'average(2, 5)',
      ':c unsigned big(void) { return 4000000000u; } void none(long x) {} char *text(char *p) { return p; } int here;',
      'big()',
      'none(7)',
      ':type none',
      ':c int nearest(float x) { return 100 + x; }',
      'average(2, 5)',
      ':undo',
      'average(2, 5)',
      'def nearest(x) x',
      'average(2, 5)',
      ':undo',
      'average(2, 5)',
      ':c extern double average(double, double); double twice(void) { return 2 * average(2, 5); }',
      'twice()',
      ':reset',
      'twice()',
    ];
    const { stdout, stderr, end } = await repl(t, lines);
    t.deepEqual(stdout.split('\n'), [
      'defined divided(x0 x1): double(double, double)',
      'defined nearest(x0): i32(float)',
      'Evaluated to 4',
      'defined big(): i32()',
      'defined none(x0): void(i64)',
      'not to be called from here: text is ptr(ptr)',
      'not to be called from here: here is no function of scalars',
      'Evaluated to 4000000000',
      'Evaluated to 0',
      'none(x0): double(double)',
      'defined nearest(x0): i32(float)',
      'Evaluated to 103',
      'took back nearest',
      'Evaluated to 4',
      'Evaluated to 3.5',
      'took back nearest',
      'Evaluated to 4',
      'defined twice(): double()',
      'Evaluated to 8',
      'took back twice, none, big, nearest, divided, average, binary/',
      '',
    ]);
    t.regex(stderr, /^<stdin>:\d+:1: error: unknown function 'twice'/);
    t.is(end, 1);
  },
);

serialWithClang(':c says what cannot be called, and takes the rest', async (t) => {
  const folder = await folderWith(t);
  const lines = [
    ':c struct one { int a; }; struct one of(int a) { struct one it = {a}; return it; } int taken(struct one it) { return it.a; } int here(void) { return taken(of(7)); } int some_name(int x) { return x; } int var(int x) { return x; } long double wide(long double x) { return x; }',
    'here()',
    ':c notes.txt',
    ':c static int hidden(void) { return 1; }',
    ':save kept.ks',
  ];
  const { stdout, stderr } = await farjit(t, ['repl'], { input: `${lines.join('\n')}\n`, cwd: folder });
  t.deepEqual(stdout.trimEnd().split('\n'), [
    'defined here(): i32()',
    'not to be called from here: some_name is no name that Kaleidoscope has',
    'not to be called from here: var is no name that Kaleidoscope has',
    'not to be called from here: wide is no function of scalars',
    'not to be called from here: of is no function of scalars',
    'not to be called from here: taken is no function of scalars',
    'Evaluated to 7',
    'wrote kept.ks, without what :c has defined',
  ]);
  t.deepEqual(stderr.trimEnd().split('\n'), [
    "farjit: error: 'notes.txt' does not end as the name of a source does: .c, .cc, .cpp, .cxx, .c++, .C",
    'farjit: error: no function is defined there',
  ]);
});

serialWithClang(':c takes a file with its own headers; what clang refuses changes nothing', async (t) => {
  const folder = await folderWith(t, {
    'cube.c': '#include "cube.h"\nCUBE\nstatic int calls;\ndouble count(void) { return ++calls; }\n',
    'cube.h': '#define CUBE double cube(double x) { return x * x * x; }\n',
    'made.cpp':
      'static int made = 0;\nstruct Maker { Maker() { made = 42; } } maker;\nextern "C" int answer() { return made; }\n',
  });
  const lines = [
    ':c cube.c',
    'cube(3)',
    'count()',
    'count()',
    ':c double cube(double x) { return y; }',
    'cube(2)',
    ':c missing.c',
    ':c made.cpp',
    'answer()',
    'def sum(x) x',
    ':undo',
    ':undo',
    ':c int cube;',
    'cube(2)',
  ];
  const { stdout, stderr, end } = await farjit(t, ['repl'], { input: `${lines.join('\n')}\n`, cwd: folder });
  t.deepEqual(
    stdout.split('\n').filter((line) => !line.includes('defined') && !line.includes('not to be')),
    [
      'Evaluated to 27',
      'Evaluated to 1',
      'Evaluated to 2',
      'Evaluated to 8',
      'Evaluated to 42',
      'took back sum',
      'took back answer',
      'Evaluated to 8',
      '',
    ],
  );
  t.regex(stderr, /<c>:1:\d+: error: use of undeclared identifier 'y'/);
  t.regex(stderr, /cannot read missing\.c: no such file/);
  t.is(end, 1);
});

test.serial(':save writes what was defined and declared, as a program that does the same', async (t) => {
  const cwd = await folderWith(t, { 'there.ks': 'mine' });
  const lines = [
    'extern cos(x)',
    'def binary@ 7 (a b) a*10+b # digits',
    'def gone() 1',
    ':undo',
    '1@2',
    ':save saved.ks',
    ':save there.ks',
  ];
  const { stdout, stderr } = await repl(t, lines, cwd);
  t.is(stdout, 'took back gone\nEvaluated to 12\nwrote saved.ks\n');
  t.is(stderr, 'farjit: error: cannot write there.ks: file already exists\n');
  const saved = await readFile(join(cwd, 'saved.ks'), 'utf8');
  t.is(saved, 'extern cos(x);\ndef binary@ 7 (a b) a*10+b;\n');
  t.is((await repl(t, [':load saved.ks', 'cos(0)@2'], cwd)).stdout, 'Evaluated to 12\n');
});

test.serial(':time and :type say what an evaluation took and what a function is', async (t) => {
  const lines = [
    'def f(x y) x + y',
    'extern sin(a)',
    ':time f(1, 2)',
    ':time f(1, 2)',
    ':type f',
    ':ty sin',
    ':type g',
  ];
  const { stdout, stderr } = await repl(t, lines);
  t.regex(
    stdout,
    /^Evaluated to 3\n[\d.]+ ms, 1 callback, 1 function compiled\nEvaluated to 3\n[\d.]+ ms, 0 callbacks, 0 functions compiled\nf\(x y\): double\(double, double\)\nsin\(a\): double\(double\)\n$/,
  );
  t.is(stderr, "farjit: error: no function 'g' is defined or declared here\n");
});

test.serial('commands have short forms, and work while an entry goes on', async (t) => {
  const lines = [
    'def f(x)',
    ':type f',
    'x + 1',
    'f(1)',
    ':st',
    ':ty f',
    'def binary: 1 (a b) b',
    '(1',
    ': f(2))',
  ];
  const { stdout, stderr } = await repl(t, lines);
  t.is(stdout, 'Evaluated to 2\nf(x): double(double)\nEvaluated to 3\n');
  t.deepEqual(stderr.split('\n'), [
    "farjit: error: no function 'f' is defined or declared here",
    "farjit: error: ':st' can be each of :stubs, :stats",
    '',
  ]);
});

test.serial('its own messages escape what could drive a terminal', async (t) => {
  const { stdout, stderr, end } = await repl(t, [
    ':\x1b[2J',
    ':ast \x1b]0;title\x07',
    ':load \x1b[31m.ks',
    '1 + \x1b',
    ':stubs \u009b1m',
  ]);
  t.deepEqual([stdout, end], ['', 1]);
  t.false(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(stderr), JSON.stringify(stderr));
  t.is(stderr.match(/\\u\{(1b|9b)\}/g)?.length, 6);
});

test.serial('what a program writes passes as it is', async (t) => {
  const { stdout } = await repl(t, ['extern putchard(c);', 'putchard(27) + putchard(7)']);
  t.is(stdout, '\x1b\x07Evaluated to 0\n');
});

test.serial('no error ends it: syntax, missing functions, traps, an ended runner', async (t) => {
  const lines = [
    '1 +* 2',
    'def f(x) missing(x)',
    'f(1)',
    'missing(1)',
    'def deep(x) deep(x) + 1',
    'deep(1)',
    'extern abort()',
    'abort()',
    'def missing(x) x + 1',
    'f(1)',
  ];
  const { stdout, stderr, end } = await repl(t, lines);
  t.deepEqual([stdout, end], ['Evaluated to 2\n', 1]);
  const headlines = stderr.split('\n').filter((line) => line.startsWith('<stdin>'));
  t.deepEqual(
    headlines.map((line) => line.replace(/deep\S+ \(pc.*\)/, 'deep')),
    [
      "<stdin>:1:4: error: unknown unary operator '*': define it with 'def unary*(v) …'",
      "<stdin>:3:1: error: 'f' was called and cannot be compiled",
      "<stdin>:2:10: error: unknown function 'missing'",
      "<stdin>:4:1: error: unknown function 'missing'",
      '<stdin>:6:1: error: SIGSEGV in deep; the program had reached its limit stack=8M',
      '<stdin>:8:1: error: the runner ended: killed by SIGABRT',
    ],
  );
});

test.serial('a redefinition takes effect for callers that are compiled already', async (t) => {
  const lines = [
    'def inner(x) x',
    'def outer(x) inner(x) * 10',
    'outer(1)',
    'def inner(x) x + 1',
    'outer(1)',
  ];
  const { stdout } = await repl(t, lines);
  t.is(stdout, 'Evaluated to 10\nEvaluated to 20\n');
});

test.serial('an operator works from the line after its definition', async (t) => {
  const { stdout, stderr } = await repl(t, [
    '1 | 0',
    'def binary| 5 (x y) if x then 1 else y',
    '0 | 7',
    ':ast binary|',
  ]);
  t.is(stdout, 'Evaluated to 7\n(def binary| 5 (x y) (if x 1 y))\n');
  t.regex(stderr, /^<stdin>:1:3: error: /);
});

test.serial(':ast, :ir and :asm show a function', async (t) => {
  const { stdout, stderr, end } = await repl(t, ['def f(x) x * 3', ':ast f', ':ir f', ':asm f']);
  t.deepEqual([stderr, end], ['', 0]);
  const [ast, ...rest] = stdout.split('\n');
  t.is(ast, '(def f (x) (* x 3))');
  t.regex(rest.join('\n'), /^define double @"f\$impl"\(double %x\)/m);
  t.regex(rest.join('\n'), /fmul double %x, 3\.0/);
  t.regex(rest.join('\n'), /^f\$impl:\n/m);
  t.regex(rest.join('\n'), /\bv?mulsd\b/);
});

test.serial(':stubs shows a stub lead to its trampoline until the function is called', async (t) => {
  const lines = ['def later(x) x', 'def f(x) if x then later(x) else 0', 'f(0)', ':stubs', 'f(1)', ':stubs'];
  // Else its callee is linked ahead of its call.
  const { stdout, stderr } = await farjit(t, ['repl', '--speculate=off'], { input: `${lines.join('\n')}\n` });
  t.is(stderr, '');
  const rows = stdout.split('\n').filter((line) => !line.startsWith('Evaluated'));
  t.regex(rows[0] ?? '', /^name +stub +leads to$/);
  const stubs = rows.map((row) => row.split(/ +/)).filter(([, stub]) => stub?.startsWith('0x'));
  t.deepEqual(
    stubs.map(([name, , target]) => [name, target?.replace(/^0x[0-9a-f]+$/, 'implementation')]),
    [
      ['f', 'implementation'],
      ['later', 'trampoline'],
      ['f', 'implementation'],
      ['later', 'implementation'],
    ],
  );
  t.is(stubs[1]?.[1], stubs[3]?.[1], 'the stub stays where it is');
});

test.serial(':tier says how a function is compiled', async (t) => {
  const { stdout, stderr } = await repl(t, ['def f(x) x', ':tier f', 'f(1) + f(2)', ':tier f', ':tier g']);
  t.deepEqual(stdout.split('\n').slice(0, -1), [
    'f: not compiled: nothing has called it',
    'Evaluated to 3',
    'f: baseline',
    'counted 2, hot at 10000',
  ]);
  t.regex(stderr, /no function "?'?g/);
});

test.serial(':stats counts what happened in this session', async (t) => {
  const { stdout } = await repl(t, ['def f(x) x', 'def g(x) x', 'f(1)', ':stats']);
  t.regex(stdout, /^functions +2 defined, 1 compiled$/m);
});

test.serial(':help lists every command', async (t) => {
  const { stdout } = await repl(t, [':help']);
  for (const command of [
    ':help',
    ':ast f',
    ':ir f',
    ':asm f',
    ':tier f',
    ':stubs',
    ':stats',
    ':load FILE',
    ':quit',
  ])
    t.regex(stdout, new RegExp(`^${command} +\\S`, 'm'));
});

test.serial(':load runs a file and keeps what it defines, and a wrong file changes nothing', async (t) => {
  const cwd = await folderWith(t, {
    'good file.ks': 'def binary : 1 (x y) y;\ndef two() 2;\ntwo() : 3;\n',
    'bad.ks': 'def two() 5;\ndef (;\n',
    'failing.ks': 'nowhere();\n4;\n',
  });
  const lines = [
    ':load good file.ks',
    '1 : two()',
    ':load bad.ks',
    'two()',
    ':load failing.ks',
    ':load none.ks',
  ];
  const { stdout, stderr, end } = await repl(t, lines, cwd);
  t.is(stdout, [3, 2, 2, 4].map((value) => `Evaluated to ${value}\n`).join(''));
  t.is(
    stderr,
    `bad.ks:2:5: error: expected a function name, found '('
def (;
    ^
failing.ks:1:1: error: unknown function 'nowhere'
nowhere();
^
farjit: error: cannot read none.ks: no such file or directory
`,
  );
  t.is(end, 1);
});

test.serial(
  'a byte order mark in front of the input is none of it, and anywhere else is refused',
  async (t) => {
    const marked = await repl(t, ['\ufeff1 + 1;', '\ufeff2;']);
    t.is(marked.stdout, 'Evaluated to 2\n');
    t.regex(marked.stderr, /^<stdin>:2:1: error: invalid character /);
    t.is((await repl(t, ['\ufeff:stubs'])).stderr, '');
  },
);

test.serial(':quit ends it at once, though more input would come', async (t) => {
  const { child, finished } = start(t, ['repl']);
  child.stdin.write('1\n:quit\n2\n');
  t.deepEqual(await finished, { stdout: 'Evaluated to 1\n', stderr: '', end: 0 });
});

test.serial('wrong commands get an answer', async (t) => {
  const { stdout, stderr, end } = await repl(t, [
    ':fly',
    ':fly\u001b[2J',
    ':ir',
    ':stubs f',
    ':ast nobody',
    ':asm no\u0007body',
    ':ir f',
    'def f(x) nobody(x)',
    ':ir f',
  ]);
  t.deepEqual([stdout, end], ['', 1]);
  t.is(
    stderr,
    `farjit: error: unknown command ':fly'; :help lists the commands
farjit: error: unknown command ':fly\\u{1b}[2J'; :help lists the commands
farjit: error: :ir needs an argument: :ir f
farjit: error: :stubs takes no argument, got 'f'
farjit: error: no function 'nobody' is defined here
farjit: error: no function 'no\\u{7}body' is defined here
farjit: error: no function 'f' is defined here
<stdin>:8:10: error: unknown function 'nobody'
def f(x) nobody(x)
         ^
`,
  );
});

test.serial('Ctrl-C interrupts the running call and only that', async (t) => {
  const { child, printed, finished } = start(t, ['repl']);
  child.stdin.write('extern printd(x)\ndef spin(x) for i = printd(x), 1 < 2 in x\nspin(7)\n3\n');
  await printed('stdout', '7.000000\n');
  child.kill('SIGINT');
  await printed('stdout', 'Evaluated to 3\n');
  child.stdin.end('spin(8)\n4\n');
  await printed('stdout', '8.000000\n');
  child.kill('SIGINT');
  const { stdout, stderr, end } = await finished;
  t.deepEqual([stdout, end], ['7.000000\nEvaluated to 3\n8.000000\nEvaluated to 4\n', 1]);
  t.is(stderr, '<stdin>:3:1: error: interrupted\nspin(7)\n^\n<stdin>:5:1: error: interrupted\nspin(8)\n^\n');
});

test.serial('Ctrl-C interrupts a loaded file, its later expressions too', async (t) => {
  const program = 'extern printd(x);\ndef spin(x) for i = printd(x), 1 < 2 in x;\nspin(7);\n8;\n';
  const cwd = await folderWith(t, { 'endless.ks': program });
  const { child, printed, finished } = start(t, ['repl'], { cwd });
  child.stdin.end(':load endless.ks\n9\n');
  await printed('stdout', '7.000000\n');
  child.kill('SIGINT');
  const { stdout, end } = await finished;
  t.deepEqual([stdout, end], ['7.000000\nEvaluated to 9\n', 1]);
});

test.serial('a signal while it waits for input ends it, and its executor', async (t) => {
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const { child, processId, printed, finished } = start(t, ['repl']);
    child.stdin.write('1\n');
    await printed('stdout', 'Evaluated to 1\n');
    const helpers = await descendants(processId);
    t.true(helpers.length >= 2);
    child.kill(signal);
    t.is((await finished).end, exitCode);
    await gone(helpers);
  }
});

test.serial('it says so and ends when its executor is gone, whether it waits or runs', async (t) => {
  for (const [input, awaited, words] of [
    ['1\n', 'Evaluated to 1\n', /^farjit: error: the executor is gone: /],
    [
      'extern printd(x)\ndef spin(x) for i = printd(x), 1 < 2 in x\nspin(7)\n3\n',
      '7.000000\n',
      /^<stdin>:3:1: error: the executor is gone: .*\nspin\(7\)\n\^\n$/,
    ],
  ] as const) {
    const { child, processId, printed, finished } = start(t, ['repl']);
    child.stdin.write(input);
    await printed('stdout', awaited);
    const helpers = await descendants(processId);
    process.kill(helpers[0] ?? 0, 'SIGKILL');
    const { stdout, stderr, end } = await finished;
    t.deepEqual([stdout, end], [awaited, 1]);
    t.regex(stderr, words);
    await gone(helpers);
  }
});

test.serial('many lines in one piece are all evaluated, in order', async (t) => {
  const lines = Array.from({ length: 300 }, (_, index) =>
    index % 3 === 2 ? `f${index - 1}(1)` : `def f${index}(x) x + ${index}`,
  );
  const { stdout, stderr } = await repl(t, lines);
  t.is(stderr, '');
  const expected = lines.flatMap((_, index) => (index % 3 === 2 ? [`Evaluated to ${index}`] : []));
  t.deepEqual(stdout.trimEnd().split('\n'), expected);
});
