import { nameOf, type ObjectCache } from '../cache/object-cache.js';
import type { ObjectKeys } from '../cache/object-keys.js';
import { type ObjectSlice, readSlices, writeSlices } from './split-object.js';

/** What a small function's slice holds on to: its part of an object, and what remakes its graph. */
const ESTIMATED_BYTES = 4096;

/** Most keys remembered: what a program asks for later is compiled or linked while it runs. */
const MAX_ASKED = 1000;

/** The objects that layers find instead of compiling, and leave for others to find. */
export class KeptObjects {
  readonly #cache: ObjectCache;
  readonly #keys: ObjectKeys;
  readonly #ready: Map<string, readonly ObjectSlice[]>;
  readonly #asked = new Map<string, Uint8Array>();
  #isUsable = true;

  /** @param ready what has been read ahead, by the names of keys. */
  constructor(cache: ObjectCache, keys: ObjectKeys, ready: Map<string, readonly ObjectSlice[]> = new Map()) {
    this.#cache = cache;
    this.#keys = keys;
    this.#ready = ready;
  }

  /** The first keys that objects were looked for under, in that order. */
  get askedFor(): readonly Uint8Array[] {
    return [...this.#asked.values()];
  }

  /** The key that `make` makes; undefined when what all keys begin with cannot be found out: whoever compiles says why. */
  key(make: (keys: ObjectKeys) => Uint8Array): Uint8Array | undefined {
    if (!this.#isUsable) return undefined;
    try {
      return make(this.#keys);
    } catch {
      this.#isUsable = false;
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

  /** @param slices no graph of which has been taken. */
  keep(key: Uint8Array | undefined, slices: readonly ObjectSlice[]): void {
    if (!key) return;
    // In memory, most are never asked for: writing them can wait, if need be for ever.
    if (!this.#cache.isOnDisk) {
      const sizeBytes = ESTIMATED_BYTES * slices.length;
      this.#cache.addLazily(key, { sizeBytes, make: () => writeSlices(slices) });
      return;
    }
    const content = writeSlices(slices);
    if (content) this.#cache.add(key, content);
  }
}
