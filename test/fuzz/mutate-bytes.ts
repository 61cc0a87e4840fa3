import type { Random } from './random.js';

const INTERESTING_BYTES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x20, 0x0a, 0x1b];
const INTERESTING_WORDS = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];

/**
 * Changes a few bytes: overwrites, inserts, removes, doubles, or takes over a piece of another input.
 * @param tokens byte sequences that mean something in the format.
 */
export function mutateBytes(
  input: Uint8Array,
  random: Random,
  options: { readonly tokens?: readonly Uint8Array[]; readonly others?: readonly Uint8Array[] } = {},
): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(input);
  for (let count = 1 + random.below(3); count > 0; count--) bytes = mutateOnce(bytes, random, options);
  return bytes;
}

function mutateOnce(
  bytes: Uint8Array,
  random: Random,
  {
    tokens = [],
    others = [],
  }: { readonly tokens?: readonly Uint8Array[]; readonly others?: readonly Uint8Array[] },
): Uint8Array {
  const at = random.below(bytes.byteLength + 1);
  const length = 1 + random.below(8);
  switch (random.below(9)) {
    case 0:
    case 1:
      if (at < bytes.byteLength) bytes[at] = random.pick(INTERESTING_BYTES);
      return bytes;
    case 2:
      if (at < bytes.byteLength) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 3:
      if (at + 4 <= bytes.byteLength)
        new DataView(bytes.buffer, bytes.byteOffset).setUint32(
          at,
          random.pick(INTERESTING_WORDS),
          random.oneIn(2),
        );
      return bytes;
    case 4:
      return splice(bytes, at, length, new Uint8Array());
    case 5:
      return splice(bytes, at, 0, bytes.slice(at, at + length));
    case 6:
      return splice(
        bytes,
        at,
        random.below(3),
        tokens.length > 0 ? random.pick(tokens) : Uint8Array.of(random.below(256)),
      );
    case 7: {
      if (others.length === 0) return bytes.slice(0, at);
      const other = random.pick(others);
      const from = random.below(other.byteLength);
      return splice(bytes, at, length, other.subarray(from, from + 1 + random.below(32)));
    }
    default:
      if (at < bytes.byteLength) bytes[at] = random.below(256);
      return bytes;
  }
}

function splice(bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  const end = Math.min(at + removed, bytes.byteLength);
  const result = new Uint8Array(at + inserted.byteLength + bytes.byteLength - end);
  result.set(bytes.subarray(0, at));
  result.set(inserted, at);
  result.set(bytes.subarray(end), at + inserted.byteLength);
  return result;
}
