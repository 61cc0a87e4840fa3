import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DEFAULT_LIMITS, DEFAULT_RUNNER_PATH } from '@farjit/executor';
import { formatLimit, SETTABLE_LIMITS } from '@farjit/protocol/limits';
import test from 'ava';
import { DEFAULT_CODEGEN_PROGRAM } from '#compiler/src/codegen/codegen-pool.js';

const DOCUMENT = fileURLToPath(new URL('../../../docs/security.md', import.meta.url));
const text = readFileSync(DOCUMENT, 'utf8');

/** Cells of the rows of the table whose first column has this title. */
function table(title: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${title} `));
  const end = lines.indexOf('', start);
  return lines.slice(start + 2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** Rows of a table of what a program lets through, and in the runner's of what it answers with another error than EPERM. */
function systemCallsOf(program: string, of?: string): string[][] {
  const rows: { name: string; condition: string; error?: string; reason: string; given?: string }[] =
    JSON.parse(execFileSync(program, ['--system-calls']).toString());
  const wanted = rows.filter(({ given }) => given === of);
  return wanted.map(({ name, condition, error, reason }) => [
    `\`${name}\``,
    condition || 'any arguments',
    ...(error === undefined ? [] : [error === '' ? 'allowed' : `\`${error}\``]),
    reason,
  ]);
}

test('the list of system calls is the runner’s', (t) => {
  const rows = systemCallsOf(DEFAULT_RUNNER_PATH, '');
  t.true(rows.length > 40);
  t.deepEqual(table('System call'), rows);
  t.deepEqual(table('With files'), systemCallsOf(DEFAULT_RUNNER_PATH, 'files'));
});

test('the list of system calls of a code generator is its own', (t) => {
  const allowed = systemCallsOf(DEFAULT_CODEGEN_PROGRAM);
  t.true(allowed.length > 25);
  t.deepEqual(table('A code generator’s call'), allowed);
});

test('every promise names tests that are there', (t) => {
  const promises = table('Promise');
  t.true(promises.length > 15);
  for (const [promise = '', shownBy = ''] of promises) {
    const proofs = [...shownBy.matchAll(/\]\(\.\.\/([^)]+)\): (“[^”]+”(?:, “[^”]+”)*)/g)];
    t.not(proofs.length, 0, promise);
    for (const [, path = '', titles = ''] of proofs) {
      const source = readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
      for (const [, title = ''] of titles.matchAll(/“([^”]+)”/g))
        t.true(source.includes(title), `${path} has no “${title}”`);
    }
    const words = proofs.reduce((rest, [proof]) => rest.replace(proof, ''), shownBy);
    t.false(words.includes('“'), `${promise}: a title without a file`);
  }
});

test('the limits and their defaults are the executor’s', (t) => {
  const documented = table('`--limit`').map(([name, value]) => `${name}=${value}`.replaceAll('`', ''));
  const defaults = SETTABLE_LIMITS.map((name) => {
    const value = DEFAULT_LIMITS[name];
    return value === null ? `${name}=none` : formatLimit({ name, value });
  });
  t.deepEqual(documented.sort(), defaults.sort());
});
