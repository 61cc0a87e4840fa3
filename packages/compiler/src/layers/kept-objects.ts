import type { ObjectCache } from '../cache/object-cache.js';
import type { ObjectKeys } from '../cache/object-keys.js';
import { type ObjectSlice, readSlices, writeSlices } from './split-object.js';

/** What a small function's slice holds on to: its part of an object, and what remakes its graph. */
const ESTIMATED_BYTES = 4096;

/** The objects that layers find instead of compiling, and leave for others to find. */
export class KeptObjects {
  readonly #cache: ObjectCache;
  readonly #keys: ObjectKeys;
  #isUsable = true;

  constructor(cache: ObjectCache, keys: ObjectKeys) {
    this.#cache = cache;
    this.#keys = keys;
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
    return key && this.#cache.find(key, unit, readSlices);
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
