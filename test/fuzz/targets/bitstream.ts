import { findBitstreamDamage } from '#compiler/src/llvm/bitstream.js';
import { bitcodeFiles } from '../corpus.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { mustBePrintable } from './decoder.js';

/** What is looked at in bitcode before LLVM reads it. */
export const bitstream: TargetFactory = {
  name: 'bitstream',
  longInputs: 1_000_000,
  shortInputs: 2000,
  create: ({ planted = false } = {}) => new Bitstream(planted ? findOnlyBadHeaders : findBitstreamDamage),
};

class Bitstream implements FuzzTarget {
  readonly name = 'bitstream';
  readonly stages = ['no bitcode', 'damaged', 'whole'];
  readonly #files = bitcodeFiles();
  readonly #find: (bitcode: Uint8Array) => string | undefined;

  constructor(find: (bitcode: Uint8Array) => string | undefined) {
    this.#find = find;
  }

  generate(random: Random): Uint8Array {
    const file = random.pick(this.#files);
    if (random.oneIn(3)) return mutateBytes(file, random, { others: this.#files });
    const mutant = file.slice(0, random.oneIn(2) ? undefined : random.below(file.byteLength));
    const view = new DataView(mutant.buffer);
    const words = mutant.byteLength >> 2;
    if (words > 1)
      view.setUint32(
        4 * (1 + random.below(words - 1)),
        random.pick([0, 1, 0xff, 0xffff_ffff, random.bits()]),
        true,
      );
    return mutant;
  }

  run(input: Uint8Array): string {
    const damage = this.#find(input);
    if (damage === undefined) {
      mustHoldWholeBlocks(input);
      return 'whole';
    }
    mustBePrintable(damage);
    return damage.includes('magic') ? 'no bitcode' : 'damaged';
  }
}

/** Blocks follow one another up to the end (a trailer of less than a header aside). */
function mustHoldWholeBlocks(input: Uint8Array): void {
  let view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (view.byteLength >= 20 && view.getUint32(0, true) === 0x0b17_c0de) {
    const start = Math.min(view.getUint32(8, true), view.byteLength);
    const length = Math.min(view.getUint32(12, true), view.byteLength - start);
    view = new DataView(input.buffer, input.byteOffset + start, length);
  }
  let at = 4;
  while (view.byteLength - at >= 8) at += 8 + 4 * view.getUint32(at + 4, true);
  must(at <= view.byteLength, () => `a block ends at ${at} of ${view.byteLength} bytes`);
}

/** The planted bug: a block's length is believed. */
function findOnlyBadHeaders(bitcode: Uint8Array): string | undefined {
  const damage = findBitstreamDamage(bitcode);
  return damage?.startsWith('it ends after') && damage.includes('in a block') ? undefined : damage;
}
