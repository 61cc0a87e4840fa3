import { textOf } from './argument-bytes.js';
import { programFiles } from './program-inputs.js';
import type { ProgramOptions } from './program-options.js';
import { type RefuseOption, refuseUnusedForFiles } from './refused-options.js';
import type { RunOptions } from './run-options.js';

/** What `farjit run` is given. */
export interface RunArguments {
  /** In front of `--`. */
  readonly files: readonly string[];
  /** Behind it. */
  readonly rest: readonly (string | Uint8Array)[];
}

/** What ends the command over its arguments. */
export interface Refusals {
  readonly refuse: (words: string) => never;
  readonly refuseOption: RefuseOption;
}

/** What diagnostics call the text of `-e`. */
const COMMAND_LINE = '<command line>';

/**
 * Runs what the files are: a program that begins with `main`, or one of Kaleidoscope, which is linked with the others.
 * @returns the exit code.
 */
export async function runFiles(
  { files, rest }: RunArguments,
  options: RunOptions & ProgramOptions,
  { refuse, refuseOption }: Refusals,
): Promise<number> {
  const text = options.eval?.join('\n');
  // Without files in front of it, `--` is what lets names begin with a dash, and another one ends them.
  const [paths, args] =
    files.length > 0 || text !== undefined ? [files, rest] : filesBehindDashes(rest, refuse);
  const { linked, kaleidoscope } = programFiles(paths);
  const [file = COMMAND_LINE, second] = kaleidoscope;
  const hasKaleidoscope = text !== undefined || kaleidoscope.length > 0;
  if (!hasKaleidoscope && linked.length === 0) return refuse("missing required argument 'file'");
  refuseUnusedForFiles(linked, hasKaleidoscope, refuseOption);
  if (!hasKaleidoscope) {
    const { programCommand } = await import('./program-command.js');
    return programCommand(linked, { ...options, args });
  }
  if (text !== undefined && kaleidoscope.length > 0)
    return refuse(`too many programs: there is one in --eval, and ${file} is Kaleidoscope too`);
  if (second !== undefined)
    return refuse(
      `too many arguments: ${file} and ${second} are Kaleidoscope, of which one runs at a time; ` +
        'what is for a program that begins with main stands behind --',
    );
  if (args.length > 0)
    return refuse('what stands behind -- is for programs that begin with main, and this one is Kaleidoscope');
  const { runCommand } = await import('./run-command.js');
  return runCommand({ path: file, text }, linked, options);
}

function filesBehindDashes(
  rest: RunArguments['rest'],
  refuse: Refusals['refuse'],
): [files: readonly string[], args: RunArguments['rest']] {
  const at = rest.indexOf('--');
  const end = at < 0 ? rest.length : at;
  return [rest.slice(0, end).map((path) => textOf(path, refuse)), rest.slice(end + 1)];
}
