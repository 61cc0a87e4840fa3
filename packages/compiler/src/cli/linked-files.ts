import { dirname } from 'node:path';
import { FarJITError } from '@farjit/protocol/errors';
import {
  addInput,
  type InputTarget,
  librariesFor,
  type ReadFile,
  readInputs,
  type SourceOptions,
} from './add-input.js';
import type { CommandStreams } from './command-streams.js';
import { type ProgramFile, readInput } from './program-inputs.js';
import { findLibraries } from './program-libraries.js';

/** How files are linked. */
export interface LinkOptions extends SourceOptions {
  /** `-l` and `-L`. */
  readonly library?: readonly string[];
  readonly libraryPath?: readonly string[];
  readonly preload?: readonly string[];
}

/** Files of a program that have been read, and libraries that were found for it. */
export interface LinkedFiles {
  readonly inputs: readonly ReadFile[];
  /** Paths of those that are archives. */
  readonly archives: readonly string[];
  /** What executors of the command's own have to load before. */
  readonly preload: readonly string[];
}

/**
 * Reads files and looks for libraries.
 * @param isElsewhere whether executors run that others have started.
 * @throws {FarJITError} for libraries that are nowhere, or that an executor elsewhere would have to load.
 * @throws {SourceFileError}
 */
export async function readLinkedFiles(
  files: readonly ProgramFile[],
  { library = [], libraryPath = [], preload = [] }: LinkOptions,
  isElsewhere: boolean,
  signal: AbortSignal,
): Promise<LinkedFiles> {
  const libraries = findLibraries(library, libraryPath);
  const inputs = await readInputs(files, signal);
  const { archives } = libraries;
  if (!isElsewhere)
    return { inputs, archives, preload: [...preload, ...librariesFor(inputs), ...libraries.preload] };
  const [first] = libraries.preload;
  if (first !== undefined)
    throw new FarJITError(
      'LIBRARY_NOT_FOUND',
      `-l: ${first} cannot be loaded into an executor elsewhere; start that with --preload ${first}, or give an archive`,
    );
  // Whether that one has the C++ library shows when it is needed.
  return { inputs, archives, preload: [] };
}

/** Adds them, the archives last. */
export async function addLinkedFiles(
  target: InputTarget,
  { inputs, archives }: LinkedFiles,
  options: SourceOptions,
  streams: CommandStreams,
  signal: AbortSignal,
): Promise<void> {
  for (const input of inputs) await addInput(target, input, options, streams, signal);
  for (const path of archives)
    await target.addArchive(await readInput({ path, kind: 'archive' }, signal), {
      name: path,
      directory: dirname(path),
    });
}
