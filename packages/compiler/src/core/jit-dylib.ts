import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { isLocal, unitOfLocal } from '../jitlink/local-names.js';
import { MaterializationUnit, NO_SOURCE } from './materialization-unit.js';
import type { SymbolFlags } from './symbol-flags.js';
import { SymbolTable, type SymbolTableContext } from './symbol-table.js';

/** A name as its dylib means it: what stubs belong to, whatever defines it now. */
export interface SymbolRef {
  readonly dylib: JITDylib;
  readonly name: string;
}

/** Where a look-up has led. */
export interface FoundDefinition extends SymbolRef {
  /** Undefined where nobody defines the name: it is the process's, if anybody's. */
  readonly unit: MaterializationUnit | undefined;
  /** Names of reexports on the way there. */
  readonly through: readonly string[];
}

/** What generators need of the runner that is linked for: `RunnerContext` has it. */
export interface GeneratingRunner {
  /** It is gone, and whoever asked for it with it. */
  readonly lost: boolean;
  /** Addresses of those that its own process has. */
  lookupProcessSymbols(names: readonly string[]): Promise<ReadonlyMap<string, ExecutorAddr>>;
  /** Waits for an answer as long as the runner lives; rejects when it is lost. */
  answerOrLoss<T>(answer: Promise<T>): Promise<T>;
}

/** Supplies what a dylib lacks when it is looked for: ORC's `DefinitionGenerator`. */
export interface DefinitionGenerator {
  /** It is not asked for a name that is referred to weakly alone, which is null then: so linkers take members of archives. */
  readonly leavesWeak?: boolean;
  /** It is asked for what the process does not have either, and only by its own dylib. */
  readonly isLast?: boolean;
  /**
   * Is asked for names that nobody defines, when they are linked or looked up; again each time, as long as nobody does. It
   * may define some of them in `dylib`.
   * @returns the addresses in `runner` of those that it knows without defining them, for as long as that runner lives.
   */
  tryToGenerate(
    names: readonly string[],
    dylib: JITDylib,
    runner: GeneratingRunner,
  ): Promise<ReadonlyMap<string, ExecutorAddr>>;
}

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

/** A chain of reexports that is longer leads nowhere; a circle is. */
const MAX_REEXPORTS = 64;

const NO_REEXPORTS: readonly string[] = [];

/**
 * A symbol table that code is linked against: which unit defines a name now, and where else names are looked for.
 */
export class JITDylib extends SymbolTable<MaterializationUnit> {
  readonly name: string;
  /** Asked in turn for names that nobody defines. */
  readonly generators: DefinitionGenerator[] = [];
  readonly #linkOrder: JITDylib[] = [];

  /** Defined here, also those that others have taken all names from. */
  readonly #units = new Map<number, MaterializationUnit>();
  #revision = 0;

  constructor(name: string, context: SymbolTableContext<MaterializationUnit>) {
    super(context);
    this.name = name;
  }

  /** The name as it means something here, defined or not. */
  ref(name: string): SymbolRef {
    return { dylib: this, name };
  }

  /** Grows with every definition and removal. */
  get revision(): number {
    return this.#revision;
  }

  /** Dylibs whose exported names mean something here, after those of this one. */
  get linkOrder(): readonly JITDylib[] {
    return this.#linkOrder;
  }

  /** `ExecutionSession.addToLinkOrder` tells those it concerns. */
  addToLinkOrder(other: JITDylib): void {
    this.#revision++;
    this.#linkOrder.push(other);
  }

  /** What a name means from inside: this dylib's definition, else the first exported one of the link order. */
  lookup(name: string): FoundDefinition {
    const unit = this.find(name);
    // Mostly it is that, or there is nothing else.
    if (unit ? !(unit instanceof Reexports) : this.#linkOrder.length === 0)
      return { dylib: this, name, unit, through: NO_REEXPORTS };
    return this.#lookup(name, this, NO_REEXPORTS);
  }

  /** What a name means from outside, to which hidden names mean nothing. */
  lookupExported(name: string): FoundDefinition {
    return this.isHidden(name) ? { dylib: this, name, unit: undefined, through: [] } : this.lookup(name);
  }

  /** What defines a name, also one that only that unit has. */
  override find(name: string): MaterializationUnit | undefined {
    const unit = this.current.get(name);
    if (unit) return unit;
    const owner = unitOfLocal(name);
    return owner === undefined ? undefined : this.#units.get(owner);
  }

  /** The name whose stub is that of all names of a function: the first that means what this one does. */
  stubNameOf(name: string): string {
    const unit = this.find(name);
    if (!unit || unit.aliases.size === 0) return name;
    const names = unit.aliases.get(name);
    return names?.find((other) => this.find(other) === unit) ?? name;
  }

  isHidden(name: string): boolean {
    return isLocal(name) || this.find(name)?.symbols.get(name)?.scope === 'hidden';
  }

  override define(unit: MaterializationUnit): Set<MaterializationUnit> {
    const losers = super.define(unit);
    this.#units.set(unit.number, unit);
    this.#revision++;
    return losers;
  }

  override remove(unit: MaterializationUnit): string[] {
    this.#units.delete(unit.number);
    this.#revision++;
    return super.remove(unit);
  }

  /** @param asker the dylib that asks, which sees its own hidden names only. */
  #lookup(name: string, asker: JITDylib, through: readonly string[]): FoundDefinition {
    for (const dylib of [this, ...this.#linkOrder]) {
      const unit = dylib.find(name);
      if (!unit || (dylib !== asker && dylib.isHidden(name))) continue;
      const target = unit instanceof Reexports ? unit.targetOf(name) : undefined;
      if (!target) return { dylib, name, unit, through };
      if (through.length === MAX_REEXPORTS) break;
      return target.dylib.#lookup(target.name, dylib, [...through, name]);
    }
    return { dylib: this, name, unit: undefined, through };
  }
}
