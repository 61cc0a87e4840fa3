import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, type ProcessRun, runMeasured } from './measured-process.js';
import type { Program } from './programs.js';

/** Files of a program, written before anything is measured. */
export interface ProgramFiles {
  readonly program: Program;
  readonly kaleidoscopePath: string;
  /** Written when the program has LLVM assembly. */
  readonly irPath: string;
}

/** Somebody who runs a program as a process of its own: we, or a peer. */
export interface Contender {
  /** In tables, plots and the JSON. */
  readonly title: string;
  /** What it does with the program, in words, for the notes. */
  readonly description: string;
  command(files: ProgramFiles): Command;
  /** Whether the program came to the right value: speed of wrong answers is not measured. */
  isRight(run: ProcessRun, program: Program): boolean;
}

/** Writes a program's files into `folder`. */
export function writeProgram(program: Program, folder: string, name: string): ProgramFiles {
  const kaleidoscopePath = join(folder, `${name}.ks`);
  const irPath = join(folder, `${name}.ll`);
  writeFileSync(kaleidoscopePath, program.kaleidoscope);
  if (program.ir !== undefined) writeFileSync(irPath, program.ir);
  return { program, kaleidoscopePath, irPath };
}

/**
 * Runs a program once, from the process's start to its exit.
 * @throws {Error} when the result is not the expected one.
 */
export async function runContender(
  contender: Contender,
  files: ProgramFiles,
  folder: string,
): Promise<ProcessRun> {
  const command = contender.command(files);
  const run = await runMeasured(command, folder);
  if (!contender.isRight(run, files.program))
    throw new Error(
      `${contender.title} did not compute ${files.program.expected} (exit code ${run.exitCode}): ` +
        `${[command.program, ...command.args].join(' ')}\n${run.stdout.slice(-2000)}${run.stderr.slice(-2000)}`,
    );
  return run;
}

/** A contender's turn, for `interleave`: wall time in milliseconds. */
export function turn(contender: Contender, files: ProgramFiles, folder: string): () => Promise<number> {
  return async () => (await runContender(contender, files, folder)).wallMs;
}
