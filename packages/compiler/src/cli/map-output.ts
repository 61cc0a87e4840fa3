import { FarJITError } from '@farjit/protocol/errors';
import { checkOutputFile, writeOutputFile } from '../files/output-file.js';
import { systemErrorWords } from '../files/system-error.js';
import { printable } from '../frontends/kaleidoscope/printable.js';
import type { CommandStreams } from './command-streams.js';
import { doubleJSON } from './double-text.js';

/** Lines made at a time. */
const LINES_PER_PIECE = 16_384;

/**
 * Results cannot be written.
 * @remarks Name a file that can be written.
 */
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

/** What has been mapped. */
export interface MapResults {
  /** Of the function. */
  readonly name: string;
  readonly results: Float64Array;
  /** Whether text begins with the name. */
  readonly hasHeader: boolean;
}

/**
 * Writes results: little-endian doubles to a `.f64` file, else a line each; to standard output an object, where that is asked
 * for. A file is there whole or not at all.
 * @param path undefined for standard output.
 * @param signal ends the wait for whoever reads a pipe.
 * @throws {OutputFileError}
 */
export async function writeMapOutput(
  path: string | undefined,
  mapped: MapResults,
  streams: CommandStreams,
  signal?: AbortSignal,
): Promise<void> {
  const { results } = mapped;
  if (path === undefined) {
    for (const piece of streams.json ? objectOf(mapped) : linesOf(mapped)) await streams.out.write(piece);
    return;
  }
  const content = path.endsWith('.f64')
    ? [new Uint8Array(results.buffer, results.byteOffset, results.byteLength)]
    : linesOf(mapped);
  try {
    await writeOutputFile(path, content, signal);
  } catch (error) {
    throw new OutputFileError(path, error);
  }
}

/** Numbers as JavaScript writes them: as short as they can be read back exactly. */
function* linesOf({ name, results, hasHeader }: MapResults): Generator<string> {
  if (hasHeader) yield `${name}\n`;
  for (let first = 0; first < results.length; first += LINES_PER_PIECE)
    yield `${results.subarray(first, first + LINES_PER_PIECE).join('\n')}\n`;
}

function* objectOf({ name, results }: MapResults): Generator<string> {
  yield `{"function":${JSON.stringify(name)},"results":[`;
  for (let first = 0; first < results.length; first += LINES_PER_PIECE) {
    const piece = Array.from(results.subarray(first, first + LINES_PER_PIECE), doubleJSON).join(',');
    yield first === 0 ? piece : `,${piece}`;
  }
  yield ']}\n';
}
