import type { SymbolRef } from './jit-dylib.js';
import { MaterializationUnit, NO_SOURCE } from './materialization-unit.js';
import type { SymbolFlags } from './symbol-flags.js';

/** Other names for symbols of this dylib or of others, whatever they mean when they are looked up: ORC's `reexports`. */
export class Reexports extends MaterializationUnit {
  readonly #targets: ReadonlyMap<string, SymbolRef>;

  /** @param flags of the new names. */
  constructor(targets: ReadonlyMap<string, SymbolRef>, flags: SymbolFlags) {
    super('reexports', NO_SOURCE, new Map([...targets.keys()].map((name) => [name, flags])));
    this.#targets = targets;
  }

  targetOf(name: string): SymbolRef | undefined {
    return this.#targets.get(name);
  }
}
