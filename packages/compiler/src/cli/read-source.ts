import { FarJITError } from '@farjit/protocol/errors';
import { readBoundedFile, readBoundedStream } from '../files/bounded-file.js';
import { systemErrorWords } from '../files/system-error.js';
import { printable } from '../frontends/kaleidoscope/printable.js';
import { SourceText } from '../frontends/kaleidoscope/source-text.js';

/** Largest program: a million functions. An endless pipe must not take all memory. */
export const MAX_SOURCE_BYTES = 64 * 1024 * 1024;

/**
 * A source file that cannot be read.
 * @remarks Name a file that can be read.
 */
export class SourceFileError extends FarJITError {
  constructor(path: string, cause: unknown) {
    super('SOURCE_UNREADABLE', `cannot read ${printable(path)}: ${systemErrorWords(cause)}`, { cause });
  }
}

/**
 * Reads a program.
 * @param path `-` reads standard input to its end.
 * @param signal ends the wait for standard input, or for another pipe.
 * @throws {SourceFileError}
 */
export async function readSource(path: string, signal?: AbortSignal): Promise<SourceText> {
  const name = path === '-' ? '<stdin>' : path;
  try {
    const bytes =
      path === '-'
        ? readBoundedStream(process.stdin, MAX_SOURCE_BYTES, signal)
        : readBoundedFile(path, MAX_SOURCE_BYTES, signal);
    return SourceText.fromBytes(name, await bytes);
  } catch (error) {
    throw new SourceFileError(name, error);
  }
}
