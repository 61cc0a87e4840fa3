import { isUtf8 } from 'node:buffer';
import { quoted } from '@farjit/protocol/printable';
import { LinkError } from '../errors.js';

// Numbers of the System V gABI, chapters 4 "Object files" and "Sections".
export const SHT_NULL = 0;
export const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;
export const SHT_INIT_ARRAY = 14;
export const SHT_PREINIT_ARRAY = 16;
export const SHT_GROUP = 17;
const SHT_SYMTAB_SHNDX = 18;

export const SHF_WRITE = 0x1;
export const SHF_ALLOC = 0x2;
export const SHF_EXECINSTR = 0x4;
export const SHF_MERGE = 0x10;
export const SHF_STRINGS = 0x20;
export const SHF_TLS = 0x400;
export const SHF_COMPRESSED = 0x800;
/** GNU extension: kept though nobody refers to it. */
export const SHF_GNU_RETAIN = 0x20_0000;

export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;
export const SHN_ABS = 0xfff1;
export const SHN_COMMON = 0xfff2;
export const SHN_XINDEX = 0xffff;

export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_WEAK = 2;
export const STB_GNU_UNIQUE = 10;

export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STT_FILE = 4;
export const STT_TLS = 6;
export const STT_GNU_IFUNC = 10;

export const STV_DEFAULT = 0;
export const STV_PROTECTED = 3;

export const GRP_COMDAT = 1;

/** Longest name: what the protocol takes as a symbol name. It also bounds the work on overlapping names. */
const MAX_NAME_BYTES = 4096;
/**
 * Names of an object may have so many bytes for each of its own, counted as often as they are used: sections and symbols
 * share the text of their names, but no compiler lets many overlap.
 */
const MAX_NAME_BYTES_PER_BYTE = 4;
/** What a small object may have in any case. */
const MIN_NAME_BYTES = 65_536;
/** Largest alignment of a section: 1 GiB, the largest page there is. */
const MAX_ALIGNMENT = 1 << 30;

const EHDR_BYTES = 64;
const SHDR_BYTES = 64;
const SYM_BYTES = 24;
const RELA_BYTES = 24;
const ELF_MAGIC = 0x7f454c46;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const ET_REL = 1;

/** One section header. `offset` and `sizeBytes` are checked to lie in the file, unless the type is SHT_NOBITS. */
export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  /** Lower 32 bits of `sh_flags`; all flags with a meaning are there. */
  readonly flags: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly link: number;
  readonly info: number;
  /** Power of two, at least 1. */
  readonly alignment: number;
  readonly entryBytes: number;
}

/**
 * A relocatable ELF64 little-endian object. Every offset is checked before it is used, and the sizes of all
 * sections together are at most the file's, so that reading is linear in the size of the file.
 */
export class ElfObject {
  /** Of the graph it will become, for messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** `e_machine`. */
  readonly machine: number;
  readonly sections: readonly ElfSection[];
  readonly #text: Buffer;
  #nameBytesLeft: number;

