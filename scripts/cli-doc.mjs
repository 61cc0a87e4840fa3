// node scripts/cli-doc.mjs [--check]: writes docs/cli.md from what the commands' --help says; with --check only says whether it
// is up to date. Wants what `npm run build` makes.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ROOT } from './lib/paths.mjs';
import { runScript, ScriptError, say } from './lib/report.mjs';

const TARGET = `${ROOT}docs/cli.md`;
const FARJIT = [`${ROOT}packages/compiler/bin/farjit.js`];
const EXECUTOR = [`${ROOT}packages/executor/bin/farjit-executor.js`];

const COMMANDS = [
  ['farjit', FARJIT],
  ...['run', 'repl', 'map', 'cache', 'recording', 'doctor', 'completion'].map((name) => [
    `farjit ${name}`,
    [...FARJIT, name],
  ]),
  ['farjit-executor', EXECUTOR],
  ['farjit-executor new-token', [...EXECUTOR, 'new-token']],
];

await runScript(() => {
  const text = render();
  if (!process.argv.includes('--check')) {
    writeFileSync(TARGET, text);
    return say(`wrote ${TARGET}`);
  }
  if (!existsSync(TARGET) || readFileSync(TARGET, 'utf8') !== text)
    throw new ScriptError('docs/cli.md does not say what --help says', ['Run: node scripts/cli-doc.mjs']);
});

function render() {
  return `# Command line

What \`--help\` says, of each command. This page is written by \`node scripts/cli-doc.mjs\`. The [README](../README.md#command-line)
explains the options that need more words, [programs.md](programs.md) those for programs in C, and [executor.md](executor.md)
those of an executor.

${COMMANDS.map(([name, command]) => `## ${name}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``).join('\n\n')}
`;
}

function helpOf(command) {
  // As wide as where there is no terminal, and as if nothing were set.
  const env = { PATH: process.env.PATH, HOME: '/nonexistent' };
  return execFileSync(process.execPath, [...command, '--help'], { env, encoding: 'utf8' }).trimEnd();
}
