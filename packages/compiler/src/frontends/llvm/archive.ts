import { isUtf8 } from 'node:buffer';
import { LinkError } from '../../jitlink/errors.js';
import { inputKindOf } from './input-kind.js';

/** One file of an archive. */
export interface ArchiveMember {
  /** Its name; in a thin archive a path, from the archive's directory. */
  readonly name: string;
  /** Where its header is: the index names members so. */
  readonly offset: number;
  /** Undefined in a thin archive, which has its members elsewhere. */
  readonly content: Uint8Array | undefined;
}

/** What `ar` has put together. */
export interface Archive {
  readonly name: string;
  readonly members: readonly ArchiveMember[];
  /** The members that define names, as the archive's own index has it; empty without one. */
  readonly index: ReadonlyMap<string, ArchiveMember>;
}

const MAGIC_BYTES = 8;
const THIN_MAGIC = '!<thin>\n';
/** 16 name, 12 date, 6 user, 6 group, 8 mode, 10 size, 2 end. */
const HEADER_BYTES = 60;
const SIZE_AT = 48;
const HEADER_END = '`\n';

/** An index: how many bytes its numbers have, and how they and the names lie. */
interface IndexForm {
  readonly numberBytes: 4 | 8;
  /** `gnu`: count, offsets, names, big-endian. `bsd`: bytes of pairs (name, offset), pairs, bytes of names, names. */
  readonly order: 'gnu' | 'bsd';
}

/**
 * Names may have so many bytes for each of the archive's, and so many in any case, counted as often as they are used: no
 * `ar` lets them overlap, but some have one name for several members.
 */
const MAX_NAME_BYTES_PER_BYTE = 4;
const MIN_NAME_BYTES = 65_536;

const INDEX_NAMES: ReadonlyMap<string, IndexForm> = new Map([
  ['/', { numberBytes: 4, order: 'gnu' }],
  ['/SYM64/', { numberBytes: 8, order: 'gnu' }],
  ['__.SYMDEF', { numberBytes: 4, order: 'bsd' }],
  ['__.SYMDEF SORTED', { numberBytes: 4, order: 'bsd' }],
  ['__.SYMDEF_64', { numberBytes: 8, order: 'bsd' }],
  ['__.SYMDEF_64 SORTED', { numberBytes: 8, order: 'bsd' }],
]);
const LONG_NAMES = '//';

/** A name that the index has, and the offset of the header of the member that defines it. */
type IndexEntry = readonly [name: string, offset: number];

/**
 * Reads an archive as GNU, BSD and LLVM `ar` make them: short and long names, an index or none, thin ones. Members are
 * views into `bytes`.
 * @param name leads every error message.
 * @throws {LinkError} `malformed-object`, with the offset; `unsupported` for an archive of archives.
 */
export function readArchive(bytes: Uint8Array, name: string): Archive {
  return new ArchiveReader(bytes, name).read();
}

class ArchiveReader {
  readonly #name: string;
  readonly #bytes: Buffer;
  readonly #isThin: boolean;
  readonly #members = new Map<number, ArchiveMember>();
  #longNames: Buffer | undefined;
  #index: readonly IndexEntry[] = [];
  #indexAt = 0;
  #nameBytesLeft: number;

  constructor(bytes: Uint8Array, name: string) {
    this.#name = name;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#nameBytesLeft = Math.max(bytes.byteLength * MAX_NAME_BYTES_PER_BYTE, MIN_NAME_BYTES);
    this.#isThin = this.#text(0, MAGIC_BYTES) === THIN_MAGIC;
  }

