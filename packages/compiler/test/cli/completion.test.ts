import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { eventually, FARJIT, farjit, folderWith, start } from './run-farjit.js';

/** Not every system has these; `apt-get install bash-completion zsh fish` brings them. */
const BASH_COMPLETION = '/usr/share/bash-completion/bash_completion';
const hasScript = spawnSync('script', ['--version']).status === 0;
const withBash = existsSync(BASH_COMPLETION) && hasScript ? test : test.skip;
const withZsh = spawnSync('zsh', ['--version']).status === 0 && hasScript ? test : test.skip;
const withFish = spawnSync('fish', ['--version']).status === 0 ? test : test.skip;

const PATH = [dirname(FARJIT), process.env.PATH].join(delimiter);

/** What can follow the words; the last is to be completed. */
const CASES: readonly (readonly [words: readonly string[], first: readonly string[], last: string])[] = [
  [[''], ['run', 'repl', 'map', 'cache', 'recording', 'doctor'], ':4'],
  [['re'], ['repl'], ':4'],
  [['cache', ''], ['info', 'clear'], ':4'],
  [['completion', ''], ['zsh', 'bash', 'fish'], ':4'],
  [['run', '--specul'], ['--speculate', '--speculate-order'], ':4'],
  [['run', '--speculate', ''], ['off', 'auto', 'eager'], ':4'],
  [['run', '--speculate', 'e'], ['eager'], ':4'],
  [['run', '--speculate='], ['off', 'auto', 'eager'], ':4'],
  [['run', '--speculate=e'], ['eager'], ':4'],
  [['repl', '--sandbox-'], ['--sandbox-required'], ':4'],
  [['map', '--inp'], ['--input'], ':4'],
  [['run', '--limit', ''], [], ':4'],
  // Files.
  [['exam'], [], ':0'],
  [['run', ''], [], ':0'],
  [['run', 'a.ks', 'b'], [], ':0'],
  [['run', '--speculate', 'auto', ''], [], ':0'],
  [['a.c', ''], [], ':0'],
  [['run', 'a.c', '--', '--x'], [], ':0'],
  [['run', '--record-calls', ''], [], ':0'],
  [['run', '--record-calls='], [], ':0'],
  [['run', '--record-calls=a'], [], ':0'],
  [['run', '--limit='], [], ':4'],
  [['cache', 'info', '--cache-dir', ''], [], ':0'],
  [['map', ''], [], ':4'],
  [['map', 'f', ''], [], ':0'],
];

for (const [words, first, last] of CASES)
  test(`after farjit ${words.map((word) => word || '␣').join(' ')} there can be ${first.join(', ') || last}`, async (t) => {
    const { stdout, stderr, end } = await farjit(t, ['complete', '--', ...words]);
    t.deepEqual([stderr, end], ['', 0]);
    const lines = stdout.trimEnd().split('\n');
    t.deepEqual(
      lines.slice(0, first.length).map((line) => line.split('\t')[0]),
      first,
    );
    t.is(lines.at(-1), last);
  });

/** Types into a shell on a pseudo-terminal, and waits for what it shows. */
async function typing(
  t: Parameters<typeof start>[0],
  shell: string,
  env: Record<string, string>,
  cwd: string,
) {
  const command = ['script', '--quiet', '--flush', '--return', '--command', `exec ${shell}`];
  const { child, stdoutSoFar } = start(t, ['/dev/null'], {
    command,
    cwd,
    env: { TERM: 'xterm', SHELL: '/bin/sh', PATH, ...env },
  });
  let seen = 0;
  const screen = () => stripVTControlCharacters(stdoutSoFar()).replaceAll(/[\r\u0007]/g, '');
  /** Waits for a text behind all that was waited for before. */
  const shows = (text: string) =>
    eventually(
      () => {
        const at = screen().indexOf(text, seen);
        if (at >= 0) seen = at + text.length;
        return at >= 0;
      },
      text,
      20_000,
    ).catch((error) => {
      throw new Error(`${error.message}; the screen shows ${JSON.stringify(screen())}`);
    });
  return {
    screen,
    shows,
    type: (keys: string) => child.stdin.write(keys),
    /**
     * Empties the line and ends it. An interrupt would do so too, but a shell that is about to show what it
     * has completed can lose it.
     */
    newLine() {
      child.stdin.write('\u0015\n');
      return shows('ready> ');
    },
  };
}