  /** @throws {LinkError} when the bytes are not such an object. */
  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    // Views of a Buffer would be Buffers, which take ten times as long to make; an object is cut into hundreds of them.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#nameBytesLeft = Math.max(bytes.byteLength * MAX_NAME_BYTES_PER_BYTE, MIN_NAME_BYTES);
    if (bytes.byteLength < EHDR_BYTES || this.view.getUint32(0) !== ELF_MAGIC)
      throw this.malformed('not an ELF object', 0);
    if (this.view.getUint8(4) !== ELFCLASS64 || this.view.getUint8(5) !== ELFDATA2LSB)
      throw this.unsupported('the object is not 64-bit little-endian ELF');
    if (this.view.getUint16(16, true) !== ET_REL)
      throw this.unsupported(
        'the ELF file is not a relocatable object: give what the compiler makes with -c, and load a library with --preload',
      );
    this.machine = this.view.getUint16(18, true);
    this.sections = this.#readSections();
  }

  /** Bytes of a section, a view; empty for SHT_NOBITS. */
  content(section: ElfSection): Uint8Array {
    if (section.type === SHT_NOBITS) return this.bytes.subarray(0, 0);
    return this.bytes.subarray(section.offset, section.offset + section.sizeBytes);
  }

  /** The section that a header field or symbol names; `user` says which one, and `offset` where, for the message. */
  sectionAt(index: number, user: string, offset: number): ElfSection {
    const section = this.sections[index];
    if (!section)
      throw this.malformed(`${user} refers to section ${index} of ${this.sections.length}`, offset);
    return section;
  }

  /** The NUL-terminated text at `offset` of a string table. */
  string(table: ElfSection, offset: number): string {
    const start = table.offset + offset;
    const end = Math.min(table.offset + table.sizeBytes, start + MAX_NAME_BYTES + 1);
    for (let i = start; i < end; i++) if (this.bytes[i] === 0) return i === start ? '' : this.#name(start, i);
    throw this.malformed(
      start + MAX_NAME_BYTES < table.offset + table.sizeBytes
        ? `a name is longer than ${MAX_NAME_BYTES} bytes`
        : `string table ${table.index} ends inside a name`,
      start,
    );
  }

  #name(start: number, end: number): string {
    this.#nameBytesLeft -= end - start;
    if (this.#nameBytesLeft < 0) throw this.malformed('the names of its sections and symbols overlap', start);
    // Two names that are not could become the same text.
    if (!isUtf8(this.bytes.subarray(start, end)))
      throw this.unsupported(`the name ${quoted(this.#text.toString('latin1', start, end))} is not UTF-8`);
    return this.#text.toString('utf8', start, end);
  }

  /** The symbol table, or null when the object has none. */
  symbolTable(): ElfSymbolTable | null {
    let found: ElfSection | null = null;
    for (const section of this.sections) {
      if (section.type !== SHT_SYMTAB) continue;
      if (found) throw this.malformed('more than one symbol table', section.offset);
      found = section;
    }
    return found && new ElfSymbolTable(this, found);
  }

  /** Relocations of an SHT_RELA section. */
  relocations(section: ElfSection): ElfRelaTable {
    return new ElfRelaTable(this, section);
  }

  /** @param offset where in the file. */
  malformed(problem: string, offset: number, section?: string): LinkError {
    const details = { ...this.#details(section), offset };
    return new LinkError('malformed-object', details, `malformed object at byte ${offset}: ${problem}`);
  }

  unsupported(problem: string, section?: string): LinkError {
    return new LinkError('unsupported', this.#details(section), problem);
  }

  #details(section: string | undefined): { graph: string; section?: string } {
    return section === undefined ? { graph: this.name } : { graph: this.name, section };
  }

  /** A 64-bit field that has to be a size or an offset. */
  #size(at: number, field: string): number {
    const high = this.view.getUint32(at + 4, true);
    if (high > 0x1f_ffff) throw this.malformed(`${field} is 2^53 or more`, at);
    return high * 2 ** 32 + this.view.getUint32(at, true);
  }

  #readSections(): ElfSection[] {
    const { view } = this;
    const tableOffset = this.#size(40, 'e_shoff');
    if (tableOffset === 0) return [];
    if (view.getUint16(58, true) !== SHDR_BYTES) throw this.malformed('e_shentsize is not 64', 58);
    const room = this.bytes.byteLength - tableOffset;
    const outside = () => this.malformed('the section headers lie outside the file', tableOffset);
    if (room < SHDR_BYTES) throw outside();
    // Counts that do not fit the file header are in the first section header.
    const count = view.getUint16(60, true) || this.#size(tableOffset + 32, 'section count');
    if (count > room / SHDR_BYTES) throw outside();
    let namesIndex = view.getUint16(62, true);
    if (namesIndex === SHN_XINDEX) namesIndex = view.getUint32(tableOffset + 40, true);
    if (namesIndex >= count) throw this.malformed('e_shstrndx is no section', 62);

    const names = count === 0 ? null : this.#readSection(tableOffset, namesIndex, null);
    const sections: ElfSection[] = [];
    let contentBytes = 0;
    for (let index = 0; index < count; index++) {
      const section = this.#readSection(tableOffset, index, names);
      if (section.type !== SHT_NOBITS) contentBytes += section.sizeBytes;
      if (contentBytes > this.bytes.byteLength)
        throw this.malformed('sections overlap', section.offset, section.name);
      sections.push(section);
    }
    return sections;
  }

  #readSection(tableOffset: number, index: number, names: ElfSection | null): ElfSection {
    const { view } = this;
    const at = tableOffset + index * SHDR_BYTES;
    const type = view.getUint32(at + 4, true);
    const alignment = this.#size(at + 48, 'sh_addralign') || 1;
    let offset = this.#size(at + 24, 'sh_offset');
    let sizeBytes = this.#size(at + 32, 'sh_size');
    // The null section's size may be the section count.
    if (type === SHT_NULL) offset = sizeBytes = 0;
    const name =
      names && names.type === SHT_STRTAB ? this.string(names, view.getUint32(at, true)) : `#${index}`;
    if (type !== SHT_NOBITS && offset + sizeBytes > this.bytes.byteLength)
      throw this.malformed('its content lies outside the file', offset, name);
    if (alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) !== 0)
      throw this.malformed(`its alignment ${alignment} is no power of two up to ${MAX_ALIGNMENT}`, at, name);
    return {
      index,
      name,
      type,
      flags: view.getUint32(at + 8, true),
      offset,
      sizeBytes,
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
      alignment,
      entryBytes: this.#size(at + 56, 'sh_entsize'),
    };
  }
}

