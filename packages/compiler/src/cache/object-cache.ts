import { FarJITError } from '@farjit/protocol/errors';
import { systemErrorWords } from '../files/system-error.js';
import type { CacheEvent } from '../observe/events.js';
import { CacheDirectory } from './cache-directory.js';
import { type LazyContent, MemoryCache } from './memory-cache.js';
import { nameOf } from './object-name.js';
import type { PackEntry } from './pack.js';
import type { PackReader } from './pack-reader.js';
import type { SharedObjects } from './shared-objects.js';

/** What a cache directory may hold unless told otherwise: some 300,000 small functions. */
const DEFAULT_CACHE_BYTES = 256 * 1024 * 1024;
/** Objects kept in memory besides those in use. */
const MEMORY_CACHE_BYTES = 16 * 1024 * 1024;
/** With more packs than this, the small ones are merged: each costs every later start an `open` and a `read`. */
export const MAX_PACKS = 16;
/** Most bytes merged at a time, which take about 10 ms. */
const MERGE_BYTES = 4 * 1024 * 1024;
/** Objects that wait to be written are written after so long, or when there are so many bytes of them, or at the end. */
const WRITE_DELAY_MS = 10_000;
const WRITE_BYTES = 4 * 1024 * 1024;

/** How a cache works. */
export interface ObjectCacheOptions {
  /** Where objects outlive the process; without it they are kept in memory only. */
  readonly directory?: string | undefined;
  /** `DEFAULT_CACHE_BYTES` unless given. */
  readonly maxBytes?: number | undefined;
  /** What is in memory, when it is there for other sessions too. */
  readonly shared?: SharedObjects | undefined;
}

/**
 * Objects by a key that says all they depend on, in memory and on disk. Nothing that goes wrong on disk is an error:
 * there is then less in the cache.
 */
export class ObjectCache {
  readonly #path: string | undefined;
  readonly #maxBytes: number;
  readonly #said: CacheEvent[] = [];
  #listener: ((event: CacheEvent) => void) | undefined;
  readonly #memory: MemoryCache;
  /** What is in memory because it was read ahead. */
  readonly #prefetched = new Set<string>();
  readonly #usedPacks = new Set<string>();
  readonly #damagedPacks = new Set<string>();
  /** Names of what is on disk and must not be found. */
  readonly #dropped = new Set<string>();
  #directory: CacheDirectory | undefined;
  /** Undefined before the directory is first needed. */
  #readers: PackReader[] | undefined;
  #waiting = new Map<string, PackEntry>();
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isUnusable = false;

  constructor({ directory, maxBytes = DEFAULT_CACHE_BYTES, shared }: ObjectCacheOptions = {}) {
    this.#path = directory;
    this.#maxBytes = maxBytes;
    this.#memory = shared?.memory ?? new MemoryCache(MEMORY_CACHE_BYTES);
  }

