import { isPeer } from './peers.js';
import type { Cost, ProgramRecord } from './record.js';
import type { SuiteResults } from './suite-results.js';

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
  /** In which it has been run. */
  readonly ofModes: readonly string[];
  readonly words: string;
  /** Undefined for what nobody has explained: a failure. */
  readonly reason?: string | undefined;
}

/** What one run of a program took. */
export interface ProgramCost extends Cost {
  readonly program: string;
  readonly mode: string;
}

/** What a document says of a suite. */
export interface SuiteReport {
  readonly name: string;
  readonly about: string;
  /** What it was run with. */
  readonly tools: readonly string[];
  /** On which it was run, the first and the last. */
  readonly days: readonly string[];
  readonly counts: readonly ModeCount[];
  /** Programs that say nothing, by reason. */
  readonly leftOut: Readonly<Record<string, number>>;
  readonly differences: readonly Difference[];
  readonly costs: readonly ProgramCost[];
}

export function reportOf({ name, about, programCount, leftOut, records }: SuiteResults): SuiteReport {
  const silent = records.flatMap((record) => record.leftOut ?? []);
  const runs = [...silent, ...records.flatMap(({ modes }) => modes)];
  const days = [...new Set(runs.map(({ day }) => day))].sort();
  return {
    name,
    about,
    tools: [...new Set(runs.map(({ tools }) => tools))].sort(),
    days: [...new Set([...days.slice(0, 1), ...days.slice(-1)])],
    counts: countsByMode(records),
    leftOut: countReasons(
      leftOut,
      silent.map(({ reason }) => reason),
      programCount - records.length,
    ),
    differences: records.flatMap(differencesOf),
    costs: records.flatMap(({ program, modes }) =>
      modes.flatMap(({ mode, cost }) => (cost ? [{ program, mode, ...cost }] : [])),
    ),
  };
}

function countReasons(
  leftOut: Readonly<Record<string, number>>,
  reasons: readonly string[],
  notRunCount: number,
): Record<string, number> {
  const counts = new Map(Object.entries(leftOut));
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  counts.set('not run', notRunCount);
  return Object.fromEntries([...counts].filter(([, count]) => count > 0));
}

function countsByMode(records: readonly ProgramRecord[]): ModeCount[] {
  const counts = new Map<string, { mode: string; right: number; total: number }>();
  for (const { modes } of records)
    for (const { mode, differences } of modes) {
      const count = counts.get(mode) ?? { mode, right: 0, total: 0 };
      counts.set(mode, count);
      count.total++;
      if (differences.length === 0) count.right++;
    }
  return [...counts.values()];
}

function differencesOf({ program, knownDifference, modes }: ProgramRecord): Difference[] {
  const ours = modes.filter(({ mode }) => !isPeer(mode));
  const failed = ours.filter(({ differences }) => differences.length > 0);
  const [first] = failed;
  if (!first) return [];
  return [
    {
      program,
      modes: failed.map(({ mode }) => mode),
      ofModes: ours.map(({ mode }) => mode),
      words: first.differences.join('; '),
      reason: knownDifference,
    },
  ];
}
