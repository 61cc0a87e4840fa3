import type { Readable } from 'node:stream';
import { CsvError, type Info, parse } from 'csv-parse';
import { quoted } from '../frontends/kaleidoscope/printable.js';
import { DataFileError, type MapInput } from './map-columns.js';

/** A longer line is no row of numbers: most likely a quote is not closed. */
const MAX_ROW_BYTES = 1024 * 1024;
const FIRST_CAPACITY = 1024;

/** As JavaScript, C and Python write doubles. */
const NUMBER = /^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity|nan)$/i;
/** What begins as a number does, or is nothing at all, names no column. */
const NO_NAME = /^([+-]?\.?\d.*)?$/s;

/** A row as csv-parse gives it. */
interface Row {
  readonly record: readonly string[];
  readonly raw: string;
  readonly info: Info;
}

/**
 * Reads a column for each parameter. A first line that has one of their names, or names alone, names the columns: the parameters are found by
 * their names, or taken in order if no name is a parameter's and there are as many.
 * @throws {DataFileError} with line and column.
 */
export async function readCSV(
  name: string,
  stream: Readable,
  parameters: readonly string[],
): Promise<MapInput> {
  const parser = parse({
    bom: true,
    info: true,
    raw: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_BYTES,
  });
  stream.once('error', (error) => parser.destroy(error));
  stream.pipe(parser);
  const columns = parameters.map(() => new GrowingColumn());
  let places: readonly number[] | undefined;
  let fieldCount = 0;
  let hasHeader = false;
  try {
    for await (const row of parser as AsyncIterable<Row>) {
      const { record } = row;
      if (!places) {
        fieldCount = record.length;
        hasHeader = isHeader(record, parameters);
        places = hasHeader ? findColumns(name, record, parameters) : inOrder(name, row, parameters);
        if (hasHeader) continue;
      }
      if (record.length !== fieldCount)
        throw errorAt(name, row, 0, `${fieldsInWords(record.length)}, the first line has ${fieldCount}`);
      for (const [index, place] of places.entries())
        columns[index]?.push(toNumber(name, row, place, parameters[index] ?? ''));
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const place = { file: name, line: Number(error.lines) || 1, column: 1 };
    throw new DataFileError(wordsOf(error), { place, cause: error });
  } finally {
    stream.destroy();
  }
  if (!places) throw new DataFileError('there is no data', { place: { file: name, line: 1, column: 1 } });
  return { columns: columns.map((column) => column.values), hasHeader };
}

/**
 * Whether a first line names the columns: it has a parameter's name, or names alone. A row with a field that is no number is none: it
 * is not passed over, and what is wrong with it is said.
 */
function isHeader(record: readonly string[], parameters: readonly string[]): boolean {
  const fields = record.map((field) => field.trim());
  if (fields.some((field) => parameters.includes(field))) return true;
  return !fields.some((field) => NUMBER.test(field) || NO_NAME.test(field));
}

function findColumns(name: string, header: readonly string[], parameters: readonly string[]): number[] {
  const names = header.map((field) => field.trim());
  const missing = parameters.filter((parameter) => !names.includes(parameter));
  if (missing.length === 0) return parameters.map((parameter) => names.indexOf(parameter));
  if (missing.length === parameters.length && names.length === parameters.length)
    return parameters.map((_, index) => index);
  throw new DataFileError(
    `there is no column ${missing.map(quoted).join(', ')}; there are ${names.map(quoted).join(', ')}`,
    { place: { file: name, line: 1, column: 1 } },
  );
}

function inOrder(name: string, row: Row, parameters: readonly string[]): number[] {
  if (row.record.length !== parameters.length)
    throw errorAt(
      name,
      row,
      0,
      `${fieldsInWords(row.record.length)}, and no line before that names them; ` +
        `the function has ${parameters.length} parameters: ${parameters.join(', ')}`,
    );
  return parameters.map((_, index) => index);
}

function toNumber(name: string, row: Row, place: number, parameter: string): number {
  const text = (row.record[place] ?? '').trim();
  if (!NUMBER.test(text))
    throw errorAt(name, row, place, `${quoted(text)} is not a number (for the parameter '${parameter}')`);
  const word = /^[+-]?(inf|nan)/i.exec(text)?.[1]?.toLowerCase();
  if (word === undefined) return Number(text);
  if (word === 'nan') return Number.NaN;
  return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** `file:line:column` of a field. */
function errorAt(name: string, { info, raw }: Row, field: number, words: string): DataFileError {
  return new DataFileError(words, { place: { file: name, line: info.lines, column: columnOf(raw, field) } });
}

/** Where a field begins in its line, from 1. */
function columnOf(raw: string, field: number): number {
  let isQuoted = false;
  let passed = 0;
  for (let at = 0; at < raw.length && passed < field; at++) {
    if (raw[at] === '"') isQuoted = !isQuoted;
    else if (raw[at] === ',' && !isQuoted && ++passed === field) return at + 2;
  }
  return 1;
}

function fieldsInWords(count: number): string {
  return count === 1 ? 'there is 1 field' : `there are ${count} fields`;
}

function wordsOf({ code, message }: CsvError): string {
  switch (code) {
    case 'CSV_MAX_RECORD_SIZE':
      return `the line has more than ${MAX_ROW_BYTES} characters`;
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'a quote is opened and not closed';
    case 'INVALID_OPENING_QUOTE':
      return 'a quote stands inside a field that does not begin with one';
    case 'CSV_INVALID_CLOSING_QUOTE':
      return 'something other than a comma follows a closing quote';
    default:
      return message;
  }
}

/** A column that is as long as what has been put into it. */
class GrowingColumn {
  #values = new Float64Array(FIRST_CAPACITY);
  #count = 0;

  push(value: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Float64Array(2 * this.#count);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = value;
  }

  get values(): Float64Array {
    return this.#values.subarray(0, this.#count);
  }
}
