import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { FARJIT, FARJIT_JS, type Finished, folderWith, start } from './run-farjit.js';

/** Command lines of which each has one answer, which the launcher gives: those of a line the same. */
const ANSWERED: readonly (readonly (readonly string[])[])[] = [
  [['--version'], ['-V']],
  [['--help'], ['-h'], ['help']],
  ...['run', 'repl', 'map', 'cache', 'recording', 'doctor', 'completion'].map((command) => [
    [command, '--help'],
    [command, '-h'],
    ['help', command],
  ]),
];
/** Like them, and the compiler's to answer. */
const OTHERS: readonly (readonly string[])[] = [
  ['--version', '--json'],
  ['--json', '--version'],
  ['help', 'help'],
  ['help', 'nothing'],
  ['help', 'run', 'map'],
  ['help', '../version'],
  ['nothing', '--help'],
  ['run', '--help', '-x'],
];

/** util-linux's script runs a command on a pseudo-terminal; Debian always has it. */
const onTerminal = spawnSync('script', ['--version']).status === 0 ? test : test.skip;

function run(
  t: ExecutionContext,
  command: readonly string[],
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  return start(t, args, { command, env: { NO_COLOR: '', ...env } }).finished;
}

test('what has one answer needs no Node, and is answered as Node does', async (t) => {
  const nothing = await folderWith(t);
  for (const [first = [], ...others] of ANSWERED) {
    const expected = await run(t, [process.execPath, FARJIT_JS], first);
    t.is(expected.end, 0);
    for (const args of [first, ...others])
      t.deepEqual(await run(t, [FARJIT], args, { PATH: nothing }), expected, args.join(' '));
  }
});

test('what only looks like it is answered by the compiler', async (t) => {
  for (const args of OTHERS)
    t.deepEqual(
      await run(t, [FARJIT], args),
      await run(t, [process.execPath, FARJIT_JS], args),
      args.join(' '),
    );
});

test('an answer that cannot be written is an error, as any other', async (t) => {
  const { status, stderr } = spawnSync(FARJIT, ['--version'], {
    stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    encoding: 'utf8',
  });
  t.is(status, 1);
  t.regex(stderr, /^farjit: error: cannot write to standard output: no space/);
});

onTerminal(
  'terminals get bold titles unless they are told not to, and narrow ones short lines',
  async (t) => {
    const shown = async (columns: number, program: readonly string[], env: Record<string, string> = {}) => {
      const words = `stty cols ${columns}; exec ${program.join(' ')} --help`;
      const command = ['script', '--quiet', '--return', '--command', words];
      const { stdout } = await run(t, command, ['/dev/null'], { TERM: 'xterm', SHELL: '/bin/sh', ...env });
      return stdout;
    };
    for (const columns of [40, 80, 200])
      for (const env of [{}, { NO_COLOR: '1' }, { TERM: 'dumb' }, { FORCE_COLOR: '0' }]) {
        const answer = await shown(columns, [FARJIT], env);
        t.is(answer, await shown(columns, [process.execPath, FARJIT_JS], env));
        const isPlain = answer === stripVTControlCharacters(answer);
        t.is(isPlain, Object.keys(env).length > 0, JSON.stringify({ columns, env }));
      }
  },
);
