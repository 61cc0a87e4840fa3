import { type CheckContext, type CheckedProgram, checkProgram } from './check.js';
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
 * Checks the programs of a suite, some at a time.
 * @param onChecked told of each when it is done.
 */
export async function runSuite(
  suite: Suite,
  modes: readonly Mode[],
  context: CheckContext,
  { jobs = 1, onChecked = (_: CheckedProgram) => {} } = {},
): Promise<SuiteResult> {
  const checked: CheckedProgram[] = [];
  let next = 0;
  const work = async () => {
    for (let at = next++; at < suite.programs.length; at = next++) {
      const program = suite.programs[at] as Program;
      const done = await checkProgram(program, suite.modes ?? modes, { ...context, ...suite });
      checked[at] = done;
      onChecked(done);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return { suite, checked };
}

/** What FarJIT has made wrong of a program, in words; empty when nothing. */
export function failuresOf(suite: Suite, { program, leftOut, results }: CheckedProgram): string[] {
  if (leftOut !== undefined && !suite.isForeign) return [`${program.name} does not run natively: ${leftOut}`];
  const failed = results.filter(({ differences }) => differences.length > 0);
  const words = failed.map(({ mode, differences }) => `${program.name}, ${mode}: ${differences.join('; ')}`);
  if (program.knownDifference === undefined) return words;
  // What others have written may be wrong in one mode only, which need not be among those.
  return failed.length > 0 || suite.isForeign
    ? []
    : [`${program.name}: it is right now, and is listed as otherwise: ${program.knownDifference}`];
}
