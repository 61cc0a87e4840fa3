import { randomUUID } from 'node:crypto';
import { constants, createWriteStream } from 'node:fs';
import { access, rename, rm, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FarJITError } from '@farjit/protocol/errors';
import { printable } from '../kaleidoscope/printable.js';
import type { CommandStreams } from './command-streams.js';
import { systemErrorWords } from './system-error.js';

/** Lines made at a time. */
const LINES_PER_PIECE = 16_384;

/** Results cannot be written. */
export class OutputFileError extends FarJITError {
  constructor(path: string, cause: unknown) {
    super('OUTPUT_UNWRITABLE', `cannot write ${printable(path)}: ${systemErrorWords(cause)}`, { cause });
  }
}

/**
 * Sees whether a file can be written, which is better known before there are results.
 * @throws {OutputFileError}
 */
export async function checkMapOutput(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    const target = await stat(path).catch(() => undefined);
    if (target && !target.isFile()) return await access(path, constants.W_OK);
    const partial = partialOf(path);
    await writeFile(partial, '', { flag: 'wx' });
    await rm(partial);
  } catch (error) {
    throw new OutputFileError(path, error);
  }
}

/**
 * Writes results: little-endian doubles to a `.f64` file, else a line each. A file is there whole or not at all.
 * @param path undefined for standard output.
 * @param header the first line of text, if it is to have one.
 * @throws {OutputFileError}
 */
export async function writeMapOutput(
  path: string | undefined,
  results: Float64Array,
  header: string | undefined,
  streams: CommandStreams,
): Promise<void> {
  if (path === undefined) {
    for (const piece of linesOf(results, header)) await streams.out.write(piece);
    return;
  }
  const content = path.endsWith('.f64')
    ? [new Uint8Array(results.buffer, results.byteOffset, results.byteLength)]
    : linesOf(results, header);
  try {
    // A pipe or a device is written to as it is.
    const target = await stat(path).catch(() => undefined);
    if (target && !target.isFile()) await writeTo(path, content);
    else await replace(path, content);
  } catch (error) {
    throw new OutputFileError(path, error);
  }
}

/** In the same folder, so that renaming replaces the file in one step; a name that nobody can be waiting with a link at. */
function partialOf(path: string): string {
  return `${path}.${randomUUID()}.partial`;
}

async function replace(path: string, content: Iterable<string | Uint8Array>): Promise<void> {
  const partial = partialOf(path);
  try {
    await writeTo(partial, content, 'wx');
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

function writeTo(path: string, content: Iterable<string | Uint8Array>, flags = 'w'): Promise<void> {
  return pipeline(Readable.from(content), createWriteStream(path, { flags }));
}

/** Numbers as JavaScript writes them: as short as they can be read back exactly. */
function* linesOf(results: Float64Array, header: string | undefined): Generator<string> {
  if (header !== undefined) yield `${header}\n`;
  for (let first = 0; first < results.length; first += LINES_PER_PIECE)
    yield `${results.subarray(first, first + LINES_PER_PIECE).join('\n')}\n`;
}
