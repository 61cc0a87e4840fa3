import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { FarJITError } from '@farjit/protocol/errors';
import { printable } from '../kaleidoscope/printable.js';
import { SourceText } from '../kaleidoscope/source-text.js';
import { systemErrorWords } from './system-error.js';

/** A source file that cannot be read. */
export class SourceFileError extends FarJITError {
  constructor(path: string, cause: unknown) {
    super('SOURCE_UNREADABLE', `cannot read ${printable(path)}: ${systemErrorWords(cause)}`, { cause });
  }
}

/**
 * Reads a program.
 * @param path `-` reads standard input to its end.
 * @throws {SourceFileError}
 */
export async function readSource(path: string): Promise<SourceText> {
  const name = path === '-' ? '<stdin>' : path;
  try {
    const bytes = path === '-' ? await buffer(process.stdin) : await readFile(path);
    return SourceText.fromBytes(name, bytes);
  } catch (error) {
    throw new SourceFileError(name, error);
  }
}
