import { CommanderError } from 'commander';
import type { LocalExecutor } from '../executor-client/local-executor.js';
import { argumentBytes, textOf } from './argument-bytes.js';
import { colorReport, colorsFor } from './colors.js';
import { withCommand } from './command-names.js';
import { errorReport } from './describe-error.js';
import { createProgram } from './program.js';
import { type Report, reportJSON, reportText } from './report.js';

/** The command line itself is wrong. */
const USAGE_EXIT_CODE = 2;
/** Commands of which what stands behind `--` is not theirs. */
const PASSING_ON = new Set<unknown>(['run', 'complete']);

/**
 * Runs the command line. LLVM and ffi-rs are loaded only by commands that compile something.
 * @param args without Node's and the script's path.
 * @param local an executor of our own that has been started, for a command that wants one; stays the caller's.
 * @returns the exit code; everything the command opened is closed.
 */
export async function main(args: readonly string[], local?: LocalExecutor): Promise<number> {
  let exitCode = 0;
  const { own, rest } = splitArguments(withCommand(argumentBytes(args)));
  const json = own.includes('--json');
  if (asksForVersion(own)) {
    process.stdout.write((await import('./version-command.js')).versionText(json));
    return 0;
  }
  const program = createProgram({
    local,
    rest,
    setExitCode: (code) => {
      exitCode = code;
    },
    report: (report) => say(report, json),
  });
  try {
    const texts = own.map((arg) => textOf(arg, (words) => program.error(`error: ${words}`)));
    await program.parseAsync(expandBareStats(texts), { from: 'user' });
    return exitCode;
  } catch (error) {
    // What commander has to say has been said.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    say(errorReport(error), json);
    return 1;
  }
}

/** Writes what there is to say of a command line, or of a command that could not begin. */
export function say(report: Report, json = false): void {
  const text = json ? reportJSON(report) : colorReport(reportText(report), colorsFor(process.stderr));
  process.stderr.write(`${text}\n`);
}

function asksForVersion([first, ...more]: readonly (string | Uint8Array)[]): boolean {
  const isAsking = (arg: unknown) => arg === '--version' || arg === '-V';
  return isAsking(first) || (first === '--json' && isAsking(more[0]));
}

/** Of `run` and `complete`, what stands behind `--` is for others. */
function splitArguments(args: readonly (string | Uint8Array)[]) {
  const end = PASSING_ON.has(args[0]) ? args.indexOf('--') : -1;
  return end < 0 ? { own: args, rest: [] } : { own: args.slice(0, end), rest: args.slice(end + 1) };
}

/** An optional value would swallow the argument after it, as in `--stats program.ks`: it must be joined by `=`. */
function expandBareStats(args: readonly string[]): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  return args.map((arg, index) => (arg === '--stats' && index < end ? '--stats=summary' : arg));
}
