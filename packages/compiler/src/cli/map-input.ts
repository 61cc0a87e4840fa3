import { addAbortSignal } from 'node:stream';
import { openStream, readBoundedFile } from '../files/bounded-file.js';
import { systemErrorWords } from '../files/system-error.js';
import { printable } from '../frontends/kaleidoscope/printable.js';
import { DataFileError, type MapInput } from './map-columns.js';

const DOUBLE_BYTES = 8;
/** Most that Node has in one buffer. */
const MAX_DOUBLES_BYTES = 2 ** 31 - 1;

/**
 * Reads a column for each parameter.
 * @param path `.f64` holds little-endian doubles, a row after the other; `.csv` text; `-` is CSV on standard input.
 * @param signal ends the wait for a pipe.
 * @throws {DataFileError}
 */
export async function readMapInput(
  path: string,
  parameters: readonly string[],
  signal?: AbortSignal,
): Promise<MapInput> {
  const name = path === '-' ? '<stdin>' : printable(path);
  try {
    if (path.endsWith('.f64')) {
      const bytes = await readBoundedFile(path, MAX_DOUBLES_BYTES, signal);
      return { columns: columnsOf(name, bytes, parameters.length), hasHeader: false };
    }
    const { readCSV } = await import('./map-csv.js');
    const stream = path === '-' ? process.stdin : await openStream(path);
    if (signal) addAbortSignal(signal, stream);
    return await readCSV(name, stream, parameters);
  } catch (error) {
    if (error instanceof DataFileError) throw error;
    throw new DataFileError(`cannot read ${name}: ${systemErrorWords(error)}`, { cause: error });
  }
}

/** Takes rows of doubles apart. */
function columnsOf(name: string, bytes: Buffer, columnCount: number): Float64Array[] {
  const rowBytes = DOUBLE_BYTES * columnCount;
  if (bytes.byteLength % rowBytes !== 0)
    throw new DataFileError(
      `${name}: ${bytes.byteLength} bytes are no whole number of rows of ${rowBytes} bytes, ` +
        `${columnCount === 1 ? 'a double' : `${columnCount} doubles`} each`,
    );
  const rowCount = bytes.byteLength / rowBytes;
  // A copy begins where doubles can.
  const doubles = new Float64Array(rowCount * columnCount);
  new Uint8Array(doubles.buffer).set(bytes);
  if (columnCount === 1) return [doubles];
  return Array.from({ length: columnCount }, (_, column) =>
    Float64Array.from({ length: rowCount }, (__, row) => doubles[row * columnCount + column] ?? 0),
  );
}