/** Entries of an SHT_SYMTAB section, by index. Index 0 is the null symbol. */
export class ElfSymbolTable {
  readonly count: number;
  readonly sectionIndex: number;
  readonly #object: ElfObject;
  readonly #view: DataView;
  readonly #offset: number;
  readonly #names: ElfSection;
  readonly #extendedIndices: ElfSection | undefined;

  constructor(object: ElfObject, section: ElfSection) {
    if (section.entryBytes !== SYM_BYTES || section.sizeBytes % SYM_BYTES !== 0)
      throw object.malformed(`the entries are not ${SYM_BYTES} bytes each`, section.offset, section.name);
    this.#object = object;
    this.#view = object.view;
    this.#offset = section.offset;
    this.count = section.sizeBytes / SYM_BYTES;
    this.sectionIndex = section.index;
    this.#names = object.sectionAt(section.link, 'the symbol table', section.offset);
    if (this.#names.type !== SHT_STRTAB)
      throw object.malformed('sh_link is no string table', section.offset, section.name);
    this.#extendedIndices = object.sections.find(
      ({ type, link }) => type === SHT_SYMTAB_SHNDX && link === section.index,
    );
    if (this.#extendedIndices && this.#extendedIndices.sizeBytes < 4 * this.count)
      throw object.malformed(
        'fewer entries than symbols',
        this.#extendedIndices.offset,
        this.#extendedIndices.name,
      );
  }

  name(index: number): string {
    return this.#object.string(this.#names, this.#view.getUint32(this.entryOffset(index), true));
  }

  binding(index: number): number {
    return this.#view.getUint8(this.entryOffset(index) + 4) >> 4;
  }

  type(index: number): number {
    return this.#view.getUint8(this.entryOffset(index) + 4) & 0xf;
  }

  visibility(index: number): number {
    return this.#view.getUint8(this.entryOffset(index) + 5) & 3;
  }

  /** `st_shndx` as it stands: a section's index or a reserved number. SHN_XINDEX: see `section`. */
  rawSection(index: number): number {
    return this.#view.getUint16(this.entryOffset(index) + 6, true);
  }

  /** Index of the section that the symbol is defined in; call it when `rawSection` is no other reserved number. */
  section(index: number): number {
    const raw = this.rawSection(index);
    if (raw !== SHN_XINDEX) return raw;
    if (!this.#extendedIndices)
      throw this.#object.malformed(
        'a symbol has an extended section index, but there is no SHT_SYMTAB_SHNDX',
        this.entryOffset(index),
      );
    return this.#view.getUint32(this.#extendedIndices.offset + 4 * index, true);
  }

  value(index: number): bigint {
    return this.#view.getBigUint64(this.entryOffset(index) + 8, true);
  }

  /** `st_size`; rounded when it is 2^53 or more. */
  sizeBytes(index: number): number {
    const at = this.entryOffset(index) + 16;
    return this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** Where in the file the entry is. */
  entryOffset(index: number): number {
    if (index >= this.count)
      throw this.#object.malformed(
        `there is no symbol ${index}: the symbol table has ${this.count}`,
        this.#offset,
      );
    return this.#offset + index * SYM_BYTES;
  }
}

/** Entries of an SHT_RELA section, by index below `count`. */
export class ElfRelaTable {
  readonly count: number;
  readonly #view: DataView;
  readonly #offset: number;

  constructor(object: ElfObject, section: ElfSection) {
    if (section.entryBytes !== RELA_BYTES || section.sizeBytes % RELA_BYTES !== 0)
      throw object.malformed(`the entries are not ${RELA_BYTES} bytes each`, section.offset, section.name);
    this.#view = object.view;
    this.#offset = section.offset;
    this.count = section.sizeBytes / RELA_BYTES;
  }

  /** Where in the file the entry is. */
  entryOffset(index: number): number {
    return this.#offset + index * RELA_BYTES;
  }

  /** Offset of the fixup in its section; rounded when it is 2^53 or more. */
  offset(index: number): number {
    const at = this.#offset + index * RELA_BYTES;
    return this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  type(index: number): number {
    return this.#view.getUint32(this.#offset + index * RELA_BYTES + 8, true);
  }

  symbol(index: number): number {
    return this.#view.getUint32(this.#offset + index * RELA_BYTES + 12, true);
  }

  addend(index: number): bigint {
    return this.#view.getBigInt64(this.#offset + index * RELA_BYTES + 16, true);
  }
}
