import { objects } from '../corpus.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';

/** A number in an object. */
interface Field {
  readonly offset: number;
  readonly bytes: 1 | 2 | 4 | 8;
}

const EHDR: readonly Field[] = [
  ...[4, 5, 6].map((offset) => ({ offset, bytes: 1 }) as const),
  ...[16, 18, 52, 54, 56, 58, 60, 62].map((offset) => ({ offset, bytes: 2 }) as const),
  ...[24, 32, 40].map((offset) => ({ offset, bytes: 8 }) as const),
];
const SHDR: readonly Field[] = [
  ...[0, 4, 40, 44].map((offset) => ({ offset, bytes: 4 }) as const),
  ...[8, 16, 24, 32, 48, 56].map((offset) => ({ offset, bytes: 8 }) as const),
];
const SYM: readonly Field[] = [
  { offset: 0, bytes: 4 },
  { offset: 4, bytes: 1 },
  { offset: 5, bytes: 1 },
  { offset: 6, bytes: 2 },
  { offset: 8, bytes: 8 },
  { offset: 16, bytes: 8 },
];
const RELA: readonly Field[] = [
  { offset: 0, bytes: 8 },
  { offset: 8, bytes: 4 },
  { offset: 12, bytes: 4 },
  { offset: 16, bytes: 8 },
];
const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const SHT_GROUP = 17;

const VALUES = [
  0n,
  1n,
  2n,
  3n,
  4n,
  8n,
  23n,
  24n,
  63n,
  64n,
  0xfffn,
  0x1000n,
  0xff00n,
  0xfff1n,
  0xfff2n,
  0xffffn,
  2n ** 20n,
  2n ** 30n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** Makes objects: those of the corpus with numbers changed that mean something, and now and then any bytes. */
export class ElfInputs {
  readonly #objects = objects().map((bytes) => ({ bytes, fields: fieldsOf(bytes) }));

  make(random: Random): Uint8Array {
    const { bytes, fields } = random.pick(this.#objects);
    const mutant = bytes.slice();
    const view = new DataView(mutant.buffer);
    for (let count = 1 + random.below(4); count > 0; count--) {
      const group = random.pick(fields);
      change(view, random.pick(group), group, random);
    }
    if (random.oneIn(12))
      return mutateBytes(mutant, random, { others: this.#objects.map((other) => other.bytes) });
    return mutant;
  }
}

function change(view: DataView, field: Field, group: readonly Field[], random: Random): void {
  const before = read(view, field);
  const like = group.filter(({ bytes }) => bytes === field.bytes);
  let value: bigint;
  switch (random.below(5)) {
    case 0:
      value = before + random.pick([-1n, 1n, -8n, 8n, 64n, -64n]);
      break;
    case 1:
      value = read(view, random.pick(like));
      break;
    case 2:
      value = BigInt(random.below(view.byteLength + 16));
      break;
    case 3:
      value = before ^ (1n << BigInt(random.below(field.bytes * 8)));
      break;
    default:
      value = random.pick(VALUES);
  }
  write(view, field, value);
}

function read(view: DataView, { offset, bytes }: Field): bigint {
  if (bytes === 8) return view.getBigUint64(offset, true);
  if (bytes === 4) return BigInt(view.getUint32(offset, true));
  return BigInt(bytes === 2 ? view.getUint16(offset, true) : view.getUint8(offset));
}

function write(view: DataView, { offset, bytes }: Field, value: bigint): void {
  if (bytes === 8) return view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  const number = Number(BigInt.asUintN(bytes * 8, value));
  if (bytes === 4) view.setUint32(offset, number, true);
  else if (bytes === 2) view.setUint16(offset, number, true);
  else view.setUint8(offset, number);
}

/** Numbers of an object, in groups that are hit equally often: header, sections, symbols, relocations, contents. */
function fieldsOf(object: Uint8Array): readonly (readonly Field[])[] {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const table = Number(view.getBigUint64(40, true));
  const at = (start: number, fields: readonly Field[]) =>
    fields.map(({ offset, bytes }) => ({ offset: start + offset, bytes }));
  const sections: Field[] = [];
  const symbols: Field[] = [];
  const relocations: Field[] = [];
  const contents: Field[] = [];
  for (let index = 0; index < view.getUint16(60, true); index++) {
    const header = table + index * 64;
    sections.push(...at(header, SHDR));
    const type = view.getUint32(header + 4, true);
    const start = Number(view.getBigUint64(header + 24, true));
    const end = start + Number(view.getBigUint64(header + 32, true));
    if (type === SHT_SYMTAB)
      for (let entry = start; entry < end; entry += 24) symbols.push(...at(entry, SYM));
    else if (type === SHT_RELA)
      for (let entry = start; entry < end; entry += 24) relocations.push(...at(entry, RELA));
    else if (type === 1 || type === SHT_GROUP)
      for (let word = start; word + 4 <= end; word += 4) contents.push({ offset: word, bytes: 4 });
  }
  return [EHDR, sections, sections, symbols, relocations, contents].filter((fields) => fields.length > 0);
}
