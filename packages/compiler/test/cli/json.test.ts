import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { doubleJSON, doubleText } from '../../src/cli/double-text.js';
import { FARJIT, farjit, folderWith, start } from './run-farjit.js';

const hasScript = spawnSync('script', ['--version']).status === 0;

/** What is written as lines of JSON. */
function objectsOf(text: string): unknown[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const PROGRAM = 'extern printd(x); extern log(x);\n1 + 0.5; printd(2); log(0);\n nobody(3); 4;';

test('run --json writes values, errors and statistics as objects, and leaves the program its output', async (t) => {
  const cwd = await folderWith(t, { 'a.ks': PROGRAM });
  const { stdout, stderr, end } = await farjit(t, ['run', '--json', '--stats', 'a.ks'], { cwd });
  t.is(stdout, '{"value":1.5}\n2.000000\n{"value":0}\n{"value":"-Infinity"}\n{"value":4}\n');
  const [error, statistics, ...more] = objectsOf(stderr);
  t.deepEqual(error, {
    error: {
      code: 'SEMANTIC_ERROR',
      message: "unknown function 'nobody'",
      file: 'a.ks',
      line: 3,
      column: 2,
    },
  });
  t.like(statistics, { functionsDefined: 0 });
  t.deepEqual([more, end], [[], 1]);
});

test('errors, warnings and notes are objects, one for each kind', async (t) => {
  const cwd = await folderWith(t, { 'a.ks': 'def deep(x) deep(x + 1) + 1;\ndeep(0);', 'b.csv': '1\nx\n' });
  const said = async (...args: string[]) => objectsOf((await farjit(t, args, { cwd })).stderr);
  t.deepEqual(await said('run', '--json', 'none.ks'), [
    {
      error: { code: 'SOURCE_UNREADABLE', message: 'cannot read none.ks: no such file or directory' },
    },
  ]);
  t.deepEqual(await said('--json', 'rum'), [
    { error: { code: 'USAGE', message: "unknown command 'rum'", details: ['(Did you mean run?)'] } },
  ]);
  t.deepEqual(await said('run', '--json', '--stats=xml', 'a.ks'), [
    {
      error: {
        code: 'USAGE',
        message: "option '--stats [=json]' argument 'xml' is invalid. Allowed choices are summary, json.",
      },
    },
  ]);
  const [trap] = (await said('run', '--json', 'a.ks')) as [{ error: { details: string[] } }];
  t.like(trap, { error: { code: 'EXECUTION_TRAP', file: 'a.ks', line: 2, column: 1 } });
  t.regex(trap.error.details[0] ?? '', /^ {2}in deep/);
  const [warning] = (await said('run', '--json', '--baseline=off', '--cache-dir=/proc/none', '-e', '1')) as [
    { warning: { message: string } },
  ];
  t.regex(warning.warning.message, /^cannot open the cache directory \/proc\/none: .*; nothing is kept$/);
  t.deepEqual(await said('map', '--json', 'deep', 'a.ks', '--input=b.csv'), [
    {
      error: {
        code: 'DATA_UNREADABLE',
        message: "'x' is not a number (for the parameter 'x')",
        file: 'b.csv',
        line: 2,
        column: 1,
      },
    },
  ]);
});

test('map --json writes one object, of 20,000 results too', async (t) => {
  const rows = Array.from({ length: 20_000 }, (_, index) => index);
  const cwd = await folderWith(t, {
    'a.ks': 'extern log(x); def f(x) log(x);',
    'a.csv': `${rows.join('\n')}\n`,
  });
  const { stdout, stderr } = await farjit(t, ['map', '--json', 'f', 'a.ks', '--input', 'a.csv'], { cwd });
  t.is(stderr, '');
  const { results, ...others } = JSON.parse(stdout) as { results: unknown[] };
  t.deepEqual(others, { function: 'f' });
  t.deepEqual([results.length, results.slice(0, 2)], [20_000, ['-Infinity', 0]]);
});

test('--version, doctor and cache have an object each', async (t) => {
  for (const args of [
    ['--version', '--json'],
    ['--json', '-V'],
  ])
    t.like(JSON.parse((await farjit(t, args)).stdout), { farjit: '0.1.0', node: process.versions.node });
  const { ok, findings } = JSON.parse((await farjit(t, ['doctor', '--json'])).stdout);
  t.true(ok);
  t.deepEqual(findings[0], { level: 'ok', what: `Node ${process.version}` });
  const place = join(await folderWith(t), 'cache');
  await farjit(t, ['run', '--baseline=off', '--cache-dir', place, '-e', 'def f(x) x; f(1)']);
  const info = JSON.parse((await farjit(t, ['cache', 'info', '--json', '--cache-dir', place])).stdout);
  t.like(info, { place, files: 1 });
  t.true(info.objects > 0 && info.sizeBytes > 0);
  t.deepEqual(JSON.parse((await farjit(t, ['cache', 'clear', '--json', '--cache-dir', place])).stdout), {
    place,
    removedObjects: info.objects,
    removedBytes: info.sizeBytes,
  });
});

test('numbers are written so that they can be read back, and what JSON has not is a text', (t) => {
  for (const value of [0, -0, 0.1, -1e300, 5e-324, 2 ** 70]) {
    t.is(Number(doubleText(value)), value);
    t.is(JSON.parse(doubleJSON(value)), value);
  }
  t.deepEqual(
    [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((value) =>
      JSON.parse(doubleJSON(value)),
    ),
    ['NaN', 'Infinity', '-Infinity'],
  );
});

test('repl --json writes values, what commands show and errors as objects, on a terminal too', async (t) => {
  const lines = [
    'def f(x) x * 2',
    'extern printd(x)',
    'f(21)',
    'printd(2)',
    '1 +* 2',
    'nobody(1)',
    ':ir f',
    ':tier f',
    ':stubs',
    ':stats',
    ':help',
    ':ir nobody',
    ':nothing',
    'extern log(x)',
    'log(0-1)',
  ];
  const { stdout, stderr, end } = await farjit(t, ['repl', '--json', '--no-cache'], {
    input: `${lines.join('\n')}\n`,
  });
  t.is(end, 1);
  const printed = stdout.split('\n');
  t.is(printed.splice(1, 1)[0], '2.000000', "the program's own");
  const [value, printd, ir, tier, stubs, stats, help, nan, ...more] = objectsOf(printed.join('\n')) as Record<
    string,
    unknown
  >[];
  t.deepEqual([value, printd, nan, more], [{ value: 42 }, { value: 0 }, { value: 'NaN' }, []]);
  t.regex(String(ir?.ir), /^define double @"f\$impl"/m);
  t.like(tier, { tier: { name: 'f' } });
  t.regex(JSON.stringify(stubs), /^\{"stubs":\[.*"name":"f","stub":"0x/);
  t.like(stats, { stats: { functionsDefined: 1 } });
  t.regex(JSON.stringify(help), /^\{"help":\[.*"name":":quit"/);
  t.deepEqual(
    objectsOf(stderr).map((line) => (line as { error: { code?: string; line?: number } }).error.line),
    [5, 6, undefined, undefined],
  );
  if (!hasScript) return;
  const command = ['script', '--quiet', '--return', '--echo', 'never', '--command'];
  const { child, printed: shows, finished } = start(t, [`${FARJIT} repl --json`, '/dev/null'], { command });
  child.stdin.write('1+1\n');
  await shows('stdout', '}');
  child.stdin.end('\u0004');
  const onTerminal = await finished;
  t.is(onTerminal.stdout.replaceAll('\r', '').split('\n')[0], '{"value":2}');
});

const withClang = spawnSync('clang-14', ['--version']).status === 0 ? test : test.skip;

withClang('what clang says of a source is an object for each thing, with its place', async (t) => {
  const cwd = await folderWith(t, {
    'wrong.c': 'int main(void) {\n  int x = 1.5;\n  return y;\n}\n',
    'odd.c': '#warning odd\nint main(void) { return 0; }\n',
    'wrong.ll': '\nnonsense\n',
  });
  const said = async (...args: string[]) => {
    const { stdout, stderr, end } = await farjit(t, ['run', '--json', '--cc=clang-14', ...args], { cwd });
    t.is(stdout, '');
    return [end, ...objectsOf(stderr)];
  };
  t.deepEqual(await said('wrong.c'), [
    1,
    {
      warning: {
        message:
          "implicit conversion from 'double' to 'int' changes value from 1.5 to 1 [-Wliteral-conversion]",
        file: 'wrong.c',
        line: 2,
        column: 11,
      },
    },
    {
      error: {
        code: 'C_SOURCE',
        message: "use of undeclared identifier 'y'",
        file: 'wrong.c',
        line: 3,
        column: 10,
      },
    },
  ]);
  t.deepEqual(await said('odd.c'), [
    0,
    { warning: { message: 'odd [-W#warnings]', file: 'odd.c', line: 1, column: 2 } },
  ]);
  const { stderr } = await farjit(t, ['run', '--json', 'wrong.ll'], { cwd });
  t.like(objectsOf(stderr)[0], { error: { code: 'IR_SYNTAX', file: 'wrong.ll', line: 2 } });
});

test('what the executor of the command says itself is an object too', async (t) => {
  const said = async (...args: string[]) => objectsOf((await farjit(t, args)).stderr);
  const off = {
    warning: { message: 'the sandbox is off: programs may do whatever this user may, on this machine' },
  };
  t.deepEqual(await said('run', '--json', '--sandbox=off', '-e', '1'), [off]);
});
