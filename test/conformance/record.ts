import type { CheckedProgram, ModeResult } from './check.js';

/** With what, and on which day, a program was run. */
export interface RunInfo {
  /** As `clang-14, libLLVM 22.1`. */
  readonly tools: string;
  /** As `2026-01-31`. */
  readonly day: string;
}

/** What one run of a program took. */
export interface Cost {
  readonly functionsLinked: number;
  readonly bytesSent: number;
  readonly roundTrips: number;
}

/** How a program has fared in one mode, to be kept. */
export interface ModeRecord extends RunInfo {
  readonly mode: string;
  readonly differences: readonly string[];
  /** Of programs whose costs are of interest. */
  readonly cost?: Cost;
}

/** How a program has fared, to be kept: in the modes of one run, or of several. */
export interface ProgramRecord {
  readonly program: string;
  /** Why it is known to end otherwise under FarJIT than natively. */
  readonly knownDifference?: string;
  /** Why it says nothing of FarJIT. */
  readonly leftOut?: RunInfo & { readonly reason: string };
  readonly modes: readonly ModeRecord[];
}

export function recordOf({ program, leftOut, results }: CheckedProgram, run: RunInfo): ProgramRecord {
  const { name, isCounted = false } = program;
  return {
    program: name,
    ...(leftOut === undefined ? {} : { leftOut: { ...run, reason: kindOfReason(leftOut) } }),
    modes: results.map((result) => ({ ...modeRecordOf(result, isCounted), ...run })),
  };
}

/** As it is said of several programs, without what only one has. */
function kindOfReason(words: string): string {
  const [first = ''] = words.split('\n');
  if (/ended with exit code \d+:$/.test(first)) return 'do not compile or link natively';
  if (first === 'does not end') return 'do not end natively';
  return first.replace(/^ends (.*) exit code \d+$/, 'end $1 another exit code than 0');
}

function modeRecordOf(
  { mode, differences, run }: ModeResult,
  isCounted: boolean,
): Omit<ModeRecord, keyof RunInfo> {
  if (!run || !isCounted) return { mode, differences };
  const { functionsLinked, statistics } = run;
  const roundTrips = Object.values(statistics.roundTrips).reduce((sum, count) => sum + count, 0);
  return { mode, differences, cost: { functionsLinked, bytesSent: statistics.bytesSent, roundTrips } };
}

/** What is known of a program from two records: of each mode, what the later day has shown, or `latter` on the same day. */
export function mergeRecords(former: ProgramRecord | undefined, latter: ProgramRecord): ProgramRecord {
  if (!former) return latter;
  // It has been run, or says nothing.
  if (former.leftOut || latter.leftOut) return lastDayOf(former) > lastDayOf(latter) ? former : latter;
  const modes = new Map(former.modes.map((record) => [record.mode, record]));
  for (const record of latter.modes)
    if (record.day >= (modes.get(record.mode)?.day ?? '')) modes.set(record.mode, record);
  return { ...latter, modes: [...modes.values()] };
}

function lastDayOf({ leftOut, modes }: ProgramRecord): string {
  return [...modes, ...(leftOut ? [leftOut] : [])].reduce((last, { day }) => (day > last ? day : last), '');
}
