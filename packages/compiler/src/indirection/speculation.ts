/** Most functions one callback compiles: beyond this a module's cost per function no longer falls. */
export const MAX_BATCH_FUNCTIONS = 64;

/** Functions linked ahead before anything is known: those of a small program, some 50 µs and 600 bytes each. */
export const LINK_AHEAD_FUNCTIONS = 64;
/** Most functions one callback links ahead, so that its answer is not long in coming. */
export const MAX_LINKED_AHEAD = 256;

/** Stands for callers that are no functions; no function has an empty name. */
const OUTSIDE = '';

/** `off`: only what is called. `auto`: bounded by what has proved true. `eager`: all that can be reached. */
export type SpeculationMode = 'off' | 'auto' | 'eager';

/** The call graph as the speculator sees it. */
export interface SpeculationGraph {
  /** Functions a function calls, in the order they are reached; empty when that is not known. */
  calleesOf(name: string): readonly string[];
  /** Whether a function can be compiled and has not been. */
  isCandidate(name: string): boolean;
}

/**
 * Chooses what to compile besides the function that was asked for.
 *
 * The rule: as many guesses may be open as functions are known to have been called. A guess is open until a callback
 * comes from it: a function is asked for whose only possible callers, among those compiled, include exactly one that
 * was guessed. So a chain is followed in batches that double, a program that goes elsewhere than guessed stops the
 * guessing, and at no time has more been compiled in vain than has been called.
 */
export class Speculator {
  readonly #mode: SpeculationMode;
  readonly #graph: SpeculationGraph;
  /** Functions that are known to have run. */
  readonly #called = new Set<string>();
  /** Guesses nothing is known of yet. */
  readonly #open = new Set<string>();
  /** Functions linked ahead that nothing is known of yet. They cost no compilation, so they are not guesses. */
  readonly #openAhead = new Set<string>();
  /** Who calls a function, among those that have been compiled. */
  readonly #compiledCallers = new Map<string, Set<string>>();

  constructor(mode: SpeculationMode, graph: SpeculationGraph) {
    this.#mode = mode;
    this.#graph = graph;
  }

  /** Guesses that are not known to have been called: an upper bound of the waste. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Functions linked ahead that are not known to have been called. */
  get openAheadCount(): number {
    return this.#openAhead.size;
  }

  /**
   * A callback asked for `name`, so one of its callers runs; when only one can, that one has been called too, and so
   * on up.
   */
  noteCalled(name: string): void {
    for (let proven: string | undefined = name; proven !== undefined && !this.#called.has(proven); ) {
      this.#called.add(proven);
      this.#open.delete(proven);
      this.#openAhead.delete(proven);
      const callers: ReadonlySet<string> = this.#compiledCallers.get(proven) ?? new Set();
      const [only]: Iterable<string> = callers;
      proven = callers.size === 1 && only !== OUTSIDE ? only : undefined;
    }
  }

  /** `name` is about to be compiled. Answers what else to compile with it, nearest first. */
  choose(name: string): string[] {
    const chosen = this.#mode === 'off' ? [] : this.#reach(name, this.#room());
    for (const function_ of [name, ...chosen]) this.#noteCompiled(function_);
    for (const guess of chosen) this.#open.add(guess);
    return chosen;
  }

  /**
   * `name` has been found without compiling it. Answers what else can be, nearest first: an object that was kept was
   * asked for, or guessed, before. At most `LINK_AHEAD_FUNCTIONS` and two for each function called are linked in vain.
   * @param find whether a candidate is found too; asked about no more candidates than are answered and one more for
   *   each way that ends.
   */
  chooseFound(name: string, find: (name: string) => boolean): string[] {
    const proven = LINK_AHEAD_FUNCTIONS + 2 * this.#called.size - this.#openAhead.size;
    const room = this.#mode === 'eager' ? MAX_LINKED_AHEAD : Math.min(MAX_LINKED_AHEAD, proven);
    const chosen = this.#mode === 'off' ? [] : this.#reach(name, Math.max(0, room), find);
    for (const function_ of [name, ...chosen]) this.#noteCompiled(function_);
    for (const function_ of chosen) this.#openAhead.add(function_);
    return chosen;
  }

  /** A guess need not be compiled: it has been found. */
  noteFound(name: string): void {
    if (this.#open.delete(name)) this.#openAhead.add(name);
  }

  /** `name` can be called by something that is no function: an expression, or a caller from outside. */
  noteReachable(name: string): void {
    this.#noteCaller(name, OUTSIDE);
  }

  /** A definition with these callees was given up, or not compiled after all: what was known of it does not hold. */
  forget(name: string, callees: readonly string[]): void {
    this.#called.delete(name);
    this.#open.delete(name);
    this.#openAhead.delete(name);
    this.#compiledCallers.delete(name);
    for (const callee of callees) {
      const callers = this.#compiledCallers.get(callee);
      callers?.delete(name);
      if (callers?.size === 0) this.#compiledCallers.delete(callee);
    }
  }

  #room(): number {
    const proven = this.#mode === 'eager' ? Number.POSITIVE_INFINITY : this.#called.size - this.#open.size;
    return Math.max(0, Math.min(MAX_BATCH_FUNCTIONS - 1, proven));
  }

  /** Candidates in breadth-first order from `name`, past none that is not `wanted`. */
  #reach(name: string, limit: number, wanted: (name: string) => boolean = () => true): string[] {
    const found: string[] = [];
    const seen = new Set([name]);
    const queue = [name];
    for (let head = 0; head < queue.length && found.length < limit; head++) {
      for (const callee of this.#graph.calleesOf(queue[head] ?? '')) {
        if (seen.has(callee)) continue;
        seen.add(callee);
        if (!this.#graph.isCandidate(callee) || !wanted(callee)) continue;
        found.push(callee);
        queue.push(callee);
        if (found.length === limit) break;
      }
    }
    return found;
  }

  #noteCompiled(name: string): void {
    for (const callee of this.#graph.calleesOf(name)) this.#noteCaller(callee, name);
  }

  #noteCaller(callee: string, caller: string): void {
    const callers = this.#compiledCallers.get(callee) ?? new Set();
    this.#compiledCallers.set(callee, callers.add(caller));
  }
}
