import { existsSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { JIT } from '../jit/jit.js';
import type { CommandStreams } from './command-streams.js';
import { clangReport } from './describe-error.js';
import { isCxx, type ProgramFile, readInput } from './program-inputs.js';

const CXX_LIBRARY = 'libstdc++.so.6';

/** A file of a program, read. */
export interface ReadFile extends ProgramFile {
  readonly content: Buffer;
}

/** How sources are compiled. */
export interface SourceOptions {
  /** Path of a clang, or a name to be searched for. */
  readonly cc?: string;
  /** More options for it. */
  readonly cflags?: readonly string[];
}

/** A JIT, or a pool. */
export type InputTarget = Pick<JIT, 'addObject' | 'addArchive' | 'addIR' | 'addC'>;

/** @throws {SourceFileError} */
export function readInputs(files: readonly ProgramFile[], signal: AbortSignal): Promise<ReadFile[]> {
  return Promise.all(files.map(async (file) => ({ ...file, content: await readInput(file, signal) })));
}

/** Libraries that files want to find in the runner. */
export function librariesFor(inputs: readonly ReadFile[]): string[] {
  return inputs.some((input) => isCxx(input, input.content)) ? [CXX_LIBRARY] : [];
}

/** Adds a file. clang's warnings go to the command's standard error. */
export function addInput(
  target: InputTarget,
  { path, kind, content }: ReadFile,
  { cc, cflags }: SourceOptions,
  streams: CommandStreams,
  signal: AbortSignal,
): Promise<unknown> {
  const directory = dirname(resolve(path));
  switch (kind) {
    case 'object':
      return target.addObject(content, { name: path });
    case 'archive':
      return target.addArchive(content, { name: path, directory });
    case 'bitcode':
    case 'assembly':
      return target.addIR(content, { name: path });
    default:
      return target.addC(content, {
        name: path,
        language: kind,
        directory,
        signal,
        ...(cc !== undefined && { cc: programAt(cc) }),
        ...(cflags && { flags: cflags }),
        onWarnings: (words) => {
          void streams.report(clangReport(words.trimEnd(), 'warning'));
        },
      });
  }
}

/** A name without a slash is a program's. */
function programAt(cc: string): string {
  if (cc.includes('/')) return resolve(cc);
  const directories = (process.env.PATH ?? '').split(delimiter);
  return directories.map((directory) => join(directory, cc)).find(existsSync) ?? cc;
}
