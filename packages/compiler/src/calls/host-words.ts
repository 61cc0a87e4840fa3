import type { ScalarKind } from './call-signature.js';
import { CODECS, mismatch, type ScalarValue } from './scalars.js';

const WORD_BYTES = 8;
/** Of those with a sign that are narrower than a word. */
const SIGNED_BITS: Readonly<Partial<Record<ScalarKind, number>>> = { i8: 8, i16: 16, i32: 32 };

/** The values of words that hold values of these kinds, and nothing else. */
export function readWords(kinds: readonly ScalarKind[], words: readonly bigint[]): ScalarValue[] {
  const view = new DataView(new ArrayBuffer(WORD_BYTES));
  return kinds.map((kind, index) => {
    view.setBigUint64(0, words[index] ?? 0n, true);
    return CODECS[kind].read(view, 0);
  });
}

/** What is wrong with a result, as the end of a sentence that begins with "it has returned"; undefined when nothing is. */
export function wrongResult(kind: ScalarKind | 'void', value: unknown): string | undefined {
  if (kind === 'void') return undefined;
  return mismatch(kind, scalarOf(kind, value));
}

/** A result as a word, 0 for `void`: what `wrongResult` has nothing against. */
export function writeWord(kind: ScalarKind | 'void', value: unknown): bigint {
  if (kind === 'void') return 0n;
  const view = new DataView(new ArrayBuffer(WORD_BYTES));
  CODECS[kind].write(view, 0, scalarOf(kind, value) as ScalarValue);
  const bits = SIGNED_BITS[kind];
  if (bits !== undefined) view.setBigInt64(0, BigInt.asIntN(bits, view.getBigInt64(0, true)), true);
  return view.getBigUint64(0, true);
}

function scalarOf(kind: ScalarKind, value: unknown): unknown {
  if (kind === 'i1' && typeof value === 'boolean') return value ? 1 : 0;
  return kind === 'ptr' && value === null ? 0n : value;
}
