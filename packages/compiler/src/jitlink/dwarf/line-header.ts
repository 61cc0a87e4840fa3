import type { ByteReader } from './byte-reader.js';

/** What a line program begins with: DWARF 5, section 6.2.4; 2 to 4 have lists of files of their own. */
export interface LineHeader {
  /** Where the program ends. */
  readonly end: number;
  readonly minInstructionBytes: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** How many operands each standard opcode has, from 1 on. */
  readonly operandCounts: readonly number[];
  /** By number; the first is 1 before DWARF 5. */
  readonly files: readonly (string | undefined)[];
}

/** The text that an offset field leads to: of `.debug_line_str` or `.debug_str`. */
export type TextAt = (fieldOffset: number, section: '.debug_line_str' | '.debug_str') => string;

const DWARF64 = 0xffff_ffff;
/** `DW_LNCT_*`: what an entry of a list says. */
const LNCT_PATH = 1;
const LNCT_DIRECTORY_INDEX = 2;
/** `DW_FORM_*`: how it says it. */
const FORM = {
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  data1: 0x0b,
  strp: 0x0e,
  udata: 0x0f,
  data16: 0x1e,
  lineStrp: 0x1f,
} as const;

interface Entry {
  path: string;
  directoryIndex: number;
}

/** @throws {RangeError} for what is none. */
export function readLineHeader(reader: ByteReader, textAt: TextAt): LineHeader {
  let lengthBytes = reader.u32();
  const isLong = lengthBytes === DWARF64;
  if (isLong) lengthBytes = reader.u64();
  const end = reader.offset + lengthBytes;
  const version = reader.u16();
  if (version < 2 || version > 5) throw new RangeError(`a line table of DWARF ${version}`);
  if (version === 5) reader.skip(2);
  const headerBytes = isLong ? reader.u64() : reader.u32();
  const programOffset = reader.offset + headerBytes;
  const minInstructionBytes = reader.u8();
  if (version >= 4) reader.skip(1);
  reader.skip(1);
  const [lineBase, lineRange, opcodeBase] = [reader.i8(), reader.u8(), reader.u8()];
  const operandCounts = Array.from({ length: Math.max(0, opcodeBase - 1) }, () => reader.u8());
  const files = version === 5 ? readEntryLists(reader, isLong, textAt) : readFileLists(reader);
  reader.offset = programOffset;
  return { end, minInstructionBytes, lineBase, lineRange, opcodeBase, operandCounts, files };
}

function readEntryLists(reader: ByteReader, isLong: boolean, textAt: TextAt): string[] {
  const directories = readEntries(reader, isLong, textAt).map(({ path }) => path);
  return readEntries(reader, isLong, textAt).map(({ path, directoryIndex }) =>
    pathOf(path, directoryIndex, directories[directoryIndex]),
  );
}

function readEntries(reader: ByteReader, isLong: boolean, textAt: TextAt): Entry[] {
  const formats = Array.from({ length: reader.u8() }, () => [reader.uleb(), reader.uleb()] as const);
  const entries: Entry[] = [];
  for (let left = reader.uleb(); left > 0 && formats.length > 0; left--) {
    const entry = { path: '', directoryIndex: 0 };
    for (const [content, form] of formats) {
      const value = readForm(reader, form, isLong, textAt);
      if (content === LNCT_PATH) entry.path = String(value);
      else if (content === LNCT_DIRECTORY_INDEX) entry.directoryIndex = Number(value);
    }
    entries.push(entry);
  }
  return entries;
}

function readForm(reader: ByteReader, form: number, isLong: boolean, textAt: TextAt): string | number {
  const at = reader.offset;
  switch (form) {
    case FORM.string:
      return reader.text();
    case FORM.lineStrp:
    case FORM.strp:
      reader.skip(isLong ? 8 : 4);
      return textAt(at, form === FORM.strp ? '.debug_str' : '.debug_line_str');
    case FORM.udata:
      return reader.uleb();
    case FORM.data1:
      return reader.u8();
    case FORM.data2:
      return reader.u16();
    case FORM.data4:
      return reader.u32();
    case FORM.data8:
      return reader.u64();
    case FORM.data16:
      reader.skip(16);
      return 0;
    case FORM.block:
      reader.skip(reader.uleb());
      return 0;
    default:
      throw new RangeError(`form ${form} in a list of files`);
  }
}

function readFileLists(reader: ByteReader): (string | undefined)[] {
  const directories: (string | undefined)[] = [undefined];
  for (let path = reader.text(); path !== ''; path = reader.text()) directories.push(path);
  const files: (string | undefined)[] = [undefined];
  for (let path = reader.text(); path !== ''; path = reader.text()) {
    const directoryIndex = reader.uleb();
    reader.uleb();
    reader.uleb();
    files.push(pathOf(path, directoryIndex, directories[directoryIndex]));
  }
  return files;
}

/** Directory 0 is where the compiler ran, which says nothing to who called it. */
function pathOf(path: string, directoryIndex: number, directory: string | undefined): string {
  return directoryIndex === 0 || directory === undefined || path.startsWith('/')
    ? path
    : `${directory}/${path}`;
}
