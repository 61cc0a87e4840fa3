import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { MaterializationUnit, NO_SOURCE } from './materialization-unit.js';
import { DATA, FUNCTION } from './symbol-flags.js';

/** A name for an address of the executor. */
export interface AbsoluteSymbol {
  readonly address: ExecutorAddr;
  /** Whether code is there. */
  readonly callable: boolean;
}

/** Names for addresses, which are bound as they are and never compiled: ORC's `absoluteSymbols`. */
export class AbsoluteSymbols extends MaterializationUnit {
  readonly #symbols: ReadonlyMap<string, AbsoluteSymbol>;

  constructor(symbols: ReadonlyMap<string, AbsoluteSymbol>) {
    const flags = [...symbols].map(([name, { callable }]) => [name, callable ? FUNCTION : DATA] as const);
    super('absolute symbols', NO_SOURCE, new Map(flags));
    this.#symbols = symbols;
  }

  addressOf(name: string): ExecutorAddr | undefined {
    return this.#symbols.get(name)?.address;
  }
}