  read(): Archive {
    if (inputKindOf(this.#bytes) !== 'archive') throw this.#malformed(0, 'not an archive');
    for (let at = MAGIC_BYTES; at < this.#bytes.byteLength; ) {
      at = this.#readMember(at);
      // Headers begin at even offsets; a newline fills the gap, which the last member may lack.
      at += at % 2;
    }
    const index = new Map<string, ArchiveMember>();
    for (const [symbol, offset] of this.#index) {
      const member = this.#members.get(offset);
      if (!member)
        throw this.#malformed(
          this.#indexAt,
          `the index has "${symbol}" at byte ${offset}, where no member is`,
        );
      // The first one is taken, as linkers do.
      if (!index.has(symbol)) index.set(symbol, member);
    }
    return { name: this.#name, members: [...this.#members.values()], index };
  }

  /** @returns where the member ends. */
  #readMember(offset: number): number {
    const start = offset + HEADER_BYTES;
    if (start > this.#bytes.byteLength) throw this.#malformed(offset, 'it ends in a header');
    if (this.#text(start - HEADER_END.length, start) !== HEADER_END)
      throw this.#malformed(offset, 'no header of a member is there');
    const sizeBytes = this.#decimal(offset + SIZE_AT, start - HEADER_END.length);
    const field = this.#bytes.toString('utf8', offset, offset + 16).trimEnd();
    const isSpecial = field === LONG_NAMES || INDEX_NAMES.has(field);
    const isElsewhere = this.#isThin && !isSpecial;
    const end = isElsewhere ? start : start + sizeBytes;
    if (end > this.#bytes.byteLength)
      throw this.#malformed(offset, `its ${sizeBytes} bytes go on after the end of the file`);
    const content = this.#bytes.subarray(start, end);
    if (field === LONG_NAMES) this.#longNames = content;
    else this.#addMember(field, offset, content, isElsewhere);
    return end;
  }

  #addMember(field: string, offset: number, content: Buffer, isElsewhere: boolean): void {
    const { name, nameBytes } = this.#nameOf(field, offset, content);
    const form = INDEX_NAMES.get(name);
    if (form) {
      this.#indexAt = offset;
      this.#index = this.#readIndex(content.subarray(nameBytes), form);
      return;
    }
    const { buffer, byteOffset, byteLength } = content.subarray(nameBytes);
    this.#members.set(offset, {
      name,
      offset,
      content: isElsewhere ? undefined : new Uint8Array(buffer, byteOffset, byteLength),
    });
  }

  /** @returns also how many bytes of the content it takes: BSD has long names there. */
  #nameOf(field: string, offset: number, content: Buffer): { name: string; nameBytes: number } {
    const bsd = /^#1\/(\d+)$/.exec(field)?.[1];
    if (bsd !== undefined) {
      const nameBytes = Number(bsd);
      if (nameBytes > content.byteLength) throw this.#malformed(offset, 'its name is longer than the member');
      return { name: content.toString('utf8', 0, nameBytes).replace(/\0+$/, ''), nameBytes };
    }
    const gnu = /^\/(\d+)(:\d+)?$/.exec(field);
    if (!gnu) return { name: INDEX_NAMES.has(field) ? field : field.replace(/\/$/, ''), nameBytes: 0 };
    const start = Number(gnu[1]);
    const end = this.#longNames?.indexOf('\n', start) ?? -1;
    if (end > start) this.#count(end - start, offset);
    const name = this.#longNames?.toString('utf8', start, end).replace(/\/$/, '');
    if (end < 0 || !name)
      throw this.#malformed(offset, `its name is at byte ${start} of the long names, where none is`);
    if (gnu[2] !== undefined)
      throw new LinkError(
        'unsupported',
        { graph: this.#name, offset },
        `its member ${name} is in an archive of its own; add that one`,
      );
    return { name, nameBytes: 0 };
  }

  #readIndex(content: Buffer, form: IndexForm): IndexEntry[] {
    const { numberBytes, order } = form;
    const outside = () => this.#malformed(this.#indexAt, 'the index is shorter than it says');
    const number = (at: number): number => {
      if (at + numberBytes > content.byteLength) throw outside();
      if (numberBytes === 4) return order === 'gnu' ? content.readUInt32BE(at) : content.readUInt32LE(at);
      // Rounded when it is 2^53 or more, and then beyond any file.
      return Number(order === 'gnu' ? content.readBigUInt64BE(at) : content.readBigUInt64LE(at));
    };
    const nameAt = (at: number): { name: string | undefined; end: number } => {
      const end = content.indexOf(0, at);
      if (at >= content.byteLength || end < 0) throw outside();
      this.#count(end - at, this.#indexAt);
      const bytes = content.subarray(at, end);
      // No code can ask for one that is not UTF-8.
      return { name: isUtf8(bytes) ? bytes.toString('utf8') : undefined, end };
    };
    const entries: IndexEntry[] = [];
    const add = (name: string | undefined, offset: number) => {
      if (name !== undefined) entries.push([name, offset]);
    };
    if (order === 'bsd') {
      const pairsBytes = number(0);
      const namesAt = numberBytes + pairsBytes + numberBytes;
      if (namesAt > content.byteLength) throw outside();
      for (let at = numberBytes; at < numberBytes + pairsBytes; at += 2 * numberBytes)
        add(nameAt(namesAt + number(at)).name, number(at + numberBytes));
      return entries;
    }
    const count = number(0);
    if (count > content.byteLength / numberBytes) throw outside();
    let at = numberBytes * (1 + count);
    for (let i = 0; i < count; i++) {
      const { name, end } = nameAt(at);
      add(name, number(numberBytes * (1 + i)));
      at = end + 1;
    }
    return entries;
  }

  #count(nameBytes: number, offset: number): void {
    this.#nameBytesLeft -= nameBytes;
    if (this.#nameBytesLeft < 0) throw this.#malformed(offset, 'its names overlap');
  }

  #decimal(start: number, end: number): number {
    const text = this.#text(start, end).trim();
    if (!/^\d+$/.test(text)) throw this.#malformed(start, `"${text}" is no size`);
    return Number(text);
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('latin1', start, end);
  }

  #malformed(offset: number, problem: string): LinkError {
    return new LinkError(
      'malformed-object',
      { graph: this.#name, offset },
      `malformed archive at byte ${offset}: ${problem}`,
    );
  }
}
