import type { CacheEvent, StoreKind } from '../observe/events.js';
import { DirectoryStore } from './directory-store.js';
import { type LazyContent, MemoryCache } from './memory-cache.js';
import { nameOf } from './object-name.js';
import type { ObjectStore } from './object-store.js';
import type { SharedObjects } from './shared-objects.js';
import type { StoreKey } from './store-key.js';

/** Objects kept in memory besides those in use. */
const MEMORY_CACHE_BYTES = 16 * 1024 * 1024;

/** Where objects are that compilers share, whoever has made them. */
export interface SharedStorePlace {
  /** Of what may be found there. */
  readonly key: StoreKey;
  /** A directory; without one, the session's executor holds them. */
  readonly directory?: string | undefined;
  /** Of the directory. */
  readonly maxBytes?: number | undefined;
}

/** How a cache works. */
export interface ObjectCacheOptions {
  /** Where objects of this user's outlive the process; without it they are kept in memory only. */
  readonly directory?: string | undefined;
  /** Of that directory. */
  readonly maxBytes?: number | undefined;
  /** What is in memory, when it is there for other sessions too. */
  readonly shared?: SharedObjects | undefined;
  /** What other compilers find, and have made. */
  readonly store?: SharedStorePlace | undefined;
}

/**
 * Objects by a key that says all they depend on: in memory, in a directory of this user's, and in a store that compilers share. Nothing
 * that goes wrong there is an error: there is then less in the cache.
 */
export class ObjectCache {
  readonly #said: CacheEvent[] = [];
  #listener: ((event: CacheEvent) => void) | undefined;
  readonly #memory: MemoryCache;
  readonly #shared: SharedObjects | undefined;
  readonly #stores: ObjectStore[] = [];
  /** What is in memory because it was read ahead, and from where. */
  readonly #prefetched = new Map<string, StoreKind>();
  /** Names of what must not be found again. */
  readonly #dropped = new Set<string>();

  constructor({ directory, maxBytes, shared, store }: ObjectCacheOptions = {}) {
    this.#shared = shared;
    this.#memory = shared?.memory ?? new MemoryCache(MEMORY_CACHE_BYTES);
    const notify = (event: CacheEvent) => this.#notify(event);
    if (directory !== undefined) this.#stores.push(new DirectoryStore({ directory, maxBytes }, notify));
    if (store?.directory !== undefined)
      this.#stores.push(new DirectoryStore({ ...store, directory: store.directory }, notify));
  }

  /** Finds objects there too from now on, as do the sessions that share what is in memory, and keeps them. */
  async addStore(open: (notify: (event: CacheEvent) => void) => Promise<ObjectStore>): Promise<void> {
    const store = await open((event) => this.#notify(event));
    this.#stores.push(store);
    this.#shared?.stores.add(store);
  }

  /** Its own, and those of the sessions that share what is in memory. */
  #all(): readonly ObjectStore[] {
    if (!this.#shared || this.#shared.stores.size === 0) return this.#stores;
    return [...new Set([...this.#stores, ...this.#shared.stores])];
  }

  /** Tells `listener` all there is to say, from the beginning. */
  listen(listener: (event: CacheEvent) => void): void {
    this.#listener = listener;
    for (const event of this.#said.splice(0)) listener(event);
  }

  /**
   * What `decode` makes of the content that was added under `key`, here or by whoever else may.
   * Content that it refuses is damaged, like content that is not what was stored.
   */
  find<Result>(key: Uint8Array, unit: string, decode: (content: Uint8Array) => Result): Result | undefined {
    const name = nameOf(key);
    const inMemory = this.#memory.get(name);
    const stored = inMemory ? undefined : this.#findStored(key);
    const content = inMemory ?? stored?.content;
    try {
      const result = content && decode(content);
      if (content && result !== undefined) {
        if (!inMemory) this.#memory.set(name, content);
        const from = stored?.kind ?? this.#prefetched.get(name) ?? 'memory';
        this.#prefetched.delete(name);
        this.#notify({ type: 'cache-hit', unit, from, objectBytes: content.byteLength });
        return result;
      }
    } catch {
      this.drop(key);
    }
    this.#notify({ type: 'cache-miss', unit });
    return undefined;
  }

  /** Whether a store has to be asked for what it has. */
  get asks(): boolean {
    return this.#all().some((store) => store.fetch);
  }

  /**
   * Settles when it is worth looking again for content under a key: a store that has to be asked may have it. Undefined when none has.
   * @param along keys of what is wanted if this is.
   */
  fetch(key: Uint8Array, along: readonly Uint8Array[] = []): Promise<void> | undefined {
    const name = nameOf(key);
    if (this.#dropped.has(name) || this.#memory.has(name)) return undefined;
    for (const store of this.#all()) {
      const fetched = store.fetch?.(key, along);
      if (fetched) return fetched;
    }
    return undefined;
  }

  /** Whether a store that has to be asked says that it has content under a key. */
  isStored(key: Uint8Array): boolean {
    return this.#all().some((store) => store.fetch && store.has(key));
  }

  /** Gives up content that is not what its key says: it is not found again, and removed from where it was. */
  drop(key: Uint8Array): void {
    const name = nameOf(key);
    this.#memory.delete(name);
    this.#dropped.add(name);
    for (const store of this.#stores) store.drop(key);
    this.#notify({ type: 'cache-damaged', objectCount: 1 });
  }

  /** Reads what is kept under `key`, to be found in memory later. */
  prefetch(key: Uint8Array): Uint8Array | undefined {
    const stored = this.#findStored(key);
    if (!stored) return undefined;
    this.#memory.set(nameOf(key), stored.content);
    this.#prefetched.set(nameOf(key), stored.kind);
    return stored.content;
  }

  /** `content` must not change any more. */
  add(key: Uint8Array, content: Uint8Array): void {
    this.#memory.set(nameOf(key), content);
    for (const store of this.#stores) store.add(key, content);
  }

  /** Whether objects outlive the process, or other compilers find them. */
  get isKeptElsewhere(): boolean {
    return this.#stores.some(({ isUsable }) => isUsable);
  }

  /** Keeps in memory what need not be made before it is asked for. */
  addLazily(key: Uint8Array, content: LazyContent): void {
    this.#memory.set(nameOf(key), content);
  }

  /** Writes what waits. Never throws. */
  write(): void {
    for (const store of this.#stores) store.write();
  }

  /** Writes what waits, and ends. Never throws; what is to go to an executor has gone when it resolves. */
  close(): void | Promise<void> {
    for (const store of this.#stores) this.#shared?.stores.delete(store);
    const closing = this.#stores.splice(0).flatMap((store) => store.close() ?? []);
    return closing.length === 0 ? undefined : Promise.all(closing).then(() => undefined);
  }

  /** What this user has kept and others have not is given to them, too. */
  #findStored(key: Uint8Array): { readonly content: Uint8Array; readonly kind: StoreKind } | undefined {
    if (this.#dropped.has(nameOf(key))) return undefined;
    for (const store of this.#all()) {
      const { kind } = store;
      const content = store.find(key);
      if (!content) continue;
      for (const other of this.#stores)
        if (other !== store && other.kind !== 'disk' && !other.has(key)) other.add(key, content);
      return { content, kind };
    }
    return undefined;
  }

  #notify(event: CacheEvent): void {
    if (this.#listener) this.#listener(event);
    else this.#said.push(event);
  }
}