withBash('bash completes commands, options, values and files, and runs none of what is typed', async (t) => {
  const cwd = await folderWith(t, {
    rc: `PS1='ready> '; source ${BASH_COMPLETION}; source <(farjit completion bash); source <(farjit completion bash)\n`,
    'mandelbrot.ks': '',
  });
  const { shows, type, newLine, screen } = await typing(
    t,
    `bash --noprofile --rcfile ${join(cwd, 'rc')} -i`,
    {},
    cwd,
  );
  await shows('ready> ');
  t.is(screen().trim(), 'ready>', 'the script can be read twice without a word');
  type('farjit rep\t');
  await shows('farjit repl ');
  type('--sandbox-r\t');
  await shows('--sandbox-required ');
  type('stri\t');
  await shows('strict ');
  await newLine();
  type('farjit run --speculate=ea\t');
  await shows('--speculate=eager ');
  type('--cache-dir=man\t');
  await shows('--cache-dir=mandelbrot.ks ');
  await newLine();
  type('farjit man\t');
  await shows('farjit mandelbrot.ks ');
  await newLine();
  type('farjit run $(touch made) --speculate-o\t');
  await shows('--speculate-order ');
  t.deepEqual((await readdir(cwd)).sort(), ['mandelbrot.ks', 'rc']);
});

withZsh('zsh completes commands, options, values and files', async (t) => {
  const cwd = await folderWith(t, {
    '.zshrc': "PS1='ready> '; autoload -U compinit; compinit -D; source <(farjit completion zsh)\n",
    'mandelbrot.ks': '',
  });
  const { shows, type, newLine } = await typing(t, 'zsh -i', { ZDOTDIR: cwd }, cwd);
  await shows('ready> ');
  type('farjit rep\t');
  await shows('farjit repl');
  type(' --sandbox-r\t');
  await shows('quired');
  type(' stri\t');
  await shows('ct');
  await newLine();
  type('farjit run --speculate=ea\t');
  await shows('ger');
  type(' --record-calls=man\t');
  await shows('delbrot.ks');
  await newLine();
  type('farjit run man\t');
  await t.notThrowsAsync(shows('delbrot.ks'));
});

withFish('fish completes commands, options, values and files', async (t) => {
  const cwd = await folderWith(t, { 'mandelbrot.ks': '' });
  const env = { PATH, HOME: cwd, XDG_CONFIG_HOME: cwd };
  const completed = async (line: string) => {
    const program = `farjit completion fish | source; complete --do-complete ${JSON.stringify(line)}`;
    const { stdout } = await start(t, ['-c', program], { command: ['fish', '--no-config'], cwd, env })
      .finished;
    return stdout.split('\n').map((one) => one.split('\t')[0]);
  };
  t.deepEqual((await completed('farjit rep'))[0], 'repl');
  t.true((await completed('farjit run --speculate-')).includes('--speculate-order'));
  t.deepEqual((await completed('farjit run --sandbox st'))[0], 'strict');
  t.deepEqual((await completed('farjit run --sandbox=st'))[0], '--sandbox=strict');
  t.true((await completed('farjit run --record-calls=man')).includes('--record-calls=mandelbrot.ks'));
  t.true((await completed('farjit run man')).includes('mandelbrot.ks'));
});

test('scripts are for the shells that are named, and printed to be read', async (t) => {
  for (const [shell, words] of [
    ['bash', /^complete -o default -F __farjit_complete farjit$/m],
    ['zsh', /^compdef _farjit farjit$/m],
    ['fish', /^complete -c farjit -e$/m],
  ] as const) {
    const { stdout, stderr, end } = await farjit(t, ['completion', shell]);
    t.deepEqual([stderr, end], ['', 0]);
    t.regex(stdout, words);
  }
});
