/** What of a name's meaning something was made from. */
export type Aspect =
  /** That nobody defines it, so that it is the process's: LLVM may know that one by heart. */
  | 'absence'
  /** How many parameters it takes. */
  | 'signature'
  /** All that its definition says, which may have been inlined. */
  | 'body';

/** Something that was made from what names meant then. */
export interface Assumption {
  /** Whose it is. */
  readonly owner: object;
  readonly aspect: Aspect;
  readonly names: Iterable<string>;
  /** Whether it cannot be given up over that name now: what has been made has a state, which others would lose. */
  isFixed?(name: string): boolean;
  /** Whether what was made goes on as it is, and its owner relies on all that it relied on: it has a state. */
  outlives?(): boolean;
  /** One of the names has changed: what was made is of no use any more. */
  giveUp(changed: string): void;
}

/**
 * Who relied on what a name means: one index for objects, optimised objects and loops. A name stands for all dylibs, so that
 * too much may be given up, never too little. (Who is bound to an address belongs to a runner, and goes with it.)
 */
export class Assumptions {
  readonly #byName = new Map<string, Map<object, Assumption[]>>();
  readonly #namesOf = new Map<object, Set<string>>();

  /** Adds to what the owner has assumed already. */
  assume(assumption: Assumption): void {
    const { owner, names } = assumption;
    let known = this.#namesOf.get(owner);
    for (const name of names) {
      if (!known) {
        known = new Set();
        this.#namesOf.set(owner, known);
      }
      known.add(name);
      let owners = this.#byName.get(name);
      if (!owners) {
        owners = new Map();
        this.#byName.set(name, owners);
      }
      const assumed = owners.get(owner);
      if (assumed) assumed.push(assumption);
      else owners.set(owner, [assumption]);
    }
  }

  /** Whether anybody relies on what a name means. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Owners that cannot give up what they have made of a name. */
  fixedOn(name: string, aspect: Aspect): object[] {
    const owners = [...(this.#byName.get(name) ?? [])];
    return owners.flatMap(([owner, assumed]) =>
      assumed.some((each) => each.aspect === aspect && each.isFixed?.(name)) ? owner : [],
    );
  }

  /** What the owner has assumed concerns nobody any more. */
  release(owner: object): void {
    const names = this.#namesOf.get(owner);
    if (!names) return;
    for (const name of names) {
      const owners = this.#byName.get(name);
      owners?.delete(owner);
      if (owners?.size === 0) this.#byName.delete(name);
    }
    this.#namesOf.delete(owner);
  }

  /** Has all given up that relied on one of these aspects of a name. */
  changed(name: string, ...aspects: readonly Aspect[]): void {
    const owners = this.#byName.get(name);
    if (!owners) return;
    for (const owner of [...owners.keys()]) {
      // One that gave up may have released others.
      const assumed = this.#byName.get(name)?.get(owner);
      const assumption = assumed?.find(({ aspect }) => aspects.includes(aspect));
      if (!assumption || assumption.outlives?.()) continue;
      this.release(owner);
      assumption.giveUp(name);
    }
  }
}
