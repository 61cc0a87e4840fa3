import { LinkError } from '@farjit/compiler';
import { type Archive, readArchive } from '#compiler/src/frontends/llvm/archive.js';
import { bitcodeFiles, objects } from '../corpus.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { mustBePrintable } from './decoder.js';

const MAGIC = { plain: '!<arch>\n', thin: '!<thin>\n' } as const;
const HEADER_BYTES = 60;
/** Members say nothing more when they are larger. */
const MAX_CONTENT_BYTES = 300;
/** What fields of numbers, and names, are overwritten with. */
const FIELDS = ['0', '1', '59', '60', '61', '999', '9999999999', '-1', '0x10', '', ' 7', '4294967296'];
const NAMES = [
  '/',
  '//',
  '/0',
  '/3',
  '/99',
  '/0:8',
  '/SYM64/',
  '#1/0',
  '#1/8',
  '#1/9999',
  '__.SYMDEF',
  'a.o/',
  '',
];

/** The reader of archives: short and long names, GNU's and BSD's, indexes of each form, thin ones. */
export const archive: TargetFactory = {
  name: 'archive',
  longInputs: 1_000_000,
  shortInputs: 2000,
  create: ({ planted = false } = {}) => new ArchiveTarget(planted ? readCarelessly : readArchive),
};

class ArchiveTarget implements FuzzTarget {
  readonly name = 'archive';
  readonly stages = ['refused', 'read without an index', 'read'];
  readonly #contents = [...objects(), ...bitcodeFiles()].map((bytes) => bytes.subarray(0, MAX_CONTENT_BYTES));
  readonly #read: typeof readArchive;

  constructor(read: typeof readArchive) {
    this.#read = read;
  }

  generate(random: Random): Uint8Array {
    const archived = makeArchive(random, this.#contents);
    if (random.oneIn(3)) return archived;
    if (random.oneIn(6)) return mutateBytes(archived, random, { others: this.#contents });
    for (let count = 1 + random.below(3); count > 0; count--) changeHeader(archived, random);
    return archived;
  }

  run(input: Uint8Array): string {
    let read: ReturnType<typeof readArchive>;
    try {
      read = this.#read(input, 'fuzz.a');
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      mustBePrintable(error.message);
      const { graph, offset } = error.details;
      must(graph === 'fuzz.a', () => `an error of ${graph}`);
      must(offset !== undefined && offset <= input.byteLength, () => `an error at byte ${offset}`);
      return 'refused';
    }
    const { members, index } = read;
    let end = 0;
    for (const { offset, content } of members) {
      must(offset >= end && offset + HEADER_BYTES <= input.byteLength, () => `a member at byte ${offset}`);
      end = offset + HEADER_BYTES;
      if (!content) continue;
      const start = content.byteOffset - input.byteOffset;
      must(content.buffer === input.buffer && start >= end, () => `content at byte ${start}`);
      end = start + content.byteLength;
      must(end <= input.byteLength, () => `content up to byte ${end} of ${input.byteLength}`);
    }
    for (const [name, member] of index) must(members.includes(member), () => `"${name}" is of no member`);
    return index.size === 0 ? 'read without an index' : 'read';
  }
}

/** The planted bug: what fills the gap behind a member of an odd size is taken for its own. */
function readCarelessly(bytes: Uint8Array, name: string): Archive {
  const read = readArchive(bytes, name);
  const members = read.members.map((member) => {
    const { content } = member;
    if (!content || content.byteLength % 2 === 0) return member;
    const longer = new Uint8Array(content.buffer, content.byteOffset, content.byteLength + 1);
    return { ...member, content: longer };
  });
  return { ...read, members };
}

function makeArchive(random: Random, contents: readonly Uint8Array[]): Uint8Array {
  const isThin = random.oneIn(4);
  const members = Array.from({ length: random.below(4) }, (_, number) => ({
    name: random.oneIn(2) ? `m${number}.o/` : `/${12 * number}`,
    content: random.oneIn(4) ? new Uint8Array(8) : random.pick(contents),
  }));
  const longNames = Buffer.from(
    members.map((_, number) => `member-${number}.o/\n`.padStart(12, 'x')).join(''),
  );
  const isWide = random.oneIn(3);
  const order = random.oneIn(3) ? 'bsd' : 'gnu';
  const names = members.map((_, number) => `symbol${number}`);
  const makeIndex = (offsets: readonly number[]) => indexOf(names, offsets, order, isWide ? 8 : 4);
  const indexName = order === 'gnu' ? (isWide ? '/SYM64/' : '/') : isWide ? '__.SYMDEF_64' : '__.SYMDEF';
  const parts: Uint8Array[] = [Buffer.from(isThin ? MAGIC.thin : MAGIC.plain)];
  let at = 8;
  const add = (name: string, content: Uint8Array, isElsewhere: boolean) => {
    const stored = isElsewhere ? new Uint8Array() : content;
    const padding = stored.byteLength % 2 === 0 ? '' : '\n';
    parts.push(header(name, content.byteLength), stored, Buffer.from(padding));
    at += HEADER_BYTES + stored.byteLength + padding.length;
  };
  const hasIndex = random.oneIn(2);
  if (hasIndex) add(indexName, makeIndex(members.map(() => 0)), false);
  add('//', longNames, false);
  const offsets = members.map(({ name, content }) => {
    const offset = at;
    add(name, content, isThin);
    return offset;
  });
  if (hasIndex) parts[2] = makeIndex(offsets);
  return new Uint8Array(Buffer.concat(parts));
}

function header(name: string, sizeBytes: number): Buffer {
  return Buffer.from(
    `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'644'.padEnd(8)}${String(sizeBytes).padEnd(10)}\`\n`,
  );
}

function indexOf(
  names: readonly string[],
  offsets: readonly number[],
  order: 'gnu' | 'bsd',
  numberBytes: 4 | 8,
): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(numberBytes);
    if (numberBytes === 4) order === 'gnu' ? bytes.writeUInt32BE(value) : bytes.writeUInt32LE(value);
    else order === 'gnu' ? bytes.writeBigUInt64BE(BigInt(value)) : bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  };
  const text = Buffer.from(names.map((name) => `${name}\0`).join(''));
  if (order === 'gnu') return Buffer.concat([number(names.length), ...offsets.map(number), text]);
  const pairs = names.flatMap((_, i) => [number(8 * i), number(offsets[i] ?? 0)]);
  return Buffer.concat([number(2 * numberBytes * names.length), ...pairs, number(text.byteLength), text]);
}

/** Writes something else into the header of a member, or into what follows it. */
function changeHeader(bytes: Uint8Array, random: Random): void {
  const ends: number[] = [];
  for (let at = 8; at + HEADER_BYTES <= bytes.byteLength; at++)
    if (bytes[at + 58] === 0x60 && bytes[at + 59] === 0x0a) ends.push(at);
  if (ends.length === 0) return;
  const at = random.pick(ends);
  const write = (offset: number, text: string, width: number) =>
    bytes.set(Buffer.from(text.padEnd(width).slice(0, width)), at + offset);
  switch (random.below(4)) {
    case 0:
      return write(0, random.pick(NAMES), 16);
    case 1:
      return write(48, random.pick(FIELDS), 10);
    case 2:
      return write(random.below(58), String.fromCharCode(random.below(128)), 1);
    default: {
      const inside = at + HEADER_BYTES + random.below(24);
      if (inside < bytes.byteLength) bytes[inside] = random.below(256);
    }
  }
}
