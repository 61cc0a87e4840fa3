import { basename } from 'node:path';
import type { BuiltProgram } from './build.js';
import { runCommand } from './commands.js';
import type { Outcome, Program } from './program.js';

/** Programs that run longer are no use here. */
const CPU_MS = 2000;
/** For those that wait, on a machine that is busy. */
const TIMEOUT_MS = 120_000;

/** What a program is told to be called. */
export function programName({ name }: Program): string {
  return basename(name);
}

/** @throws {EndlessError} */
export function runNatively({ program, executable }: BuiltProgram): Promise<Outcome> {
  const { args, env, stdin } = program;
  const argv0 = programName(program);
  return runCommand(executable, args, { env, stdin, argv0, timeoutMs: TIMEOUT_MS, cpuMs: CPU_MS });
}
