import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { descendants, eventually, FARJIT, farjit, folderWith, gone, start } from './run-farjit.js';

const FILES = {
  'program.ks': 'def f(x) x + 1; f(1);',
  'main.c': 'int main(void) { for (;;) ; }',
  'data.csv': '1\n2\n',
};

/** What may be asked to end while it starts. */
const COMMANDS: readonly (readonly string[])[] = [
  ['program.ks'],
  ['-e', 'def f(x) x; f(1)'],
  ['main.c'],
  ['repl'],
  ['map', 'f', 'program.ks', '--input', 'data.csv', '--executors-local', '2'],
  ['doctor'],
];
const DELAYS_MS = [0, 40, 150, 400];
/** What is left of a command has this long: 2 s are for work that does not end by itself, the rest for a busy machine. */
const ENDS_WITHIN_MS = 20_000;

/** Processes whose environment has the text. */
async function processesWith(text: string): Promise<number[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/environ`, 'latin1').catch(() => '')),
  );
  return ids.filter((_, index) => environments[index]?.includes(text)).map(Number);
}

for (const [index, args] of COMMANDS.entries())
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    test.serial(
      `${signal} ends farjit ${args.join(' ')} at once while it starts, and all that it has started`,
      async (t) => {
        const cwd = await folderWith(t, FILES);
        for (const delayMs of DELAYS_MS) {
          const mark = `FARJIT_TEST_MARK=${process.pid}-${index}-${signal}-${delayMs}`;
          const [name = '', value = ''] = mark.split('=');
          const { child, processId, finished } = start(t, args, { cwd, env: { [name]: value } });
          await delay(delayMs);
          const started = await descendants(processId);
          const sinceMs = Date.now();
          child.kill(signal);
          const { end } = await finished;
          t.true(Date.now() - sinceMs < ENDS_WITHIN_MS, `after ${delayMs} ms`);
          // It may have been done before.
          const ends: readonly unknown[] = [signal, signal === 'SIGTERM' ? 143 : 130, 0];
          t.true(ends.includes(end), `${end} after ${delayMs} ms`);
          await gone(started);
          await eventually(
            async () => (await processesWith(mark)).length === 0,
            `nothing of ${mark} is left`,
          );
        }
      },
    );

/** Commands that print something. */
const PRINTING: readonly (readonly string[])[] = [
  ['--version'],
  ['--version', '--json'],
  ['--help'],
  ['run', '--help'],
  ['doctor', '--json'],
  ['cache', 'info'],
  ['completion', 'zsh'],
  ['complete', '--', 'run'],
  ['-e', '1'],
  ['program.ks'],
  ['map', '--json', 'f', 'program.ks', '--input', 'data.csv'],
];

test('what cannot be written is said, with exit code 1; a reader that has gone is not spoken of', async (t) => {
  const cwd = await folderWith(t, FILES);
  for (const args of PRINTING) {
    const into = async (redirection: string) => {
      const command = ['/bin/bash', '-c', `"$0" "$@" ${redirection}; echo "$\{PIPESTATUS[0]}" >&2`, FARJIT];
      return (await start(t, args, { command, cwd }).finished).stderr;
    };
    const full = await into('> /dev/full');
    t.regex(full, /cannot write to standard output: no space left on device"?\}*\n1\n$/, args.join(' '));
    t.regex(full, args.includes('--json') ? /^\{"error":\{/ : /^farjit: error: /);
    t.regex(await into('| exec true'), /^(141|0)\n$/, args.join(' '));
    t.is(await into('>&-'), '0\n', args.join(' '));
  }
});

test('a directory, a device or bytes that are no program are refused in words, in place of each file', async (t) => {
  const noise = '\u0001\u0002\ufffd'.repeat(1000);
  const cwd = await folderWith(t, {
    ...FILES,
    'noise.ks': noise,
    'noise.c': noise,
    'noise.o': noise,
    'noise.csv': '1"2"\n',
  });
  const DIRECTORY = /^farjit: error: cannot (read|use|write) .*: it is a directory/;
  for (const [args, words] of [
    [['.'], DIRECTORY],
    [['map', 'f', '/', '--input', 'data.csv'], DIRECTORY],
    [
      ['map', 'f', 'program.ks', '--input', 'data.csv', '--output', './x.csv/y.csv'],
      /^farjit: error: cannot write .*: no such file/,
    ],
    [['run', '--speculate-order', '.', 'program.ks'], DIRECTORY],
    [['run', '--record-calls', '.', 'program.ks'], DIRECTORY],
    [['run', '--executor', 'ws+unix:x', '--token-file', '.', 'program.ks'], DIRECTORY],
    [['/dev/zero'], /^farjit: error: cannot read \/dev\/zero: it has more than 67108864 bytes$/m],
    [['noise.ks'], /^noise\.ks:1:1: error: invalid character/],
    [['noise.o'], /^farjit: error: .*noise\.o/],
    [['noise.c'], /^noise\.c:1:1: error: /],
    [
      ['map', 'f', 'program.ks', '--input', 'noise.csv'],
      /^noise\.csv:1:1: error: a quote stands inside a field/,
    ],
    [['main.c', '--cc', '.'], /^farjit: error: /],
    [['main.c', '--cc', '/bin/false'], /^farjit: error: \/bin\/false failed over main\.c/],
    [['program.ks', '--preload', './program.ks'], /^farjit: error: .*cannot preload .*program\.ks/],
    [
      ['cache', 'info', '--cache-dir', 'program.ks'],
      /^farjit: error: cannot open the cache directory program\.ks: /,
    ],
  ] as const) {
    const { stderr, end } = await farjit(t, args, { cwd });
    t.regex(stderr, words, args.join(' '));
    t.is(end, 1, args.join(' '));
    t.notRegex(stderr, /internal error|\n {4}at /, args.join(' '));
  }
});
