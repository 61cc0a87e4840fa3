import { MemoryCache } from './memory-cache.js';
import { nameOf } from './object-name.js';
import type { ObjectStore } from './object-store.js';

/** Objects kept in memory for the sessions of a compiler: some 10,000 small functions. */
const SHARED_CACHE_BYTES = 64 * 1024 * 1024;

/**
 * What several sessions of one compiler share, so that each object is made once for all that have the same target: the
 * objects that are there, and which are being made. A key says the target, so objects for different ones lie side by side.
 */
export class SharedObjects {
  readonly memory: MemoryCache;
  /** Of sessions whose executors hold objects: each finds what any of them has. */
  readonly stores = new Set<ObjectStore>();
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(maxBytes: number = SHARED_CACHE_BYTES) {
    this.memory = new MemoryCache(maxBytes);
  }

  /**
   * Settles when the object under a key may be there: at once when it is, or when the session that makes it has ended
   * that, well or badly. Undefined when it is neither there nor being made.
   */
  elsewhere(key: Uint8Array): Promise<void> | undefined {
    const name = nameOf(key);
    return this.#underWay.get(name) ?? (this.memory.has(name) ? Promise.resolve() : undefined);
  }

  /** Runs `make`, which makes the objects under these keys and keeps them; other sessions that want them wait. */
  async claim<T>(keys: readonly Uint8Array[], make: () => Promise<T>): Promise<T> {
    const made = make();
    const ended = made.then(
      () => {},
      () => {},
    );
    const names = keys.map(nameOf);
    for (const name of names) this.#underWay.set(name, ended);
    try {
      return await made;
    } finally {
      for (const name of names) if (this.#underWay.get(name) === ended) this.#underWay.delete(name);
    }
  }
}