  /** Tells `listener` all there is to say, from the beginning. */
  listen(listener: (event: CacheEvent) => void): void {
    this.#listener = listener;
    for (const event of this.#said.splice(0)) listener(event);
  }

  /**
   * What `decode` makes of the content that was added under `key`, here or by another process before this one began.
   * Content that it refuses is damaged, like content that is not what was stored.
   */
  find<Result>(key: Uint8Array, unit: string, decode: (content: Uint8Array) => Result): Result | undefined {
    const name = nameOf(key);
    const inMemory = this.#memory.get(name);
    const content = inMemory ?? this.#findOnDisk(key);
    try {
      const result = content && decode(content);
      if (content && result !== undefined) {
        if (!inMemory) this.#memory.set(name, content);
        const from = this.#prefetched.delete(name) || !inMemory ? 'disk' : 'memory';
        this.#notify({ type: 'cache-hit', unit, from, objectBytes: content.byteLength });
        return result;
      }
    } catch {
      this.drop(key);
    }
    this.#notify({ type: 'cache-miss', unit });
    return undefined;
  }

  /** Gives up content that is not what its key says: it is not found again, and removed from disk. */
  drop(key: Uint8Array): void {
    const name = nameOf(key);
    this.#memory.delete(name);
    this.#dropped.add(name);
    for (const reader of this.#readers ?? []) if (reader.has(key)) this.#damagedPacks.add(reader.name);
    this.#notify({ type: 'cache-damaged', objectCount: 1 });
  }

  /** Reads what is on disk under `key`, to be found in memory later. */
  prefetch(key: Uint8Array): Uint8Array | undefined {
    const content = this.#findOnDisk(key);
    if (content) {
      this.#memory.set(nameOf(key), content);
      this.#prefetched.add(nameOf(key));
    }
    return content;
  }

  /** `content` must not change any more. */
  add(key: Uint8Array, content: Uint8Array): void {
    const name = nameOf(key);
    this.#memory.set(name, content);
    if (this.#path === undefined || this.#isUnusable || this.#waiting.has(name)) return;
    this.#waiting.set(name, { key, content });
    this.#waitingBytes += content.byteLength;
    if (this.#waitingBytes > WRITE_BYTES) setImmediate(() => this.write());
    this.#timer ??= setTimeout(() => this.write(), WRITE_DELAY_MS).unref();
  }

  /** Whether objects outlive the process. */
  get isOnDisk(): boolean {
    return this.#path !== undefined && !this.#isUnusable;
  }

  /** Keeps in memory what need not be made before it is asked for. */
  addLazily(key: Uint8Array, content: LazyContent): void {
    this.#memory.set(nameOf(key), content);
  }

  /** Writes what waits, and sees to it that what is there stays within bounds. Never throws. */
  write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const entries = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#waitingBytes = 0;
    if (entries.length === 0 && this.#damagedPacks.size === 0 && this.#usedPacks.size === 0) return;
    this.#onDisk((directory) => {
      for (const name of this.#usedPacks) directory.touch(name);
      this.#usedPacks.clear();
      if (entries.length > 0) {
        const { objectCount, sizeBytes } = directory.write(entries, this.#maxBytes);
        this.#notify({ type: 'cache-stored', objectCount, sizeBytes });
      }
      this.#tidyUp(directory);
    });
  }

  /** Writes what waits and closes the files. */
  close(): void {
    this.write();
    for (const reader of this.#readers ?? []) reader.close();
    this.#readers = [];
    this.#directory?.close();
    this.#directory = undefined;
    this.#isUnusable = true;
  }

  #findOnDisk(key: Uint8Array): Uint8Array | undefined {
    if (this.#path === undefined || this.#dropped.has(nameOf(key))) return undefined;
    for (const reader of this.#openReaders()) {
      const content = reader.find(key);
      if (content === undefined) continue;
      if (content !== 'damaged') {
        this.#usedPacks.add(reader.name);
        return content;
      }
      this.#damagedPacks.add(reader.name);
      this.#notify({ type: 'cache-damaged', objectCount: 1 });
    }
    return undefined;
  }

  #openReaders(): readonly PackReader[] {
    if (this.#readers) return this.#readers;
    this.#readers = [];
    this.#onDisk((directory) => {
      this.#readers = directory.readers(() => this.#notify({ type: 'cache-damaged', objectCount: 1 }));
    });
    return this.#readers;
  }

  /** Rewrites damaged packs without what is damaged or dropped, and merges small ones when there are many. */
  #tidyUp(directory: CacheDirectory): void {
    const packs = directory.files().filter(({ isPack }) => isPack);
    const chosen = packs.filter(({ name }) => this.#damagedPacks.has(name));
    this.#damagedPacks.clear();
    if (packs.length > MAX_PACKS) {
      let bytes = 0;
      for (const pack of packs.toSorted((a, b) => a.sizeBytes - b.sizeBytes)) {
        bytes += pack.sizeBytes;
        if (bytes > MERGE_BYTES) break;
        if (!chosen.includes(pack)) chosen.push(pack);
      }
    }
    if (chosen.length === 0) return;
    const entries = new Map<string, PackEntry>();
    for (const reader of directory.readers()) {
      if (chosen.some(({ name }) => name === reader.name))
        for (const entry of reader.entries())
          if (!this.#dropped.has(nameOf(entry.key))) entries.set(nameOf(entry.key), entry);
      reader.close();
    }
    const written = directory.write([...entries.values()], this.#maxBytes);
    if (written.name !== undefined)
      directory.touch(written.name, Math.max(...chosen.map(({ usedMs }) => usedMs)));
    for (const { name } of chosen) if (name !== written.name) directory.remove(name);
  }

  #notify(event: CacheEvent): void {
    if (this.#listener) this.#listener(event);
    else this.#said.push(event);
  }

  /** Runs `work` on the directory; when that fails, the cache goes on without it. */
  #onDisk(work: (directory: CacheDirectory) => void): void {
    if (this.#path === undefined || this.#isUnusable) return;
    try {
      this.#directory ??= CacheDirectory.open(this.#path);
      work(this.#directory);
    } catch (error) {
      this.#isUnusable = true;
      this.#notify({
        type: 'cache-unusable',
        reason:
          error instanceof FarJITError
            ? error.message
            : `cannot use the cache directory ${this.#path}: ${systemErrorWords(error)}`,
      });
    }
  }
}
