import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { wantsColors } from '../../src/cli/colors.js';
import { farjit } from './run-farjit.js';

const COMMANDS: readonly (readonly [command: string, groups: readonly string[]])[] = [
  ['', ['Options:', 'Programs:', 'More:', 'Examples:']],
  [
    'run',
    [
      'Program:',
      'Compilation:',
      'Cache:',
      'C, C++ and objects:',
      'Executors elsewhere:',
      'Confinement:',
      'Output:',
      'Examples:',
    ],
  ],
  ['repl', ['Compilation:', 'Cache:', 'Executors elsewhere:', 'Confinement:', 'Examples:']],
  ['map', ['Data:', 'Compilation:', 'C, C++ and objects:', 'Confinement:', 'Output:', 'Examples:']],
  ['cache', ['Commands:', 'Examples:']],
  ['recording', ['Output:', 'Examples:']],
  ['doctor', ['Output:', 'Examples:']],
  ['completion', ['Examples:']],
];

for (const [command, groups] of COMMANDS)
  test(`farjit ${command} --help is in groups, has examples and fits 80 columns`, async (t) => {
    const { stdout, stderr, end } = await farjit(t, [command, '--help'].filter(Boolean));
    t.deepEqual([stderr, end], ['', 0]);
    const lines = stdout.split('\n');
    t.deepEqual(
      groups.filter((group) => !lines.includes(group)),
      [],
    );
    // What is to be typed is not broken.
    t.deepEqual(
      lines.filter((line) => line.length > 80 && !line.startsWith('  farjit ')),
      [],
    );
  });

test('NO_COLOR and FORCE_COLOR say whether help, reports and doctor have colours', async (t) => {
  for (const args of [['--help'], ['run', 'none.ks'], ['-e', 'nobody()'], ['doctor'], ['--bogus']]) {
    const shown = async (env: Record<string, string>) => {
      const { stdout, stderr } = await farjit(t, args, { env: { NO_COLOR: '', ...env } });
      return stdout + stderr;
    };
    const plain = await shown({});
    t.is(plain, stripVTControlCharacters(plain));
    const coloured = await shown({ FORCE_COLOR: '1' });
    t.not(coloured, plain, args.join(' '));
    t.is(stripVTControlCharacters(coloured), plain, args.join(' '));
    t.is(await shown({ FORCE_COLOR: '1', NO_COLOR: '1' }), plain);
    t.is(await shown({ FORCE_COLOR: '0' }), plain);
  }
});

test('a terminal that shows colours gets them, unless it is told not to', (t) => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  t.true(wantsColors(terminal, { TERM: 'xterm' }));
  t.false(wantsColors(terminal, { TERM: 'dumb' }));
  t.true(wantsColors(terminal, { TERM: 'dumb', FORCE_COLOR: '3' }));
  t.false(wantsColors(terminal, { TERM: 'xterm', NO_COLOR: '1' }));
  t.true(wantsColors(terminal, { TERM: 'xterm', NO_COLOR: '' }));
  t.false(wantsColors(new PassThrough(), { TERM: 'xterm' }));
});
