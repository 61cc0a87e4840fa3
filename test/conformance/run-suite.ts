import { type CheckContext, type CheckedProgram, checkProgram } from './check.js';
import { isPeer } from './peers.js';
import type { Mode, Outcome, Program } from './program.js';

/** Programs of one origin. */
export interface Suite {
  readonly name: string;
  /** What it is and where it comes from, in a sentence. */
  readonly about: string;
  /** Modes that it is run in; all of them unless given. */
  readonly modes?: readonly Mode[];
  readonly programs: readonly Program[];
  /** Programs that were not even built, by reason. */
  readonly leftOut?: Readonly<Record<string, number>>;
  /** Some of its programs could not be had here: what is known of them stays. */
  readonly isPartial?: boolean;
  /** Programs are not made for this: those that do not compile or end natively are left out, and are no failures. */
  readonly isForeign?: boolean;
  /** Why a program that ends so natively says nothing; undefined when it does. */
  accept?(native: Outcome): string | undefined;
}

/** How a suite has fared. */
export interface SuiteResult {
  readonly suite: Suite;
  readonly checked: readonly CheckedProgram[];
}

/**
 * Checks the programs of a suite, some at a time. What does not end in its time is checked once more, alone.
 * @param onChecked told of each when it is done.
 */
export async function runSuite(
  suite: Suite,
  modes: readonly Mode[],
  context: CheckContext,
  { jobs = 1, onChecked = (_: CheckedProgram) => {} } = {},
): Promise<SuiteResult> {
  const checked: CheckedProgram[] = [];
  const check = (at: number) =>
    checkProgram(suite.programs[at] as Program, suite.modes ?? modes, { ...context, ...suite });
  const settle = async (at: number, done: CheckedProgram) => {
    checked[at] = done;
    onChecked(done);
    // One that was written for this run is run no more.
    if (done.program.prepare) await context.builder.forget(done.program);
  };
  const late: number[] = [];
  let next = 0;
  const work = async () => {
    for (let at = next++; at < suite.programs.length; at = next++) {
      const done = await check(at);
      if (done.results.some(({ isLate }) => isLate)) late.push(at);
      else await settle(at, done);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  for (const at of late) await settle(at, await check(at));
  return { suite, checked };
}

/** What FarJIT has made wrong of a program, in words; empty when nothing. */
export function failuresOf(suite: Suite, { program, leftOut, results }: CheckedProgram): string[] {
  if (leftOut !== undefined && !suite.isForeign) return [`${program.name} does not run natively: ${leftOut}`];
  const ours = results.filter(({ mode }) => !isPeer(mode));
  const failed = ours.filter(({ differences }) => differences.length > 0);
  const words = failed.map(({ mode, differences }) => `${program.name}, ${mode}: ${differences.join('; ')}`);
  if (program.knownDifference === undefined) return words;
  // What others have written may be wrong in one mode only, which need not be among those.
  return ours.length === 0 || failed.length > 0 || suite.isForeign
    ? []
    : [`${program.name}: it is right now, and is listed as otherwise: ${program.knownDifference}`];
}
