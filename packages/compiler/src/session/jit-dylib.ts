import type { MaterializationUnit } from './materialization-unit.js';
import { SymbolTable } from './symbol-table.js';

/**
 * A session's symbol table: which unit defines a name now, and who was compiled while nobody did, when the name
 * meant a function of the process.
 */
export class JITDylib extends SymbolTable<MaterializationUnit> {
  readonly #processCallers = new Map<string, Set<MaterializationUnit>>();

  #revision = 0;

  /** Grows with every definition and removal. */
  get revision(): number {
    return this.#revision;
  }

  /** The unit that defines a name, for those outside, to whom hidden names mean nothing. */
  findExported(name: string): MaterializationUnit | undefined {
    const unit = this.find(name);
    return unit?.symbols.get(name)?.scope === 'exported' ? unit : undefined;
  }

  override define(unit: MaterializationUnit): Set<MaterializationUnit> {
    const losers = super.define(unit);
    this.#revision++;
    return losers;
  }

  override remove(unit: MaterializationUnit): string[] {
    this.#revision++;
    return super.remove(unit);
  }

  /** Remembers which names mean a function of the process while `unit` is compiled, which begins now. */
  noteCompiling(unit: MaterializationUnit): void {
    for (const name of unit.callees) {
      if (this.find(name)) continue;
      const callers = this.#processCallers.get(name) ?? new Set();
      this.#processCallers.set(name, callers.add(unit));
    }
  }

  /** Forgets what `noteCompiling` remembered: the unit's object is given up. */
  noteForgotten(unit: MaterializationUnit): void {
    for (const name of unit.callees) {
      const callers = this.#processCallers.get(name);
      callers?.delete(unit);
      if (callers?.size === 0) this.#processCallers.delete(name);
    }
  }

  /** Units whose objects were made for a function of the process called `name`. */
  processCallers(name: string): MaterializationUnit[] {
    return [...(this.#processCallers.get(name) ?? [])];
  }
}
