import { createReadStream, readFileSync, statSync } from 'node:fs';
import { FarJITError } from '@farjit/protocol/errors';
import { printable } from '../kaleidoscope/printable.js';
import { SourceText } from '../kaleidoscope/source-text.js';
import { systemErrorWords } from './system-error.js';

/** Largest program: a million functions. An endless pipe must not take all memory. */
export const MAX_SOURCE_BYTES = 64 * 1024 * 1024;

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
    return SourceText.fromBytes(name, path === '-' ? await readStream(process.stdin) : await readAll(path));
  } catch (error) {
    throw new SourceFileError(name, error);
  }
}

/** At once what lies on a disk; what may take its time, as a pipe does, leaves the event loop free. */
async function readAll(path: string): Promise<Buffer> {
  const status = statSync(path);
  if (!status.isFile()) return readStream(createReadStream(path));
  refuseLarge(status.size);
  return readFileSync(path);
}

async function readStream(stream: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.length;
    refuseLarge(sizeBytes);
    chunks.push(Buffer.from(chunk as Buffer));
  }
  return Buffer.concat(chunks);
}

function refuseLarge(sizeBytes: number): void {
  if (sizeBytes > MAX_SOURCE_BYTES) throw new Error(`it has more than ${MAX_SOURCE_BYTES} bytes`);
}
