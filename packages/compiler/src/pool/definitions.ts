import type { CallSignature } from '../calls/call-signature.js';
import { type Definer, SymbolTable } from '../core/symbol-table.js';
import type { JIT } from '../jit/jit.js';
import type { ResourceTracker } from '../jit/jit-types.js';
import { resourceTracker } from '../jit/resource-tracker.js';

/** Something that a program defines, or says of a name, in every session. */
export interface Definition<Session extends JIT> extends Definer {
  /** What it takes the place of: a session that joins later is told only the last definition that replaces the same. */
  readonly replaces?: string;
  /** How those of its functions are called of which that is known. */
  readonly signatures?: ReadonlyMap<string, CallSignature>;
  /** Whether it is a function in JavaScript, which runs in this process whatever becomes of who has called it. */
  readonly isInJavaScript?: boolean;
  /** The functions that it calls, where it calls no others. */
  readonly callees?: readonly string[];
  /** Names of others' that it refers to, where it is not known what it does with them. */
  readonly declares?: ReadonlySet<string>;
  /** It has assembly, which may refer to more. */
  readonly hasAssembly?: boolean;
  /** Tells a session. */
  add(session: Session): ResourceTracker | undefined;
  /** It is removed, as no session knows yet. */
  onRemove?(): void;
}

/** A definition, and its trackers in the sessions that have it. */
interface Entry<Session extends JIT> extends Definer {
  readonly definition: Definition<Session>;
  readonly trackers: Map<Session, ResourceTracker>;
  isRemoved: boolean;
}

/**
 * What a program has defined, in order: told to all sessions as it comes, and to one that joins later from the beginning.
 * Telling is synchronous, so all sessions know the same at any time.
 */
export class Definitions<Session extends JIT> {
  readonly #sessions: () => Iterable<Session>;
  #entries: Entry<Session>[] = [];
  /** What defines a name now. */
  readonly #owners = new SymbolTable<Entry<Session>>({
    mayReplace: ({ definition }) => definition.replaces !== undefined,
    isPlaced: ({ trackers }, name) => [...trackers.keys()].some((session) => session.isPlaced(name)),
  });

  /** @param sessions those there are. */
  constructor(sessions: () => Iterable<Session>) {
    this.#sessions = sessions;
  }

  /** Whether anything that was added defines a name. */
  defines(name: string): boolean {
    return this.#owners.find(name) !== undefined;
  }

  /** What defines a name now. */
  find(name: string): Definition<Session> | undefined {
    return this.#owners.find(name)?.definition;
  }

  /** All that have not been removed, in order. */
  *all(): Generator<Definition<Session>> {
    for (const { definition, isRemoved } of this.#entries) if (!isRemoved) yield definition;
  }

  /** Names of functions in JavaScript. */
  get namesInJavaScript(): readonly string[] {
    return [...this.all()]
      .filter(({ isInJavaScript }) => isInJavaScript)
      .flatMap(({ symbols }) => [...symbols.keys()]);
  }

  /** How the function of a name is called, where what defines it says so. */
  signatureOf(name: string): CallSignature | undefined {
    return this.#owners.find(name)?.definition.signatures?.get(name);
  }

  /** @throws {LinkError} as `JIT.defineModule`, and then no session has been told. */
  add(definition: Definition<Session>): ResourceTracker {
    const { name, symbols, replaces } = definition;
    const entry: Entry<Session> = { name, symbols, definition, trackers: new Map(), isRemoved: false };
    this.#owners.define(entry);
    for (const session of this.#sessions()) tell(entry, session);
    this.#entries = this.#entries.filter(
      (other) => replaces === undefined || other.definition.replaces !== replaces,
    );
    this.#entries.push(entry);
    const names = [...symbols.keys()];
    return resourceTracker({
      names: () => names,
      remove: () => this.#remove(entry),
      checkRemovable: () => checkRemovable(entry),
    });
  }

  /** Tells a session that has just been opened all of it. */
  replay(session: Session): void {
    for (const entry of this.#entries) {
      tell(entry, session);
      if (entry.isRemoved) removeFrom(entry, session);
    }
  }

  /** A session has ended. */
  forget(session: Session): void {
    for (const entry of this.#entries) entry.trackers.delete(session);
  }

  #remove(entry: Entry<Session>): void {
    if (entry.isRemoved) return;
    // In all sessions or in none.
    checkRemovable(entry);
    entry.isRemoved = true;
    entry.definition.onRemove?.();
    this.#owners.remove(entry);
    for (const session of [...entry.trackers.keys()]) removeFrom(entry, session);
    // A definition of the same names that it stood before may not come back in a session that joins later.
    const hides = this.#entries.some(
      (other) => other !== entry && [...other.symbols.keys()].some((defined) => entry.symbols.has(defined)),
    );
    if (!hides) this.#entries = this.#entries.filter((other) => other !== entry);
  }
}

function tell<Session extends JIT>({ definition, trackers }: Entry<Session>, session: Session): void {
  const tracker = definition.add(session);
  if (tracker) trackers.set(session, tracker);
}

function checkRemovable<Session extends JIT>({ trackers }: Entry<Session>): void {
  for (const tracker of trackers.values()) tracker.checkRemovable();
}

function removeFrom<Session extends JIT>({ trackers }: Entry<Session>, session: Session): void {
  trackers.get(session)?.remove();
  trackers.delete(session);
}
