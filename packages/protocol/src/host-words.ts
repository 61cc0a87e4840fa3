import type { HostKind } from './messages/host-functions.js';

/** Bits of the integers that are narrower than a word, negative for those with a sign. */
const NARROW: Readonly<Partial<Record<HostKind, number>>> = {
  i1: 1,
  i8: -8,
  u8: 8,
  i16: -16,
  u16: 16,
  i32: -32,
  u32: 32,
  float: 32,
};

/** Whether a word holds a value of a kind, and nothing else. */
export function isOfKind(kind: HostKind, word: bigint): boolean {
  const bits = NARROW[kind];
  if (bits === undefined) return true;
  if (bits > 0) return word >> BigInt(bits) === 0n;
  return BigInt.asUintN(64, BigInt.asIntN(-bits, word)) === word;
}

/** What is wrong with the words of a call's arguments, as the end of a sentence; undefined when nothing is. */
export function wrongWords(kinds: readonly HostKind[], words: readonly bigint[]): string | undefined {
  if (words.length !== kinds.length)
    return `passes ${words.length} arguments to a function of ${kinds.length}`;
  const wrong = words.findIndex((word, index) => !isOfKind(kinds[index] ?? 'u64', word));
  return wrong < 0 ? undefined : `passes what is no ${kinds[wrong]} as argument ${wrong + 1}`;
}
