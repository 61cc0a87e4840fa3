import { FarJITError } from '@farjit/protocol/errors';
import { checkOutputFile, writeOutputFile } from '../files/output-file.js';
import { printable } from '../frontends/kaleidoscope/printable.js';
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
    await checkOutputFile(path);
  } catch (error) {
    throw new OutputFileError(path, error);
  }
}

/**
 * Writes results: little-endian doubles to a `.f64` file, else a line each. A file is there whole or not at all.
 * @param path undefined for standard output.
 * @param header the first line of text, if it is to have one.
 * @param signal ends the wait for whoever reads a pipe.
 * @throws {OutputFileError}
 */
export async function writeMapOutput(
  path: string | undefined,
  results: Float64Array,
  header: string | undefined,
  streams: CommandStreams,
  signal?: AbortSignal,
): Promise<void> {
  if (path === undefined) {
    for (const piece of linesOf(results, header)) await streams.out.write(piece);
    return;
  }
  const content = path.endsWith('.f64')
    ? [new Uint8Array(results.buffer, results.byteOffset, results.byteLength)]
    : linesOf(results, header);
  try {
    await writeOutputFile(path, content, signal);
  } catch (error) {
    throw new OutputFileError(path, error);
  }
}

/** Numbers as JavaScript writes them: as short as they can be read back exactly. */
function* linesOf(results: Float64Array, header: string | undefined): Generator<string> {
  if (header !== undefined) yield `${header}\n`;
  for (let first = 0; first < results.length; first += LINES_PER_PIECE)
    yield `${results.subarray(first, first + LINES_PER_PIECE).join('\n')}\n`;
}
