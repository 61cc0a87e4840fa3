import { writeFileSync } from 'node:fs';
import { COMMAND_MODES } from './command.js';
import { PEER_MODES } from './peers.js';
import { describeMode, MODES } from './program.js';
import type { Difference, ProgramCost, SuiteReport } from './suite-report.js';

const HEAD = `# Conformance

Written by \`npm run test:conformance -- --write-docs\`; not to be edited by hand.

Each program is built natively, by \`clang -O1\`, and run. Then FarJIT runs the same source, or the same object, in a
confined executor: **lazy**, each function linked at its first call, and **eager**, all of them before \`main\` (\`farjit run
--eager\`); as programs are compiled unless something else is asked for, and with \`-O0\`. Equal have to be standard output,
standard error (but for lines that begin with \`farjit:\`) and the exit code, which is 128 + N after signal N.

About every twelfth program runs by the command line too: \`farjit run\`. \`lli-22\` and \`orc-lazy\` are LLVM 22's own JIT, given the
same inputs, all at once and lazily, and judged without standard error, where it has words of its own. Runs add up: what a program has last shown in a mode is kept, and counted here.

What does not compile, link or end natively says nothing of FarJIT, and is left out. What ends otherwise is listed with the
reason. What is listed and is right after all fails the run for the project's own programs, so that the list does not grow old.
`;

const COLUMNS = [...MODES.map(describeMode), ...COMMAND_MODES, ...PEER_MODES];

/** Writes what suites have shown. */
export function writeDocument(file: string, reports: readonly SuiteReport[]): void {
  const sections = [
    HEAD,
    `## Results\n\n${resultsTable(reports)}`,
    ...reports.map(sectionOf),
    costsSection(reports.flatMap(({ costs }) => costs)),
  ];
  writeFileSync(file, `${sections.filter(Boolean).join('\n')}\n`);
}

function resultsTable(reports: readonly SuiteReport[]): string {
  const modes = COLUMNS.filter((mode) =>
    reports.some(({ counts }) => counts.some((one) => one.mode === mode)),
  );
  const rows = reports.map(({ name, counts }) => {
    const cells = modes.map((mode) => {
      const count = counts.find((one) => one.mode === mode);
      return count ? `${number(count.right)} of ${number(count.total)}` : '';
    });
    return `| ${[name, ...cells].join(' | ')} |`;
  });
  return [
    `| Suite | ${modes.join(' | ')} |`,
    `| --- | ${modes.map(() => '--:').join(' | ')} |`,
    ...rows,
    '',
  ].join('\n');
}

function sectionOf({ name, about, tools, leftOut, differences }: SuiteReport): string {
  const left = Object.entries(leftOut).map(([reason, count]) => `${number(count)} ${reason}`);
  return [
    `## ${name}\n`,
    `${about} Run with ${tools.join('; ')}.${left.length > 0 ? ` Left out: ${left.join('; ')}.` : ''}\n`,
    ...(differences.length > 0 ? [differencesTable(differences), ''] : ['All are right.\n']),
  ].join('\n');
}

function differencesTable(differences: readonly Difference[]): string {
  const rows = differences.map(
    ({ program, modes, words, reason }) =>
      `| \`${program}\` | ${modes.join(', ')} | ${cell(words)} | ${cell(reason ?? '**not explained**')} |`,
  );
  return ['| Program | Mode | What is otherwise | Why |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function costsSection(costs: readonly ProgramCost[]): string {
  if (costs.length === 0) return '';
  const rows = costs.flatMap(({ program, mode, functionsLinked, bytesSent, roundTrips }) => {
    // Eagerly, all that are defined are linked.
    const eager = costs.find(
      (other) => other.program === program && other.mode === mode.replace('lazy', 'eager'),
    );
    if (eager?.mode === mode || !eager) return [];
    return `| \`${program}\` | ${mode} | ${number(functionsLinked)} of ${number(eager.functionsLinked)} | ${kilobytes(bytesSent)} of ${kilobytes(eager.bytesSent)} | ${number(roundTrips)} |`;
  });
  return [
    '## What laziness costs and saves\n',
    'Functions linked of those that are linked eagerly, which is all that are defined; bytes sent to the executor, lazily and',
    'eagerly, those of stubs and messages included; and requests answered, whichever end asked. What has been compiled is sent',
    'ahead of its first call, as far as that costs no more than a round trip would: without that, those that are called are linked.\n',
    '| Program | Mode | Functions | kB sent | Round trips |',
    '| --- | --- | --: | --: | --: |',
    ...rows,
    '',
  ].join('\n');
}

function number(value: number): string {
  return value.toLocaleString('en');
}

function kilobytes(bytes: number): string {
  return number(Math.round(bytes / 1000));
}

/** As a cell of a table. */
function cell(words: string): string {
  return words
    .replaceAll('|', '\\|')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/0x[0-9a-f]{6,}/g, '0x…')
    .replaceAll('<', '&lt;');
}
