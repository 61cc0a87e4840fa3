import {
  ElfObject,
  type ElfSection,
  type ElfSymbolTable,
  SHF_COMPRESSED,
  SHN_LORESERVE,
  SHN_UNDEF,
  SHN_XINDEX,
  SHT_RELA,
  STT_FUNC,
} from '../elf/object.js';
import { LinkError } from '../errors.js';
import { ByteReader } from './byte-reader.js';
import { readLineHeader } from './line-header.js';
import { type LineRow, runLineProgram, type SequenceStart } from './line-program.js';
import { type FunctionLines, ROW_LENGTH, SourceLines } from './source-lines.js';

const LINE_SECTION = '.debug_line';
/** Some ten times what sqlite has. A byte can make a row, and a row takes a hundred. */
const MAX_ROWS = 1 << 20;

/**
 * Reads which lines the functions of an object come from: `.debug_line`, of DWARF 2 to 5.
 * @returns undefined when it does not say it, or says what cannot be read: then it can be linked all the same.
 */
export function readSourceLines(content: Uint8Array, name: string): SourceLines | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  // Most objects have none, and taking them apart once more takes time.
  if (!bytes.includes(LINE_SECTION)) return undefined;
  try {
    return new LineReader(new ElfObject(name, content)).read();
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof LinkError)) throw error;
    return undefined;
  }
}

/** A row whose file is a number in the list of all files. */
interface Row extends LineRow {
  readonly order: number;
}

class LineReader {
  readonly #object: ElfObject;
  readonly #symbols: ElfSymbolTable | null;
  readonly #fileNumbers = new Map<string, number>();
  readonly #rows = new Map<number, Row[]>();
  #rowCount = 0;

  constructor(object: ElfObject) {
    this.#object = object;
    this.#symbols = object.symbolTable();
  }

  read(): SourceLines | undefined {
    const lines = this.#object.sections.find(({ name }) => name === LINE_SECTION);
    if (!lines || !this.#symbols || (lines.flags & SHF_COMPRESSED) !== 0) return undefined;
    const targets = this.#targetsIn(lines, this.#symbols);
    const content = this.#object.content(lines);
    for (const reader = new ByteReader(content); reader.offset < content.byteLength; ) {
      const header = readLineHeader(reader, (offset, section) =>
        this.#textOf(section, targets.get(offset)?.offset ?? 0),
      );
      for (const row of runLineProgram(reader, header, (offset) => targets.get(offset)))
        this.#note(row, header.files[row.file]);
      reader.offset = header.end;
    }
    return new SourceLines([...this.#fileNumbers.keys()], this.#functionLines(this.#symbols));
  }

  /** What relocations of a section lead to, by their offsets. */
  #targetsIn({ index }: ElfSection, symbols: ElfSymbolTable): Map<number, SequenceStart> {
    const targets = new Map<number, SequenceStart>();
    for (const section of this.#object.sections) {
      if (section.type !== SHT_RELA || section.info !== index) continue;
      const relocations = this.#object.relocations(section);
      for (let at = 0; at < relocations.count; at++) {
        const symbol = relocations.symbol(at);
        if (!isInSection(symbols, symbol)) continue;
        const offset = Number(symbols.value(symbol) + relocations.addend(at));
        targets.set(relocations.offset(at), { section: symbols.section(symbol), offset });
      }
    }
    return targets;
  }

  #textOf(name: string, offset: number): string {
    const section = this.#object.sections.find((candidate) => candidate.name === name);
    if (!section) throw new RangeError(`there is no ${name}`);
    return this.#object.string(section, offset);
  }

  #note(row: LineRow, file: string | undefined): void {
    if (++this.#rowCount > MAX_ROWS) throw new RangeError(`more than ${MAX_ROWS} rows`);
    const path = file ?? '';
    const number = this.#fileNumbers.get(path) ?? this.#fileNumbers.size;
    this.#fileNumbers.set(path, number);
    const rows = this.#rows.get(row.section) ?? [];
    this.#rows.set(row.section, rows);
    rows.push({ ...row, file: number, line: file === undefined ? 0 : row.line, order: rows.length });
  }

  #functionLines(symbols: ElfSymbolTable): Map<string, FunctionLines> {
    for (const rows of this.#rows.values()) rows.sort((a, b) => a.offset - b.offset || a.order - b.order);
    const found = new Map<string, FunctionLines>();
    const ambiguous = new Set<string>();
    for (let index = 1; index < symbols.count; index++) {
      if (symbols.type(index) !== STT_FUNC || !isInSection(symbols, index)) continue;
      const [name, sizeBytes] = [symbols.name(index), symbols.sizeBytes(index)];
      const rows = this.#rowsOf(symbols.section(index), Number(symbols.value(index)), sizeBytes);
      if (found.has(name)) ambiguous.add(name);
      if (rows.length > 0) found.set(name, { sizeBytes, rows });
    }
    // Two of one name can only be local ones, of a program that was linked together before.
    for (const name of ambiguous) found.delete(name);
    return found;
  }

  /** Rows of a function, by offsets in it. */
  #rowsOf(section: number, start: number, sizeBytes: number): number[] {
    const rows = this.#rows.get(section) ?? [];
    const flat: number[] = [];
    for (let at = firstFrom(rows, start); at < rows.length; at++) {
      const row = rows[at];
      if (!row || row.offset >= start + sizeBytes) break;
      const [offset, before] = [row.offset - start, flat.length - ROW_LENGTH];
      // The last row of an offset counts.
      if (before >= 0 && flat[before] === offset) flat.length = before;
      flat.push(offset, row.file, row.line);
    }
    return flat;
  }
}

/** Index of the first row from an offset on. */
function firstFrom(rows: readonly Row[], offset: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.offset ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isInSection(symbols: ElfSymbolTable, index: number): boolean {
  const raw = symbols.rawSection(index);
  return raw !== SHN_UNDEF && (raw < SHN_LORESERVE || raw === SHN_XINDEX);
}
