import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { FARJIT, farjit, folderWith, start } from '#compiler/test/cli/run-farjit.js';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { startExecutors } from './executor-process.js';

const PROGRAM = `def sq(x) x * x;
def norm(x y) sq(x) + sq(y);
def one() 1;
def deep(x) if x < 3 then x else deep(x + 1) * 0.5 + 1;
def later(x) if x < 3 then x else missing(x);
1 + 1;
`;

/** A folder with the program and files of data; `map` runs the command in it. */
async function openFolder(t: ExecutionContext, files: Record<string, string> = {}) {
  const cwd = await folderWith(t, { 'program.ks': PROGRAM, ...files });
  const map = (args: readonly string[], input?: string) =>
    farjit(t, ['map', ...args], { cwd, ...(input === undefined ? {} : { input }) });
  const path = (name: string) => join(cwd, name);
  return { cwd, map, path };
}

function doublesOf(bytes: Buffer): number[] {
  return Array.from({ length: bytes.byteLength / 8 }, (_, index) => bytes.readDoubleLE(8 * index));
}

function bytesOf(doubles: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * doubles.length);
  doubles.forEach((double, index) => {
    bytes.writeDoubleLE(double, 8 * index);
  });
  return bytes;
}

test('columns are found by the names of the parameters', async (t) => {
  const { map, path } = await openFolder(t, { 'data.csv': 'y,x,z\n1,2,3\n4, 5 ,6\n-1,0.5,"7"\n' });
  const { stdout, stderr, end } = await map(['norm', 'program.ks', '--input', 'data.csv']);
  t.deepEqual([stdout, stderr, end], ['norm\n5\n41\n1.25\n', '', 0]);
  const written = await map(['norm', 'program.ks', '--input', 'data.csv', '--output', 'results.f64']);
  t.deepEqual(written, { stdout: '', stderr: '', end: 0 });
  t.deepEqual(doublesOf(await readFile(path('results.f64'))), [5, 41, 1.25]);
  await map(['norm', 'program.ks', '--input', 'data.csv', '--output', 'results.csv', '--chunk', '1']);
  t.is(await readFile(path('results.csv'), 'utf8'), 'norm\n5\n41\n1.25\n');
});

test('or by their order, with the words for what is no number', async (t) => {
  const { map } = await openFolder(t);
  const numbers = await map(
    ['norm', 'program.ks', '--input', '-'],
    '\ufeff1,2\r\n\r\n-.5,1e2\r\nnan,1\r\n-INF,1\r\n',
  );
  t.deepEqual(numbers, { stdout: '5\n10000.25\nNaN\nInfinity\n', stderr: '', end: 0 });
  const renamed = await map(['norm', 'program.ks', '--input', '-'], 'width,height\n3,4\n');
  t.is(renamed.stdout, 'norm\n25\n');
  const empty = await map(['norm', 'program.ks', '--input', '-'], 'x,y\n');
  t.deepEqual(empty, { stdout: 'norm\n', stderr: '', end: 0 });
});

test('functions of C are applied as Kaleidoscope’s are', async (t) => {
  const { map, path } = await openFolder(t, {
    'mean.ks': 'extern mean(x y);',
    'program.c': `#include <math.h>
      static double sq(double x) { return x * x; }
      double norm(double x, double y) { return sqrt(sq(x) + sq(y)); }
      int count(double x) { return x; }`,
    'more.ks': 'def more(x y) norm(x, y) + 1;',
    'wrong.c': 'double f(double x) { return y; }',
    'data.csv': 'width,height\n3,4\n6,8\n',
  });
  const applied = await map([
    'norm',
    'program.c',
    '--input',
    'data.csv',
    '--cflags=-O2',
    '--executors-local=2',
  ]);
  t.deepEqual(applied, { stdout: 'norm\n5\n10\n', stderr: '', end: 0 });
  const refused = async (...args: string[]) => (await map([...args, '--input', 'data.csv'])).stderr;
  t.is(
    await refused('count', 'program.c'),
    "farjit: error: 'count' is i32(double), and data is for functions that take doubles and give one\n",
  );
  t.regex(await refused('f', 'wrong.c'), /^wrong\.c:1:\d+: error: use of undeclared identifier 'y'\n/);
  // What an object does not say, an extern does.
  await writeFile(
    path('mean.o'),
    compile('double mean(double x, double y) { return (x + y) / 2; }', ['-fPIC']),
  );
  const ofObject = await map(['mean', 'mean.o', 'mean.ks', '--input', 'data.csv']);
  t.deepEqual(ofObject, { stdout: 'mean\n3.5\n7\n', stderr: '', end: 0 });
  t.is(
    await refused('mean', 'mean.o'),
    'farjit: error: the signature of mean is not known: if it takes doubles and gives one, ' +
      'give a .ks file too that has extern mean(x y);\n',
  );
  const linked = await map(['more', 'program.c', 'more.ks', '--input', 'data.csv']);
  t.deepEqual(linked, { stdout: 'more\n6\n11\n', stderr: '', end: 0 });
  t.regex(
    await refused('norm', 'program.ks', 'program.ks'),
    /^farjit: error: program\.ks is Kaleidoscope, and a program/,
  );
});

