import { COLUMNS } from './columns.js';
import type { Difference, ProgramCost, SuiteReport } from './suite-report.js';

const HEAD = `# Conformance

Written by \`npm run test:conformance -- --write-docs\`; not to be edited by hand.

Each program is built natively, by \`clang -O1\`, and run. Then FarJIT runs the same source, or the same object, in a
confined executor: **lazy**, each function linked at its first call, and **eager**, all of them before \`main\` (\`farjit run
--eager\`); as programs are compiled unless something else is asked for, and with \`-O0\`. Equal have to be standard output,
standard error (but for lines that begin with \`farjit:\`) and the exit code, which is 128 + N after signal N.

About every twelfth program runs by the command line too: \`farjit run\`. \`lli-22\` and \`orc-lazy\` are LLVM 22's own JIT, given the
same inputs, all at once and lazily, and judged without standard error, where it has words of its own.

Runs add up: what a program has last shown in each mode is kept, in [test/conformance/results](../test/conformance/results),
and counted here, whichever machine has shown it. A run of some programs or modes takes the place of what these have shown
before, and of nothing else.

What does not compile, link or end natively says nothing of FarJIT, and is left out. What ends otherwise is listed with the
reason. What is listed and is right after all fails the run for the project's own programs, so that the list does not grow old.
`;

/** The rest of what a program says is of no more use in a table. */
const MOST_CHARACTERS = 110;

/** What suites have shown, in Markdown. */
export function documentOf(reports: readonly SuiteReport[]): string {
  const sections = [
    HEAD,
    `## Results\n\n${resultsTable(reports)}`,
    ...reports.map(sectionOf),
    costsSection(reports.flatMap(({ costs }) => costs)),
  ];
  return `${sections.filter(Boolean).join('\n')}\n`;
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

function sectionOf({ name, about, tools, days, leftOut, differences }: SuiteReport): string {
  const left = Object.entries(leftOut).map(([reason, count]) => `${number(count)} ${reason}`);
  return [
    `## ${name}\n`,
    `${about} Run with ${tools.join('; ')}, ${days.join(' to ')}.${left.length > 0 ? ` Left out: ${left.join('; ')}.` : ''}\n`,
    ...(differences.length > 0 ? [differencesTable(differences), ''] : ['All are right.\n']),
  ].join('\n');
}

function differencesTable(differences: readonly Difference[]): string {
  // Those of one reason together.
  const reasons = [...new Set(differences.map(({ reason }) => reason))];
  const rows = reasons
    .flatMap((reason) => differences.filter((one) => one.reason === reason))
    .map(
      ({ program, modes, ofModes, words, reason }) =>
        `| \`${program}\` | ${modes.length === ofModes.length ? 'all' : modes.join(', ')} | ${cell(shorten(words))} | ${cell(reason ?? '**not explained**')} |`,
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

/** Of names in a list, the first; and the first words. */
function shorten(words: string): string {
  const fewer = words.replaceAll(
    /("[^"]+")((?:, "[^"]+")+)/g,
    (_, first: string, others: string) => `${first} and ${others.split(', "').length - 1} more`,
  );
  return fewer.length > MOST_CHARACTERS ? `${fewer.slice(0, MOST_CHARACTERS - 1)}…` : fewer;
}

/** As a cell of a table. */
function cell(words: string): string {
  return words
    .replaceAll('|', '\\|')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/0x[0-9a-f]{6,}/g, '0x…')
    .replaceAll('<', '&lt;');
}
