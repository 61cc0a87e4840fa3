import { type ObjectSlice, readSlices, writeSlices } from '../jitlink/object-slice.js';
import type { ObjectCache } from './object-cache.js';
import { KeyEnvironmentError, type ObjectKeys } from './object-keys.js';
import { nameOf } from './object-name.js';
import type { SharedObjects } from './shared-objects.js';

/** What a small function's slice holds on to: its part of an object, and what remakes its graph. */
const ESTIMATED_BYTES = 4096;

/** Most keys remembered: what a program asks for later is compiled or linked while it runs. */
const MAX_ASKED = 1000;

/** The objects that layers find instead of compiling, and leave for others to find. */
export class KeptObjects {
  readonly #cache: ObjectCache;
  readonly #keys: ObjectKeys;
  readonly #ready: Map<string, readonly ObjectSlice[]>;
  readonly #shared: SharedObjects | undefined;
  readonly #asked = new Map<string, Uint8Array>();

  /**
   * @param options.ready what has been read ahead, by the names of keys.
   * @param options.shared where other sessions leave what they make, and say what they are making.
   */
  constructor(
    cache: ObjectCache,
    keys: ObjectKeys,
    {
      ready = new Map(),
      shared,
    }: {
      ready?: Map<string, readonly ObjectSlice[]>;
      shared?: SharedObjects | undefined;
    } = {},
  ) {
    this.#cache = cache;
    this.#keys = keys;
    this.#ready = ready;
    this.#shared = shared;
  }

  /** The first keys that objects were looked for under, in that order. */
  get askedFor(): readonly Uint8Array[] {
    return [...this.#asked.values()];
  }

  /**
   * The key that `make` makes; undefined when there is no libLLVM to make keys of: whoever compiles says why.
   * @throws what else `make` throws.
   */
  key(make: (keys: ObjectKeys) => Uint8Array): Uint8Array | undefined {
    try {
      return make(this.#keys);
    } catch (error) {
      if (!(error instanceof KeyEnvironmentError)) throw error;
      return undefined;
    }
  }

  find(key: Uint8Array | undefined, unit: string): readonly ObjectSlice[] | undefined {
    if (!key) return undefined;
    const name = nameOf(key);
    if (this.#asked.size < MAX_ASKED) this.#asked.set(name, key);
    const ready = this.#ready.get(name);
    // A graph can be taken once.
    this.#ready.delete(name);
    return this.#cache.find(key, unit, ready ? () => ready : readSlices);
  }

  /** What else than objects is kept. @param decode of what was kept; what it refuses is damaged. */
  findContent<T>(key: Uint8Array, unit: string, decode: (content: Uint8Array) => T): T | undefined {
    return this.#cache.find(key, unit, decode);
  }

  /** @param content stays as it is. */
  keepContent(key: Uint8Array, content: Uint8Array): void {
    this.#cache.add(key, content);
  }

  /** Gives up what was found under a key: it does not link, or does not define what it should. */
  drop(key: Uint8Array | undefined): void {
    if (key) this.#cache.drop(key);
  }

  /**
   * Settles when it is worth looking again for an object that was not there: another session has made it, or has ended
   * trying, or a store that compilers share has been asked for it. Undefined when it has to be made here.
   * @param along what a store is asked for in the same message, as far as it has it.
   */
  elsewhere(key: Uint8Array | undefined, along: readonly Uint8Array[] = []): Promise<void> | undefined {
    if (!key) return undefined;
    const made = this.#shared?.elsewhere(key);
    if (made || !this.#cache.asks) return made;
    // The lines that the object's functions come from are there when it is.
    return this.#cache.fetch(key, [this.#keys.ofLines(key), ...along]);
  }

  /** Whether there is an object that was not found because a store has to be asked for it. */
  isStored(key: Uint8Array | undefined): boolean {
    return key !== undefined && this.#cache.asks && this.#cache.isStored(key);
  }

  /** Runs `make`, which begins at once; other sessions that want objects under these keys wait for it. */
  claim<T>(keys: readonly (Uint8Array | undefined)[], make: () => Promise<T>): Promise<T> {
    const made = keys.filter((key) => key !== undefined);
    return this.#shared && made.length > 0 ? this.#shared.claim(made, make) : make();
  }

  /** @param slices no graph of which has been taken. */
  keep(key: Uint8Array | undefined, slices: readonly ObjectSlice[]): void {
    if (!key) return;
    // In memory, most are never asked for: writing them can wait, if need be for ever.
    if (!this.#cache.isKeptElsewhere) {
      const sizeBytes = ESTIMATED_BYTES * slices.length;
      this.#cache.addLazily(key, { sizeBytes, make: () => writeSlices(slices) });
      return;
    }
    const content = writeSlices(slices);
    if (content) this.#cache.add(key, content);
  }
}
