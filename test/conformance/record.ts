import type { CheckedProgram, ModeResult } from './check.js';

/** What one run of a program took. */
export interface Cost {
  readonly functionsLinked: number;
  readonly bytesSent: number;
  readonly roundTrips: number;
}

/** How a program has fared in one mode, to be kept. */
export interface ModeRecord {
  readonly mode: string;
  readonly differences: readonly string[];
  /** Of programs whose costs are of interest. */
  readonly cost?: Cost;
}

/** How a program has fared, to be kept: in the modes of one run, or of several. */
export interface ProgramRecord {
  readonly program: string;
  /** What it was run with. */
  readonly tools: string;
  /** Why it says nothing of FarJIT. */
  readonly leftOut?: string;
  readonly modes: readonly ModeRecord[];
}

export function recordOf({ program, leftOut, results }: CheckedProgram, tools: string): ProgramRecord {
  return {
    program: program.name,
    tools,
    ...(leftOut === undefined ? {} : { leftOut: kindOfReason(leftOut) }),
    modes: results.map((result) => modeRecordOf(result, program.isCounted === true)),
  };
}

/** Without what only one program has. */
function kindOfReason(words: string): string {
  const [first = ''] = words.split('\n');
  if (/ended with exit code \d+:$/.test(first)) return 'do not compile or link natively';
  return first.replace(/exit code \d+/, 'another exit code than 0');
}

function modeRecordOf({ mode, differences, run }: ModeResult, isCounted: boolean): ModeRecord {
  if (!run || !isCounted) return { mode, differences };
  const { functionsLinked, statistics } = run;
  const roundTrips = Object.values(statistics.roundTrips).reduce((sum, count) => sum + count, 0);
  return { mode, differences, cost: { functionsLinked, bytesSent: statistics.bytesSent, roundTrips } };
}

/** What is known of a program after another run of it: of each mode, what its last run has shown. */
export function mergeRecords(former: ProgramRecord | undefined, latter: ProgramRecord): ProgramRecord {
  const isAlike = former?.tools === latter.tools && former.leftOut === latter.leftOut;
  if (!former || !isAlike) return latter;
  const modes = new Map([...former.modes, ...latter.modes].map((record) => [record.mode, record]));
  return { ...latter, modes: [...modes.values()] };
}
