import type { CallSignature } from '../calls/call-signature.js';
import { doubleSignature } from '../calls/callable.js';
import { type SymbolFlagsMap, strongSymbols } from '../core/symbol-flags.js';
import { SymbolTable } from '../core/symbol-table.js';
import type { FunctionAST, PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import { callees } from '../frontends/kaleidoscope/call-graph.js';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import type { VerifiedModule } from '../frontends/llvm/module-layer.js';
import type { ResourceTracker } from '../jit/jit-types.js';
import { STATELESS_FUNCTIONS } from './known-functions.js';

/** One thing that was added, and its trackers in the sessions that have it. */
interface Entry {
  /** What it takes the place of: an entry that replaces the same need not be replayed. */
  readonly replaces: string | undefined;
  readonly name: string;
  /** Every name that it may define. */
  readonly symbols: SymbolFlagsMap;
  /** Of a module's functions. */
  readonly signatures: ReadonlyMap<string, CallSignature> | undefined;
  readonly add: (jit: KaleidoscopeJIT) => ResourceTracker | undefined;
  readonly trackers: Map<KaleidoscopeJIT, ResourceTracker>;
  isRemoved: boolean;
}

/**
 * What a program has defined, in order: told to all sessions as it comes, and to one that joins later from the beginning.
 * Telling is synchronous, so all sessions know the same at any time.
 */
export class Definitions {
  #entries: Entry[] = [];
  readonly #prototypes = new Map<string, PrototypeAST>();
  readonly #functions = new Map<string, FunctionAST>();
  /** What defines a name now. */
  readonly #owners = new SymbolTable<Entry>({
    mayReplace: ({ replaces }) => replaces !== undefined,
    isPlaced: ({ trackers }, name) => [...trackers.keys()].some((jit) => jit.isPlaced(name)),
  });

  /** How a name is called: as a module defines it, or as it was declared last. */
  signatureOf(name: string): CallSignature | undefined {
    const signature = this.#owners.find(name)?.signatures?.get(name);
    const prototype = this.#prototypes.get(name);
    return signature ?? (prototype && doubleSignature(prototype.parameters.length));
  }

  /**
   * Whether a function may leave something behind in its process for others to find: it reaches a function that is not
   * Kaleidoscope's and not known to be harmless.
   */
  isStateful(fn: FunctionAST): boolean {
    const seen = new Set<string>();
    const queue = [fn];
    for (let next = queue.pop(); next; next = queue.pop())
      for (const callee of callees(next)) {
        if (seen.has(callee)) continue;
        seen.add(callee);
        const body = this.#functions.get(callee);
        if (body) queue.push(body);
        else if (this.#owners.find(callee) || !STATELESS_FUNCTIONS.has(callee)) return true;
      }
    return false;
  }

  /** @throws {LinkError} as `KaleidoscopeJIT.addFunctionAST`. */
  addFunction(fn: FunctionAST, sessions: Iterable<KaleidoscopeJIT>): ResourceTracker {
    const { name } = fn.prototype;
    const entry = newEntry(name, strongSymbols([name]), (jit) => jit.addFunctionAST(fn), `def ${name}`);
    const tracker = this.#add(entry, sessions, () => {
      if (this.#functions.get(name) !== fn) return;
      this.#functions.delete(name);
      this.#prototypes.delete(name);
    });
    this.#prototypes.set(name, fn.prototype);
    this.#functions.set(name, fn);
    return tracker;
  }

  /** @throws {LinkError} as `KaleidoscopeJIT.defineModule`. */
  addModule(module: VerifiedModule, sessions: Iterable<KaleidoscopeJIT>): ResourceTracker {
    const { name, defines } = module;
    const { symbols, signatures } = defines;
    const entry = newEntry(name, symbols, (jit) => jit.defineModule(module), undefined, signatures);
    return this.#add(entry, sessions, () => {});
  }

  addExtern(prototype: PrototypeAST, sessions: Iterable<KaleidoscopeJIT>): void {
    this.#prototypes.set(prototype.name, prototype);
    const add = (jit: KaleidoscopeJIT) => void jit.addExtern(prototype);
    this.#add(newEntry(prototype.name, new Map(), add, `extern ${prototype.name}`), sessions, () => {});
  }

  /** Tells a session that has just been opened all of it. */
  replay(jit: KaleidoscopeJIT): void {
    for (const entry of this.#entries) {
      tell(entry, jit);
      if (entry.isRemoved) removeFrom(entry, jit);
    }
  }

  /** A session has ended. */
  forget(jit: KaleidoscopeJIT): void {
    for (const entry of this.#entries) entry.trackers.delete(jit);
  }

  #add(entry: Entry, sessions: Iterable<KaleidoscopeJIT>, onRemove: () => void): ResourceTracker {
    this.#owners.define(entry);
    for (const jit of sessions) tell(entry, jit);
    this.#entries = this.#entries.filter(
      ({ replaces }) => replaces === undefined || replaces !== entry.replaces,
    );
    this.#entries.push(entry);
    return {
      names: [...entry.symbols.keys()],
      remove: () => {
        if (entry.isRemoved) return;
        entry.isRemoved = true;
        onRemove();
        this.#owners.remove(entry);
        for (const jit of [...entry.trackers.keys()]) removeFrom(entry, jit);
        // A definition of the same names that it stood before may not come back in a session that joins later.
        const hides = this.#entries.some(
          (other) =>
            other !== entry && [...other.symbols.keys()].some((defined) => entry.symbols.has(defined)),
        );
        if (!hides) this.#entries = this.#entries.filter((other) => other !== entry);
      },
    };
  }
}

function newEntry(
  name: string,
  symbols: SymbolFlagsMap,
  add: Entry['add'],
  replaces: string | undefined,
  signatures?: Entry['signatures'],
): Entry {
  return { name, symbols, add, replaces, signatures, trackers: new Map(), isRemoved: false };
}

function tell(entry: Entry, jit: KaleidoscopeJIT): void {
  const tracker = entry.add(jit);
  if (tracker) entry.trackers.set(jit, tracker);
}

function removeFrom(entry: Entry, jit: KaleidoscopeJIT): void {
  entry.trackers.get(jit)?.remove();
  entry.trackers.delete(jit);
}
