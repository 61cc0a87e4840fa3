import { LinkError } from '../jitlink/errors.js';
import { arbitrate, type SymbolFlagsMap } from './symbol-flags.js';

/** What defines names. */
export interface Definer {
  /** As errors call it. */
  readonly name: string;
  readonly symbols: SymbolFlagsMap;
}

/** What a table asks of those it serves. */
export interface SymbolTableContext<D extends Definer> {
  /** Whether it takes names from whatever has them, for good, as a redefinition does. */
  mayReplace(definer: D): boolean;
  /** Whether the data of that name has a place already, which others hold. */
  isPlaced(definer: D, name: string): boolean;
}

/**
 * Which of several definitions a name means. Strong ones take it from common ones, and those from weak ones; what gives way
 * comes back when the other is removed.
 */
export class SymbolTable<D extends Definer> {
  readonly #context: SymbolTableContext<D>;
  protected readonly current = new Map<string, D>();
  /** Those that gave way, in the order in which they came. */
  readonly #yielded = new Map<string, D[]>();

  constructor(context: SymbolTableContext<D>) {
    this.#context = context;
  }

  find(name: string): D | undefined {
    return this.current.get(name);
  }

  entries(): IterableIterator<[string, D]> {
    return this.current.entries();
  }

  /** The names that it is the definition of. */
  currentNames(definer: D): string[] {
    return [...definer.symbols.keys()].filter((name) => this.find(name) === definer);
  }

  /**
   * Adds definitions, and gives each its name if none keeps it.
   * @returns what lost a name to it.
   * @throws {LinkError} `duplicate-definition` when one of its names is taken, and then nothing has changed.
   */
  define(definer: D): Set<D> {
    const replaces = this.#context.mayReplace(definer);
    const taken = this.#takenBy(definer, replaces);
    const losers = new Set<D>();
    for (const name of taken) {
      const before = this.find(name);
      if (before && before !== definer) losers.add(before);
      if (replaces) this.#yielded.delete(name);
      else if (before) this.#addYielded(name, before);
      this.current.set(name, definer);
    }
    for (const name of definer.symbols.keys())
      if (this.find(name) !== definer) this.#addYielded(name, definer);
    return losers;
  }

  /** @returns the names that it was the definition of. Those that another gave way to it for are that one's again. */
  remove(definer: D): string[] {
    for (const name of definer.symbols.keys()) {
      const others = this.#yielded.get(name)?.filter((other) => other !== definer) ?? [];
      if (others.length > 0) this.#yielded.set(name, others);
      else this.#yielded.delete(name);
    }
    const names = this.currentNames(definer);
    for (const name of names) {
      const next = this.#yielded.get(name)?.reduce((best, other) => this.#better(name, best, other));
      if (!next) {
        this.current.delete(name);
        continue;
      }
      this.current.set(name, next);
      this.#yielded.set(name, this.#yielded.get(name)?.filter((other) => other !== next) ?? []);
    }
    return names;
  }

  #takenBy(definer: D, replaces: boolean): string[] {
    const taken: string[] = [];
    const refused: string[] = [];
    const owners = new Set<string>();
    const placed: string[] = [];
    for (const [name, flags] of definer.symbols) {
      const before = this.find(name);
      const known = before?.symbols.get(name);
      // No function stands in for data: others hold its address, and read what is there.
      const isFree = !known || (replaces && (known.callable || !flags.callable));
      const winner = isFree ? 'second' : arbitrate(known, flags);
      if (winner === 'first') continue;
      taken.push(name);
      if (!before) continue;
      const isDuplicate = winner === 'duplicate';
      if (!isDuplicate && (replaces || flags.callable || !this.#context.isPlaced(before, name))) continue;
      (isDuplicate ? refused : placed).push(name);
      owners.add(before.name);
    }
    const names = [...refused, ...placed];
    if (names.length === 0) return taken;
    const by = `by ${[...owners].join(', ')}`;
    const words =
      refused.length > 0
        ? `${refused.join(', ')} already defined ${by}; remove the other definition first`
        : `${placed.join(', ')} already in use as defined ${by}; add what takes its place before it is used`;
    throw new LinkError('duplicate-definition', { graph: definer.name, names }, words);
  }

  #better(name: string, first: D, second: D): D {
    const [a, b] = [first.symbols.get(name), second.symbols.get(name)];
    return a && b && arbitrate(a, b) === 'second' ? second : first;
  }

  #addYielded(name: string, definer: D): void {
    this.#yielded.set(name, [...(this.#yielded.get(name) ?? []), definer]);
  }
}
