import type { MaterializationUnit } from './materialization-unit.js';

/**
 * The session's symbol table: which unit defines a name now, and who was compiled while nobody did, when the name
 * meant a function of the process.
 */
export class JITDylib {
  readonly #definitions = new Map<string, MaterializationUnit>();
  readonly #processCallers = new Map<string, Set<MaterializationUnit>>();

  #revision = 0;

  /** Grows with every definition and removal. */
  get revision(): number {
    return this.#revision;
  }

  find(name: string): MaterializationUnit | undefined {
    return this.#definitions.get(name);
  }

  /** The names of `unit` that it is still the definition of. */
  currentNames(unit: MaterializationUnit): string[] {
    return [...unit.interface.functions, ...unit.interface.data].filter((name) => this.find(name) === unit);
  }

  /** Makes `unit` the definition of its names. @returns units that defined any of them before. */
  define(unit: MaterializationUnit): MaterializationUnit[] {
    this.#revision++;
    const replaced = new Set<MaterializationUnit>();
    for (const name of [...unit.interface.functions, ...unit.interface.data]) {
      const before = this.#definitions.get(name);
      if (before) replaced.add(before);
      this.#definitions.set(name, unit);
    }
    return [...replaced];
  }

  /** @returns the names that are defined no more. */
  remove(unit: MaterializationUnit): string[] {
    this.#revision++;
    const names = this.currentNames(unit);
    for (const name of names) this.#definitions.delete(name);
    return names;
  }

  entries(): IterableIterator<[string, MaterializationUnit]> {
    return this.#definitions.entries();
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
