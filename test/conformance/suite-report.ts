import { isPeer } from './peers.js';
import type { Program } from './program.js';
import type { Cost, ProgramRecord } from './record.js';
import type { Suite } from './run-suite.js';

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
  readonly counts: readonly ModeCount[];
  /** Programs that say nothing, by reason. */
  readonly leftOut: Readonly<Record<string, number>>;
  readonly differences: readonly Difference[];
  readonly costs: readonly ProgramCost[];
}

/** @param recordFor what is known of a program; undefined when nothing is. */
export function reportOf(
  suite: Suite,
  recordFor: (program: string) => ProgramRecord | undefined,
): SuiteReport {
  const leftOut: Record<string, number> = {};
  const leave = (reason: string, count: number) => {
    if (count > 0) leftOut[reason] = (leftOut[reason] ?? 0) + count;
  };
  for (const [reason, count] of Object.entries(suite.leftOut ?? {})) leave(reason, count);
  const known = suite.programs.flatMap((program) => {
    const record = recordFor(program.name);
    if (!record) leave('not run', 1);
    else if (record.leftOut !== undefined) leave(record.leftOut, 1);
    return record ? [{ program, record }] : [];
  });
  const records = known.map(({ record }) => record);
  return {
    name: suite.name,
    about: suite.about,
    tools: [...new Set(records.map(({ tools }) => tools))],
    counts: countsByMode(records),
    leftOut,
    differences: known.flatMap(({ program, record }) => differencesOf(program, record)),
    costs: records.flatMap(({ program, modes }) =>
      modes.flatMap(({ mode, cost }) => (cost ? [{ program, mode, ...cost }] : [])),
    ),
  };
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

function differencesOf({ name, knownDifference }: Program, { modes }: ProgramRecord): Difference[] {
  const failed = modes.filter(({ mode, differences }) => differences.length > 0 && !isPeer(mode));
  const [first] = failed;
  if (!first) return [];
  return [
    {
      program: name,
      modes: failed.map(({ mode }) => mode),
      words: first.differences.join('; '),
      reason: knownDifference,
    },
  ];
}
