import { readFileSync, statSync } from 'node:fs';
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
    return SourceText.fromBytes(name, path === '-' ? await readStandardInput() : await readAll(path));
  } catch (error) {
    throw new SourceFileError(name, error);
  }
}

/** At once what lies on a disk; what may take its time, as a pipe does, leaves the event loop free. */
async function readAll(path: string): Promise<Buffer> {
  if (statSync(path).isFile()) return readFileSync(path);
  const { readFile } = await import('node:fs/promises');
  return readFile(path);
}

async function readStandardInput(): Promise<Buffer> {
  const { buffer } = await import('node:stream/consumers');
  return buffer(process.stdin);
}
