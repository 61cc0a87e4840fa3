import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckedProgram } from './check.js';
import { failuresOf, type SuiteResult } from './run-suite.js';

/** How many programs of a suite are right in one mode. */
export interface ModeCount {
  readonly mode: string;
  readonly right: number;
  readonly total: number;
}

/** A program that ends otherwise than natively in some mode, and why. */
export interface Difference {
  readonly program: string;
  readonly modes: readonly string[];
  readonly words: string;
  /** Undefined for what nobody has explained: a failure. */
  readonly reason?: string | undefined;
}

/** What one run of a program took. */
export interface Cost {
  readonly program: string;
  readonly mode: string;
  readonly functionsLinked: number;
  readonly bytesSent: number;
  readonly roundTrips: number;
}

/** What a document says of a suite. */
export interface SuiteReport {
  readonly name: string;
  readonly about: string;
  /** What it was run with. */
  readonly tools: string;
  readonly counts: readonly ModeCount[];
  /** Programs that say nothing, by reason. */
  readonly leftOut: Readonly<Record<string, number>>;
  readonly differences: readonly Difference[];
  readonly costs: readonly Cost[];
}

export function reportOf(result: SuiteResult, tools: string): SuiteReport {
  const { suite, checked } = result;
  const leftOut: Record<string, number> = {};
  const leave = (reason: string, count: number) => {
    if (count > 0) leftOut[reason] = (leftOut[reason] ?? 0) + count;
  };
  for (const [reason, count] of Object.entries(suite.leftOut ?? {})) leave(reason, count);
  for (const { leftOut: words } of checked) if (words !== undefined) leave(kindOfReason(words), 1);
  return {
    name: suite.name,
    about: suite.about,
    tools,
    counts: countsByMode(checked),
    leftOut,
    differences: checked.flatMap(differencesOf),
    costs: checked.flatMap(costsOf),
  };
}

/** Whether nothing went wrong that is not explained. */
export function isRight({ suite, checked }: SuiteResult): boolean {
  return checked.every((one) => failuresOf(suite, one).length === 0);
}

/** Keeps a report beside what was fetched, for a document of several runs. */
export function keepReport(folder: string, report: SuiteReport): void {
  mkdirSync(join(folder, 'results'), { recursive: true });
  writeFileSync(fileOf(folder, report.name), `${JSON.stringify(report, undefined, 1)}\n`);
}

/** The report of the suite's last run; undefined when there was none. */
export function keptReport(folder: string, name: string): SuiteReport | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(folder, name), 'utf8')) as SuiteReport;
  } catch {
    // It has not been run on this machine.
    return undefined;
  }
}

function fileOf(folder: string, name: string): string {
  return join(folder, 'results', `${name}.json`);
}

/** Without what only one program has. */
function kindOfReason(words: string): string {
  const [first = ''] = words.split('\n');
  if (/ended with exit code \d+:$/.test(first)) return 'do not compile or link natively';
  return first.replace(/exit code \d+/, 'another exit code than 0');
}

function countsByMode(checked: readonly CheckedProgram[]): ModeCount[] {
  const modes = new Map<string, { mode: string; right: number; total: number }>();
  for (const { results, peers = [] } of checked)
    for (const { mode, differences } of [...results, ...peers]) {
      const count = modes.get(mode) ?? { mode, right: 0, total: 0 };
      modes.set(mode, count);
      count.total++;
      if (differences.length === 0) count.right++;
    }
  return [...modes.values()];
}

function differencesOf({ program, results }: CheckedProgram): Difference[] {
  const failed = results.filter(({ differences }) => differences.length > 0);
  const [first] = failed;
  if (!first) return [];
  return [
    {
      program: program.name,
      modes: failed.map(({ mode }) => mode),
      words: first.differences.join('; '),
      reason: program.knownDifference,
    },
  ];
}

function costsOf({ program, results }: CheckedProgram): Cost[] {
  if (program.isCounted !== true) return [];
  return results.flatMap(({ mode, run }): Cost[] => {
    if (!run) return [];
    const { functionsLinked, statistics } = run;
    const roundTrips = Object.values(statistics.roundTrips).reduce((sum, count) => sum + count, 0);
    return [{ program: program.name, mode, functionsLinked, bytesSent: statistics.bytesSent, roundTrips }];
  });
}
