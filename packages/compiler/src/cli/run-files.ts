import { textOf } from './argument-bytes.js';
import { programFiles } from './program-inputs.js';
import { givenProgramOption, type ProgramOptions } from './program-options.js';
import type { RunOptions } from './run-options.js';

/** What `farjit run` is given. */
export interface RunArguments {
  /** In front of `--`. */
  readonly files: readonly string[];
  /** Behind it. */
  readonly rest: readonly (string | Uint8Array)[];
}

/**
 * Runs what the files are: a program that begins with `main`, or one of Kaleidoscope, which is linked with the others.
 * @param refuse ends the command over its arguments.
 * @returns the exit code.
 */
export async function runFiles(
  { files, rest }: RunArguments,
  options: RunOptions & ProgramOptions,
  refuse: (words: string) => never,
): Promise<number> {
  // Without files in front of it, `--` is what lets names begin with a dash.
  const [paths, args] = files.length > 0 ? [files, rest] : [rest.map((path) => textOf(path, refuse)), []];
  const { linked, kaleidoscope } = programFiles(paths);
  const [file, second] = kaleidoscope;
  if (file === undefined && linked.length > 0) {
    const { programCommand } = await import('./program-command.js');
    return programCommand(linked, { ...options, args });
  }
  if (file === undefined) return refuse("missing required argument 'file'");
  if (second !== undefined)
    return refuse(
      `too many arguments: ${file} and ${second} are Kaleidoscope, of which one runs at a time; ` +
        'what is for a program that begins with main stands behind --',
    );
  const given = givenProgramOption(options, linked.length > 0) ?? (args.length > 0 ? '--' : undefined);
  if (given !== undefined)
    return refuse(`${given} is for programs that begin with main, and ${file} is Kaleidoscope`);
  const { runCommand } = await import('./run-command.js');
  return runCommand(file, linked, options);
}
