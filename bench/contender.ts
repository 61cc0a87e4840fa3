import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, type ProcessRun, runMeasured } from './measured-process.js';
import type { Program } from './programs.js';

/** Files of a program, written before anything is measured. */
export interface ProgramFiles {
  readonly program: Program;
  readonly kaleidoscopePath: string;
  readonly irPath: string;
}

/** Somebody who runs a program as a process of its own: we, or a peer. */
export interface Contender {
  /** In the JSON. */
  readonly id: string;
  /** In tables. */
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
  writeFileSync(irPath, program.ir);
  return { program, kaleidoscopePath, irPath };
}

/**
 * Runs a program once, from the process's start to its exit.
 * @returns wall time in milliseconds.
 * @throws {Error} when the result is not the expected one.
 */
export async function runContender(
  contender: Contender,
  files: ProgramFiles,
  folder: string,
): Promise<number> {
  const command = contender.command(files);
  const run = await runMeasured(command, folder);
  if (!contender.isRight(run, files.program))
    throw new Error(
      `${contender.title} did not compute ${files.program.expected} (exit code ${run.exitCode}): ` +
        `${[command.program, ...command.args].join(' ')}\n${run.stdout.slice(-2000)}${run.stderr.slice(-2000)}`,
    );
  return run.wallMs;
}

/**
 * Runs every contender once a round, one after the other (A B C, A B C, …), so that a change of the machine's mood
 * reaches all of them alike. The first round is a warm-up and not kept.
 * @returns wall times in milliseconds by contender's id, one a round.
 */
export async function runInterleaved(
  contenders: readonly Contender[],
  files: ProgramFiles,
  options: { readonly runs: number; readonly folder: string },
): Promise<ReadonlyMap<string, readonly number[]>> {
  const samples = new Map<string, number[]>(contenders.map(({ id }) => [id, []]));
  for (let round = 0; round <= options.runs; round++)
    for (const contender of contenders) {
      const wallMs = await runContender(contender, files, options.folder);
      if (round > 0) samples.get(contender.id)?.push(wallMs);
    }
  return samples;
}
