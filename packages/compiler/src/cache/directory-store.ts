import { FarJITError } from '@farjit/protocol/errors';
import { systemErrorWords } from '../files/system-error.js';
import type { CacheEvent, StoreKind } from '../observe/events.js';
import { CacheDirectory } from './cache-directory.js';
import { nameOf } from './object-name.js';
import type { ObjectStore } from './object-store.js';
import type { PackEntry } from './pack.js';
import type { PackReader } from './pack-reader.js';
import type { StoreKey } from './store-key.js';

/** What a directory may hold unless told otherwise: some 300,000 small functions. */
const DEFAULT_DIRECTORY_BYTES = 256 * 1024 * 1024;
/** With more packs than this, the small ones are merged: each costs every later start an `open` and a `read`. */
export const MAX_PACKS = 16;
/** Most bytes merged at a time, which take about 10 ms. */
const MERGE_BYTES = 4 * 1024 * 1024;
/** Objects that wait to be written are written after so long, or when there are so many bytes of them, or at the end. */
const WRITE_DELAY_MS = 10_000;
const WRITE_BYTES = 4 * 1024 * 1024;
/** How often it is seen, at most, whether others have put something into a shared directory. */
const LOOK_AGAIN_MS = 1000;

/** Where a directory is, and whose. */
export interface DirectoryPlace {
  readonly directory: string;
  /** `DEFAULT_DIRECTORY_BYTES` unless given. */
  readonly maxBytes?: number | undefined;
  /** Of those who share it; without one it is this user's alone. */
  readonly key?: StoreKey | undefined;
}

/** Objects in a directory of packs. */
export class DirectoryStore implements ObjectStore {
  readonly kind: StoreKind;
  readonly #path: string;
  readonly #key: StoreKey | undefined;
  readonly #maxBytes: number;
  readonly #notify: (event: CacheEvent) => void;
  readonly #usedPacks = new Set<string>();
  readonly #damagedPacks = new Set<string>();
  /** Names of what is on disk and must not be found. */
  readonly #dropped = new Set<string>();
  #directory: CacheDirectory | undefined;
  /** Undefined before the directory is first needed. */
  #readers: PackReader[] | undefined;
  #lookedMs = 0;
  #changedMs = 0;
  #waiting = new Map<string, PackEntry>();
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isUnusable = false;

  constructor(
    { directory, maxBytes = DEFAULT_DIRECTORY_BYTES, key }: DirectoryPlace,
    notify: (event: CacheEvent) => void,
  ) {
    this.kind = key ? 'store' : 'disk';
    this.#path = directory;
    this.#key = key;
    this.#maxBytes = maxBytes;
    this.#notify = notify;
  }

  get isUsable(): boolean {
    return !this.#isUnusable;
  }

  find(key: Uint8Array): Uint8Array | undefined {
    if (this.#dropped.has(nameOf(key))) return undefined;
    for (const reader of this.#readersFor(key)) {
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

  has(key: Uint8Array): boolean {
    const name = nameOf(key);
    if (this.#waiting.has(name)) return true;
    return !this.#dropped.has(name) && this.#openReaders().some((reader) => reader.has(key));
  }

  drop(key: Uint8Array): void {
    this.#dropped.add(nameOf(key));
    for (const reader of this.#readers ?? []) if (reader.has(key)) this.#damagedPacks.add(reader.name);
  }

  add(key: Uint8Array, content: Uint8Array): void {
    const name = nameOf(key);
    if (this.#isUnusable || this.#waiting.has(name)) return;
    this.#waiting.set(name, { key, content });
    this.#waitingBytes += content.byteLength;
    if (this.#waitingBytes > WRITE_BYTES) setImmediate(() => this.write());
    this.#timer ??= setTimeout(() => this.write(), WRITE_DELAY_MS).unref();
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

  /** Those that are open; of a shared directory, with what others have written meanwhile when none has the key. */
  #readersFor(key: Uint8Array): readonly PackReader[] {
    const readers = this.#openReaders();
    if (!this.#key || readers.some((reader) => reader.has(key))) return readers;
    const nowMs = Date.now();
    if (nowMs - this.#lookedMs < LOOK_AGAIN_MS) return readers;
    this.#lookedMs = nowMs;
    this.#onDisk((directory) => {
      const { changedMs } = directory;
      if (changedMs === this.#changedMs) return;
      this.#changedMs = changedMs;
      const known = new Set(readers.map(({ name }) => name));
      const more = directory.readers(this.#noteRemoved, (name) => known.has(name));
      this.#readers = [...readers, ...more];
    });
    return this.#readers ?? [];
  }

  #openReaders(): readonly PackReader[] {
    if (this.#readers) return this.#readers;
    this.#readers = [];
    this.#onDisk((directory) => {
      this.#lookedMs = Date.now();
      this.#changedMs = directory.changedMs;
      this.#readers = directory.readers(this.#noteRemoved);
    });
    return this.#readers;
  }

  readonly #noteRemoved = () => this.#notify({ type: 'cache-damaged', objectCount: 1 });

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

  /** Runs `work` on the directory; when that fails, the cache goes on without it. */
  #onDisk(work: (directory: CacheDirectory) => void): void {
    if (this.#isUnusable) return;
    try {
      this.#directory ??= CacheDirectory.open(this.#path, this.#key);
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
