import { createHash, randomBytes } from 'node:crypto';
import { existsSync, lstatSync, utimesSync } from 'node:fs';
import { FarJITError } from '@farjit/protocol/errors';
import type { OpenDirectory } from '../files/open-directory.js';
import { NotPrivateError, PrivateDirectory } from '../files/private-directory.js';
import { SharedDirectory } from '../files/shared-directory.js';
import { systemErrorWords } from '../files/system-error.js';
import { CACHE_KEY_NAME, openCacheKey } from './cache-key.js';
import { PACK_HEADER_BYTES, type PackEntry, packedBytes, type Seal, writePack } from './pack.js';
import { PackReader } from './pack-reader.js';
import type { StoreKey } from './store-key.js';

/** A temporary file of this age was left behind by a process that ended while it wrote. */
const ABANDONED_MS = 60 * 60 * 1000;

/**
 * The directory cannot be used as a cache; the message says why.
 * @remarks Name another directory, or put its owner and rights in order; without one, objects are kept in memory.
 */
export class CacheDirectoryError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('CACHE_DIRECTORY', message, options);
  }
}

/** A file of ours. */
export interface CacheFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** When it was written, or something in it last used. */
  readonly usedMs: number;
  readonly isPack: boolean;
}

/**
 * A directory of packs: private to this user, with a key of its own, or shared by those who have a key. Those of other keys are others'
 * business. Every change is one `rename` or `unlink`, and a pack never changes, so any
 * number of processes may read, write and remove at a time: who comes too late finds less, never something else.
 */
export class CacheDirectory {
  readonly #directory: OpenDirectory;
  /** What names of ours begin with. */
  readonly #prefix: string;
  /** Only these are ours. Another process may be writing a temporary one. */
  readonly #packName: RegExp;
  readonly #temporaryName: RegExp;
  #seal: Seal | undefined;

  private constructor(directory: OpenDirectory, key?: StoreKey) {
    this.#directory = directory;
    this.#seal = key?.seal;
    this.#prefix = key ? `objects-${key.name}` : 'objects';
    this.#packName = new RegExp(`^${this.#prefix}-[0-9a-f]{32}\\.pack$`);
    this.#temporaryName = new RegExp(`^${this.#prefix}-[0-9a-f]{32}\\.tmp$`);
  }

  /**
   * Opens the directory, and makes it, with rights for its owner alone, when it is missing.
   * @param key of those who share it; without one it has to be this user's alone.
   * @throws {CacheDirectoryError} when it cannot be opened, or is to be this user's alone and others may write to it.
   */
  static open(path: string, key?: StoreKey): CacheDirectory {
    try {
      if (key) return new CacheDirectory(SharedDirectory.open(path), key);
      return new CacheDirectory(PrivateDirectory.open(path));
    } catch (error) {
      const words =
        error instanceof NotPrivateError
          ? `the cache directory ${path} ${error.problem}`
          : `cannot open the cache directory ${path}: ${systemErrorWords(error)}`;
      throw new CacheDirectoryError(words, { cause: error });
    }
  }

  /** As `open`, but makes nothing: undefined when there is no such directory. */
  static openIfThere(path: string): CacheDirectory | undefined {
    return existsSync(path) ? CacheDirectory.open(path) : undefined;
  }

  get path(): string {
    return this.#directory.path;
  }

  close(): void {
    this.#directory.close();
  }

