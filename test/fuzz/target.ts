import type { Random } from './random.js';

/** Something that reads hostile input, with what must hold whatever it is given. */
export interface FuzzTarget {
  readonly name: string;
  /**
   * How far an input may get, in order. The first is being refused by the first validator; a mutating fuzzer that
   * hardly gets past it tests little else.
   */
  readonly stages: readonly string[];
  /** Inputs are made of pieces of so many bytes, and made smaller by whole ones; 1 unless given. */
  readonly pieceBytes?: number;
  /** Runs that making a finding smaller may cost; thousands unless given. */
  readonly minimizeRuns?: number;
  /** An input: mostly a valid one of the corpus, mutated with a view to its structure. */
  generate(random: Random): Uint8Array;
  /**
   * Gives an input to what is tested.
   * @returns the stage it reached.
   * @throws whatever goes wrong: an exception that is not the typed error, or a broken invariant (`Violation`).
   */
  run(input: Uint8Array): string | Promise<string>;
  close?(): Promise<void>;
}

/** An invariant does not hold. */
export class Violation extends Error {
  override name = 'Violation';
}

export function must(condition: boolean, what: () => string): void {
  if (!condition) throw new Violation(what());
}

/** A corpus may be shared: every target makes its own from here. */
export interface TargetFactory {
  readonly name: string;
  /** Inputs of the long run and of the short one in `npm test`. */
  readonly longInputs: number;
  readonly shortInputs: number;
  /**
   * @param options.planted a variant of what is tested with a bug in it, which fuzzing has to find.
   */
  create(options?: { readonly planted?: boolean }): FuzzTarget | Promise<FuzzTarget>;
}
