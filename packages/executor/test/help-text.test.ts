import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const EXECUTOR = fileURLToPath(new URL('../../bin/farjit-executor.js', import.meta.url));

for (const args of [['--help'], ['new-token', '--help']])
  test(`farjit-executor ${args.join(' ')} has examples and fits 80 columns`, (t) => {
    const lines = execFileSync(process.execPath, [EXECUTOR, ...args], { encoding: 'utf8' }).split('\n');
    t.true(lines.includes('Examples:'));
    // What is to be typed is not broken.
    const isTyped = (line: string) => line.startsWith('  farjit-executor ');
    t.deepEqual(
      lines.filter((line) => line.length > 80 && !isTyped(line)),
      [],
    );
  });

test('the help has each option under a heading', (t) => {
  const text = execFileSync(process.execPath, [EXECUTOR, '--help'], { encoding: 'utf8' });
  for (const heading of [
    'Where it listens:',
    'Who is let in:',
    'Sessions:',
    'Confinement:',
    'Logs and metrics:',
  ])
    t.regex(text, new RegExp(`^${heading}\\n  --`, 'm'));
});
