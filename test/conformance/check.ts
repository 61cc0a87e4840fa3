import type { Builder, BuiltProgram } from './build.js';
import { EndlessError } from './commands.js';
import type { FarJIT, FarJITRun } from './farjit.js';
import { runNatively } from './native.js';
import { describeMode, type Mode, type Outcome, type Program } from './program.js';

/** How a program has fared in one mode. */
export interface ModeResult {
  readonly mode: string;
  /** What is otherwise than natively, or than is to be said; empty when nothing is. */
  readonly differences: readonly string[];
  /** Undefined for a peer's, and for that of a command. */
  readonly run?: FarJITRun;
  /** It did not end in its time, which says little on a machine that has other things to do. */
  readonly isLate?: boolean;
}

/** How a program has fared. */
export interface CheckedProgram {
  readonly program: Program;
  /** Why it says nothing of FarJIT: it does not run natively. */
  readonly leftOut?: string;
  readonly results: readonly ModeResult[];
}

const NOT_AS_SHOWN = 'prints something else than a document says';

/** Lines that FarJIT says of its own. */
const OWN_LINE = /^farjit: .*\n?/gm;

/** Runs a program natively, and in each of some modes by FarJIT. */
export async function checkProgram(
  program: Program,
  modes: readonly Mode[],
  { builder, farjit, runOthers = async () => [], accept = () => undefined }: CheckContext,
): Promise<CheckedProgram> {
  let built: BuiltProgram;
  let native: Outcome | undefined;
  try {
    await program.prepare?.();
    built = await builder.build(program);
  } catch (error) {
    return { program, leftOut: String((error as Error).message), results: [] };
  }
  try {
    if (!program.refusal) native = await runNatively(built);
  } catch (error) {
    if (!(error instanceof EndlessError)) throw error;
    return { program, leftOut: 'does not end', results: [] };
  }
  const { shown } = program;
  const refused =
    native && (accept(native) ?? (shown === undefined || native.stdout === shown ? undefined : NOT_AS_SHOWN));
  if (refused !== undefined) return { program, leftOut: refused, results: [] };
  const results: ModeResult[] = [];
  for (const mode of modes) {
    const run = await farjit.run(built, mode);
    const isLate = run.error?.code === 'DEADLINE_EXCEEDED';
    results.push({ mode: describeMode(mode), differences: differencesOf(program, native, run), run, isLate });
  }
  // They are given no files.
  if (native && !program.files) results.push(...(await runOthers(built, native)));
  return { program, results };
}

/** What programs are checked with. */
export interface CheckContext {
  readonly builder: Builder;
  readonly farjit: FarJIT;
  /** Runs a program by the command line, or with other JITs; it is not unless this is given. */
  runOthers?(built: BuiltProgram, native: Outcome): Promise<readonly ModeResult[]>;
  /** Why a program that ends so natively says nothing; undefined when it does. */
  accept?(native: Outcome): string | undefined;
}

function differencesOf(
  { refusal }: Program,
  native: Outcome | undefined,
  { outcome, error }: FarJITRun,
): string[] {
  if (refusal) {
    if (!error) return [`it is run, and was to be refused with ${refusal.code}`];
    const isRight =
      refusal.code.split('|').includes(error.code ?? '') && error.message.includes(refusal.words);
    return isRight ? [] : [`refused, but otherwise: ${describe(error)}`];
  }
  if (!outcome || !native) return [describe(error ?? new Error('it is not run'))];
  return compareOutcomes(native, outcome);
}

/** How what a command has made of a program differs from what it does natively. */
export async function compareCommand(
  mode: string,
  native: Outcome,
  ran: Promise<Outcome>,
): Promise<ModeResult> {
  try {
    return { mode, differences: compareOutcomes(native, await ran) };
  } catch (error) {
    if (!(error instanceof EndlessError)) throw error;
    return { mode, differences: ['it does not end'], isLate: true };
  }
}

/** In words, what of two outcomes is not the same. */
export function compareOutcomes(native: Outcome, other: Outcome): string[] {
  const differences: string[] = [];
  if (native.exitCode !== other.exitCode)
    differences.push(`exit code ${other.exitCode}, natively ${native.exitCode}`);
  for (const stream of ['stdout', 'stderr'] as const) {
    const [ours, theirs] = [other[stream].replaceAll(OWN_LINE, ''), native[stream]];
    if (ours !== theirs) differences.push(`${stream} ${firstDifference(ours, theirs)}`);
  }
  const [left, leftNatively] = [other.files, native.files].map((files) => JSON.stringify(files));
  if (left !== leftNatively) differences.push(`leaves ${left}, natively ${leftNatively}`);
  return differences;
}

function firstDifference(ours: string, theirs: string): string {
  const ourLines = ours.split('\n');
  const theirLines = theirs.split('\n');
  const at = theirLines.findIndex((line, index) => line !== ourLines[index]);
  const index = at < 0 ? theirLines.length : at;
  return `line ${index + 1} is ${shown(ourLines[index])}, natively ${shown(theirLines[index])}`;
}

function shown(line: string | undefined): string {
  return line === undefined ? 'not there' : JSON.stringify(line.slice(0, 120));
}

function describe(error: Error & { readonly code?: string }): string {
  const { code, message, cause } = error;
  const reason = cause instanceof Error && !message.includes(cause.message) ? `: ${cause.message}` : '';
  return `${code ?? error.name}: ${message}${reason}`.slice(0, 400);
}