test('functions of C++ are applied after the constructors of their program, whose finalisers run at the end', async (t) => {
  const { map } = await openFolder(t, {
    'sum.cpp': `#include <iostream>
      #include <numeric>
      #include <vector>
      static std::vector<double> parts{1, 2, 3.5};
      struct Farewell { ~Farewell() { std::cerr << "farewell" << std::endl; } };
      static Farewell farewell;
      thread_local double started = parts.at(0);
      extern "C" double sum(double x) { return std::accumulate(parts.begin(), parts.end(), x + started); }
      extern "C" double fall(double x) { __builtin_trap(); }`,
    'begin.c': '__attribute__((constructor)) void begin(void) { __builtin_trap(); }',
    'data.csv': 'x\n1\n2\n',
  });
  const applied = await map(['sum', 'sum.cpp', '--input', 'data.csv', '--executors-local=2']);
  t.regex(applied.stderr, /^(farewell\n){1,2}$/);
  t.deepEqual({ ...applied, stderr: '' }, { stdout: 'sum\n8.5\n9.5\n', stderr: '', end: 0 });
  const failed = await map(['sum', 'sum.cpp', 'begin.c', '--input', 'data.csv']);
  t.is(failed.stdout, '');
  t.is(failed.end, 1);
  t.regex(failed.stderr, /^farjit: error: cannot initialise main: begin: /);
});

test('doubles go in and out as they are, on several executors', async (t) => {
  const { map, path, cwd } = await openFolder(t);
  const rows = Array.from({ length: 3000 }, (_, row) => [row / 7, -row]);
  await writeFile(path('rows.f64'), bytesOf(rows.flat()));
  const expected = rows.map(([x = 0, y = 0]) => x * x + y * y);
  const executors = await startExecutors(t, 2);
  const urls = executors.flatMap(({ url }) => ['--executor', url]);
  const { stderr, end } = await farjit(
    t,
    [
      'map',
      'norm',
      'program.ks',
      '--input=rows.f64',
      '--output=out.f64',
      '--chunk=100',
      ...urls,
      '--stats=json',
    ],
    { cwd },
  );
  t.is(end, 0);
  t.deepEqual(doublesOf(await readFile(path('out.f64'))), expected);
  const { executors: figures, loopsCompiled } = JSON.parse(stderr) as {
    loopsCompiled: number;
    executors: { chunks: number; elements: number }[];
  };
  t.is(loopsCompiled, 1);
  t.is(
    figures.reduce((total, { chunks }) => total + chunks, 0),
    30,
  );
  t.is(
    figures.reduce((total, { elements }) => total + elements, 0),
    3000,
  );
  t.true(figures.every(({ chunks }) => chunks > 0));
  const local = await map([
    'norm',
    'program.ks',
    '--input=rows.f64',
    '--output=own.f64',
    '--executors-local=2',
    '--stats',
  ]);
  t.is(local.end, 0);
  t.is(local.stderr.match(/^ {2}local: \d+ chunks of \d+ elements altogether, busy for /gm)?.length, 2);
  t.deepEqual(doublesOf(await readFile(path('own.f64'))), expected);
});