  /** Our files, least recently used first. */
  files(): CacheFile[] {
    const files: CacheFile[] = [];
    for (const name of this.#directory.names()) {
      const isPack = this.#packName.test(name);
      if (!isPack && !this.#temporaryName.test(name)) continue;
      const stat = lstatSync(this.#directory.at(name), { throwIfNoEntry: false });
      if (stat?.isFile()) files.push({ name, sizeBytes: stat.size, usedMs: stat.mtimeMs, isPack });
    }
    return files.sort((a, b) => a.usedMs - b.usedMs);
  }

  /** When a file was last made or removed. */
  get changedMs(): number {
    return this.#directory.changedMs;
  }

  /**
   * Opens all packs, removing those that are damaged, of another version, or written without the directory's key.
   * @param removed told of each that is.
   * @param isKnown by name: those that are left out.
   */
  readers(removed: () => void = () => {}, isKnown: (name: string) => boolean = () => false): PackReader[] {
    const readers: PackReader[] = [];
    for (const name of this.#directory.names()) {
      if (!this.#packName.test(name) || isKnown(name)) continue;
      const reader = PackReader.open(this.#directory, name, this.#sealing());
      if (reader instanceof PackReader) readers.push(reader);
      else if (reader === 'damaged') {
        this.remove(name);
        removed();
      }
    }
    return readers;
  }

  /**
   * Writes a pack, and makes room for it: afterwards our files take at most `maxBytes`, as long as nobody else writes.
   * Of entries that are more than that by themselves, only the last ones are written.
   * @returns what was written; no name when that is nothing.
   * @throws the system's error when it cannot be written; nothing is left of it then.
   */
  write(
    entries: readonly PackEntry[],
    maxBytes: number,
  ): { name?: string; objectCount: number; sizeBytes: number } {
    const fitting = lastThatFit(entries, maxBytes);
    if (fitting.length === 0) return { objectCount: 0, sizeBytes: 0 };
    const pack = writePack(fitting, this.#sealing());
    this.evict(maxBytes - pack.byteLength);
    // Equal packs have equal names: two processes that store the same leave one.
    const name = `${this.#prefix}-${createHash('sha256').update(pack).digest('hex').slice(0, 32)}.pack`;
    this.#directory.replaceFile(name, pack, this.#newTemporaryName());
    this.evict(maxBytes, name);
    return { name, objectCount: fitting.length, sizeBytes: pack.byteLength };
  }

  /** Removes least recently used packs until ours take at most `maxBytes`, and what others left unfinished. */
  evict(maxBytes: number, keep?: string): void {
    let total = 0;
    const files = this.files();
    for (const { sizeBytes } of files) total += sizeBytes;
    for (const { name, sizeBytes, usedMs, isPack } of files) {
      const isAbandoned = !isPack && Date.now() - usedMs > ABANDONED_MS;
      if (!isAbandoned && (total <= maxBytes || !isPack || name === keep)) continue;
      this.remove(name);
      total -= sizeBytes;
    }
  }

  /** Notes that something in a pack has been used. */
  touch(name: string, usedMs = Date.now()): void {
    try {
      utimesSync(this.#directory.at(name), usedMs / 1000, usedMs / 1000);
    } catch {
      // Removed meanwhile, or not ours to change: it is evicted sooner.
    }
  }

  /** Removes a file of ours; no matter if it is gone already: entries are verified whenever they are read. */
  remove(name: string): void {
    this.#directory.remove(name);
  }

  /** Removes all that is ours. Sessions that have it open write under a key that is gone: for nobody. */
  clear(): void {
    for (const { name } of this.files()) this.remove(name);
    this.remove(CACHE_KEY_NAME);
  }

  /** The key is made when something is written first, or read. */
  #sealing(): Seal {
    this.#seal ??= openCacheKey(this.#directory, () => this.#newTemporaryName());
    return this.#seal;
  }

  /** Of a file that is removed one day if it is left behind. */
  #newTemporaryName(): string {
    return `${this.#prefix}-${randomBytes(16).toString('hex')}.tmp`;
  }
}

function lastThatFit(entries: readonly PackEntry[], maxBytes: number): readonly PackEntry[] {
  let room = maxBytes - PACK_HEADER_BYTES;
  let first = entries.length;
  for (; first > 0; first--) {
    const entry = entries[first - 1];
    if (!entry || packedBytes(entry.content) > room) break;
    room -= packedBytes(entry.content);
  }
  return entries.slice(first);
}
