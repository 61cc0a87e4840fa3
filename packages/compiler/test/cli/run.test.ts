import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { isAsleep, settled, steadily } from '../asleep.js';
import { descendants, EXAMPLES, FARJIT, farjit, folderWith, gone, runProgram, start } from './run-farjit.js';

const EXAMPLE_OUTPUT: Readonly<Record<string, string>> = {
  'fib.ks': `${'Evaluated to 55.000000\n'.repeat(3)}Evaluated to 0.000000\n`,
  'laziness.ks': '385.000000\nEvaluated to 385.000000\n338350.000000\nEvaluated to 338350.000000\n',
  'operators.ks': `1024.000000\n3.500000\n-0.250000\nEvaluated to 0.000000\n${'Evaluated to 1.000000\n'.repeat(3)}`,
};

for (const [name, expected] of Object.entries(EXAMPLE_OUTPUT))
  test.serial(`examples/${name} prints what it says`, async (t) => {
    const finished = await farjit(t, ['run', join(EXAMPLES, name)]);
    t.deepEqual(finished, { stdout: expected, stderr: '', end: 0 });
  });

test.serial('examples/mandelbrot.ks draws 41 rows of 79 columns, symmetric but for rounding', async (t) => {
  const { stdout, stderr, end } = await farjit(t, ['run', join(EXAMPLES, 'mandelbrot.ks')]);
  t.deepEqual([stderr, end], ['', 0]);
  const lines = stdout.trimEnd().split('\n');
  t.is(lines.pop(), 'Evaluated to 0.000000');
  t.is(lines.length, 41);
  t.true(lines.every((line) => /^[ .+*]{79}$/.test(line)));
  t.regex(lines[19] ?? '', /^\*+\+\.\.\. \.{4} +\.{3}\+{4}\*+$/);
});

test.serial('what the program prints and its values come in program order', async (t) => {
  const program = `extern printd(x);
    extern putchard(c);
    def binary : 1 (x y) y;
    1;
    printd(10) : 2;
    putchard(65) : putchard(10) : 3;
    (for i = 0, i < 3 in printd(i)) : 4;
    5;`;
  const values = (text: string) => text.replaceAll(/^=(\d)$/gm, 'Evaluated to $1.000000');
  t.deepEqual(await runProgram(t, program), {
    stdout: values('=1\n10.000000\n=2\nA\n=3\n0.000000\n1.000000\n2.000000\n3.000000\n=4\n=5\n'),
    stderr: '',
    end: 0,
  });
});

test.serial('a file of - is standard input, and is called <stdin>', async (t) => {
  t.deepEqual(await farjit(t, ['run', '-'], { input: 'def f(x) x*2;\nf(21);\n' }), {
    stdout: 'Evaluated to 42.000000\n',
    stderr: '',
    end: 0,
  });
  const wrong = await farjit(t, ['run', '-'], { input: '1 +;' });
  t.is(wrong.stderr.split('\n')[0], "<stdin>:1:4: error: expected an expression, found ';'");
});

test.serial('a program without expressions prints nothing', async (t) => {
  t.deepEqual(await runProgram(t, 'def f(x) x; # defined, never called\n'), {
    stdout: '',
    stderr: '',
    end: 0,
  });
});

test.serial('infinities, NaNs, huge and negative numbers are printed as by C', async (t) => {
  const program = `extern pow(x y);
    def inf() pow(10, 400);
    inf(); 0 - inf(); inf() - inf(); 0 - (inf() - inf()); pow(2, 100); 0 * (0 - 1); 0 - 1.5;`;
  const { stdout } = await runProgram(t, program);
  const printed = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.replace('Evaluated to ', ''));
  // x86 gives inf - inf a set sign bit, and 0 - NaN keeps it.
  t.deepEqual(printed, [
    'inf',
    '-inf',
    '-nan',
    '-nan',
    '1267650600228229401496703205376.000000',
    '-0.000000',
    '-1.500000',
  ]);
});

test.serial('every optimisation level computes the same', async (t) => {
  const program = 'def f(n) if n < 2 then n else f(n-1) + f(n-2);\nf(15);\n';
  for (const level of [['-O0'], ['-O', '1'], ['-O2'], ['--opt-level=3'], []]) {
    const { stdout, end } = await runProgram(t, program, level);
    t.deepEqual([stdout, end], ['Evaluated to 610.000000\n', 0], level.join(' '));
  }
});