const WRONG: readonly [args: readonly string[], input: string, words: RegExp][] = [
  [['norm'], '1,2\n3,x4\n', /^<stdin>:2:3: error: 'x4' is not a number \(for the parameter 'y'\)\n$/],
  [['norm'], 'y,"a,b",x\n1,"2,""5",0x10\n', /^<stdin>:2:11: error: '0x10' is not a number/],
  [['norm'], 'x,y\n1,2\n\n3\n', /^<stdin>:4:1: error: there is 1 field, the first line has 2\n$/],
  [
    ['norm'],
    '1,2,3\n',
    /:1:1: error: there are 3 fields, and no line before that names them; .* 2 parameters: x, y\n$/,
  ],
  [['norm'], 'x,z\n1,2\n', /^<stdin>:1:1: error: there is no column 'y'; there are 'x', 'z'\n$/],
  [['norm'], '1,2\n3,"4\n5,6\n', /^<stdin>:\d:1: error: a quote is opened and not closed\n$/],
  [['sq'], `1\n"${'9'.repeat(2_000_000)}`, /error: the line has more than 1048576 characters\n$/],
  [['norm'], '', /^<stdin>:1:1: error: there is no data\n$/],
  [
    ['nobody'],
    '1\n',
    /^farjit: error: program\.ks does not define 'nobody'; it has 'sq', 'norm', 'deep', 'later'\n$/,
  ],
  [['one'], '1\n', /^farjit: error: 'one' of program\.ks has no parameters to take from data\n$/],
  [
    ['later'],
    '1\n2\n3\n',
    /^farjit: error: later failed in chunk \d \(elements \d to \d\) on local: .*\n.*program\.ks:5:35: error: unknown function 'missing'/,
  ],
  [
    ['deep'],
    '1\n2\n3\n',
    /^farjit: error: deep failed in chunk \d \(elements \d to \d\) on local: SIGSEGV in .*stack overflow\).*\n {2}in deep/,
  ],
  [
    // Noticed before the map, which would fail.
    ['later', '--output', 'nowhere/out.csv'],
    '5\n',
    /^farjit: error: cannot write nowhere\/out\.csv: no such file or directory\n$/,
  ],
];

for (const [[name = '', ...args], input, words] of WRONG)
  test(`${name} of ${JSON.stringify(input.slice(0, 20))} ${args.join(' ')} is refused: ${words}`, async (t) => {
    const { map } = await openFolder(t);
    const { stdout, stderr, end } = await map([name, 'program.ks', '--input', '-', ...args], input);
    t.deepEqual([stdout, end], ['', 1]);
    t.regex(stderr, words);
  });

test('files that are not there, or not what their names say', async (t) => {
  const { map, path } = await openFolder(t, { 'broken.ks': 'def f(x) x +;', 'odd.f64': '0123456789' });
  const none = await map(['sq', 'program.ks', '--input', 'none.csv']);
  t.deepEqual(
    [none.stderr, none.end],
    ['farjit: error: cannot read none.csv: no such file or directory\n', 1],
  );
  const odd = await map(['norm', 'program.ks', '--input', 'odd.f64']);
  t.is(
    odd.stderr,
    'farjit: error: odd.f64: 10 bytes are no whole number of rows of 16 bytes, 2 doubles each\n',
  );
  const broken = await map(['f', 'broken.ks', '--input', 'odd.f64']);
  t.is(broken.end, 1);
  t.regex(broken.stderr, /^broken\.ks:1:13: error: /);
  await writeFile(path('before.csv'), 'keep\n');
  const failed = await map(['later', 'program.ks', '--input', '-', '--output', 'before.csv'], '1\n5\n');
  t.is(failed.end, 1);
  t.is(await readFile(path('before.csv'), 'utf8'), 'keep\n');
});

test('an interrupt ends it', async (t) => {
  const { cwd } = await openFolder(t, {
    'endless.ks': 'extern printd(x); def spin(x) for i = printd(x), 1 < 2 in x;',
  });
  const { child, finished, printed } = start(t, ['map', 'spin', 'endless.ks', '--input', '-'], { cwd });
  child.stdin.end('7\n');
  await printed('stdout', '7.000000');
  child.kill('SIGINT');
  const { stderr, end } = await finished;
  t.deepEqual([stderr, end], ['farjit: note: interrupted\n', 130]);
});

const hasScript = spawnSync('script', ['--version']).status === 0;
(hasScript ? test : test.skip)(
  'on a terminal there is a bar, and results are where they belong',
  async (t) => {
    const { cwd, path } = await openFolder(t, { 'data.csv': `${'1,2\n'.repeat(2000)}` });
    const run = `exec '${FARJIT}' map norm program.ks --input data.csv --output out.csv --chunk 10`;
    const command = ['script', '--quiet', '--flush', '--return', '--command', run];
    const { finished } = start(t, ['/dev/null'], { command, cwd, env: { TERM: 'xterm', SHELL: '/bin/sh' } });
    const { stdout, end } = await finished;
    t.is(end, 0);
    t.regex(stripVTControlCharacters(stdout), /\d+% \| \d+ of 2000 elements \| \S+ left \| local/);
    t.is((await readFile(path('out.csv'), 'utf8')).length, '5\n'.length * 2000);
  },
);
