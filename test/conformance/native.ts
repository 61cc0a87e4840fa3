import { basename } from 'node:path';
import type { BuiltProgram } from './build.js';
import { runCommand } from './commands.js';
import type { Outcome, Program } from './program.js';

/** Programs that take longer are no use here. */
const TIMEOUT_MS = 20_000;

/** What a program is told to be called. */
export function programName({ name }: Program): string {
  return basename(name);
}

/** @throws {EndlessError} */
export function runNatively({ program, executable }: BuiltProgram): Promise<Outcome> {
  const { args, env, stdin } = program;
  return runCommand(executable, args, { env, stdin, argv0: programName(program), timeoutMs: TIMEOUT_MS });
}