test.serial('--stats=json ends with one object that counts exactly', async (t) => {
  const program = `extern sin(x);
    def used(x) x + 1;
    def user(x) used(x) + used(x);
    def unused(x) nowhere(x);
    user(1);
    user(2);
    sin(0);`;
  const { stdout, stderr, end } = await runProgram(t, program, ['--stats=json', '--speculate=off']);
  t.deepEqual([stdout.split('\n').length, end], [4, 0]);
  t.regex(stderr, /^\{[^\n]*\}\n$/);
  const statistics = JSON.parse(stderr);
  t.like(statistics, {
    functionsDefined: 3,
    functionsCompiled: 2,
    expressionsCompiled: 3,
    compileCallbacks: 2,
    failedCallbacks: 0,
    calls: 3,
    runnersStarted: 1,
    runnersLost: 0,
  });
  const { call, reenter, lookupSymbols, openSession, sessionStatus } = statistics.roundTrips;
  t.deepEqual(
    { call, reenter, lookupSymbols, openSession, sessionStatus },
    { call: 3, reenter: 2, lookupSymbols: 1, openSession: 1, sessionStatus: undefined },
  );
  for (const name of ['bytesSent', 'bytesReceived', 'compileMs', 'linkMs', 'wallMs', 'callbackMs'])
    t.true(statistics[name] > 0, name);
  t.true(statistics.wireMs >= 0);
  t.true(statistics.compileMs < statistics.wallMs);
});

test.serial('--stats before the file is not taken for its format, and ends with a summary', async (t) => {
  const cwd = await folderWith(t, { 'program.ks': 'def f(x) x;\ndef g(x) f(x);\nf(1);' });
  const { stdout, stderr, end } = await farjit(t, ['run', '--stats', 'program.ks'], { cwd });
  t.deepEqual([stdout, end], ['Evaluated to 1.000000\n', 0]);
  t.regex(stderr, /^functions +2 defined, 1 compiled$/m);
  t.regex(stderr, /^callbacks +1$/m);
  t.regex(stderr, /^round trips +\d+ \(.*\breenter 1\b.*\)$/m);
  t.regex(stderr, /^bytes +.* sent, .* received$/m);
  t.regex(stderr, /^time +.* in LLVM, .* on the wire, .* altogether$/m);
});

/** Counts up from 0, a line each, for ever. */
const FLOOD = `extern printd(x);
def flood(n) for i = 0, 1 < 2 in printd(i);
flood(0);
2;
`;

test.serial('a reader that leaves ends the program quietly', async (t) => {
  const cwd = await folderWith(t, { 'flood.ks': FLOOD });
  const { child, finished } = start(t, ['run', 'flood.ks'], { cwd });
  child.stdout.once('data', () => child.stdout.destroy());
  const { stderr, end } = await finished;
  t.deepEqual([stderr, end], ['', 141]);
});

/** The pipes and buffers between a program and its reader hold some 2.5 MiB. */
const ON_ITS_WAY_BYTES = 8 * 1024 * 1024;

test.serial('a reader that stops stops the program; nothing is piled up and nothing is lost', async (t) => {
  const cwd = await folderWith(t, { 'flood.ks': FLOOD });
  const { child, processId, printed, finished, stdoutSoFar } = start(t, ['run', 'flood.ks'], { cwd });
  await printed('stdout', '\n9.000000\n');
  child.stdout.pause();
  const runner = await runnerOf(processId);
  await steadily(() => isAsleep(runner), 'the program waits');
  // What comes now was on its way: nothing is printed any more.
  process.kill(runner, 'SIGSTOP');
  const before = stdoutSoFar().length;
  child.stdout.resume();
  await settled(() => stdoutSoFar().length, 'all that was on its way has come');
  const onItsWayBytes = stdoutSoFar().length - before;
  t.log(`${onItsWayBytes} bytes were on their way`);
  t.true(onItsWayBytes < ON_ITS_WAY_BYTES, `${onItsWayBytes} bytes`);
  process.kill(runner, 'SIGCONT');
  await printed('stdout', '\n600000.000000\n');
  child.kill('SIGINT');
  const { stdout, end } = await finished;
  t.is(end, 130);
  const lines = stdout.split('\n').slice(0, 600_000);
  t.is(
    lines.findIndex((line, index) => line !== `${index}.000000`),
    -1,
  );
});

/** The runner of a command that has started one. */
async function runnerOf(processId: number): Promise<number> {
  for (const one of await descendants(processId))
    if ((await readFile(`/proc/${one}/comm`, 'utf8')).startsWith('farjit-runner')) return one;
  throw new Error('there is no runner');
}

test.serial('an interrupted run does not wait for a reader that has stopped', async (t) => {
  const cwd = await folderWith(t, { 'flood.ks': FLOOD });
  const { child, processId, printed } = start(t, ['run', 'flood.ks'], { cwd });
  await printed('stdout', '\n9.000000\n');
  child.stdout.pause();
  const helpers = await descendants(processId);
  child.kill('SIGINT');
  await gone(helpers);
  t.pass();
});

for (const args of [
  'run program.ks',
  'map f program.ks --input data.csv',
  'cache info',
  'doctor',
  '--help',
  'run --help',
])
  test.serial(`a full disk is an error with words: farjit ${args}`, async (t) => {
    const cwd = await folderWith(t, { 'program.ks': 'def f(x) x + 1; 5;\n', 'data.csv': '1\n2\n' });
    const command = ['sh', '-c', 'exec "$0" "$@" > /dev/full', FARJIT];
    const { finished } = start(t, args.split(' '), { cwd, command });
    const { stderr, end } = await finished;
    t.deepEqual(
      [stderr, end],
      ['farjit: error: cannot write to standard output: no space left on device\n', 1],
    );
  });
