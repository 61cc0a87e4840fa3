import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { FarJITError } from '@farjit/protocol/errors';
import { PACK_HEADER_BYTES, type PackEntry, packedBytes, writePack } from './pack.js';
import { PackReader } from './pack-reader.js';

/** Only these are ours. Another process may be writing a temporary one. */
const PACK_NAME = /^objects-[0-9a-f]{32}\.pack$/;
const TEMPORARY_NAME = /^objects-[0-9a-f]{32}\.tmp$/;
/** A temporary file of this age was left behind by a process that ended while it wrote. */
const ABANDONED_MS = 60 * 60 * 1000;
const WRITABLE_BY_OTHERS = 0o022;

/** The directory cannot be used as a cache; the message says why. */
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
 * A directory of packs. All paths go through its open descriptor, so what has been checked is what is used, wherever
 * its name leads later. Every change is one `rename` or `unlink`, and a pack never changes, so any number of processes
 * may read, write and remove at a time: who comes too late finds less, never something else.
 */
export class CacheDirectory {
  readonly path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /**
   * Opens the directory, and makes it, with rights for its owner alone, when it is missing.
   * @throws {CacheDirectoryError} when it cannot be opened, belongs to someone else, or others may write to it.
   */
  static open(path: string): CacheDirectory {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
      const problem = problemOf(fd);
      if (problem === undefined) return new CacheDirectory(path, fd);
      closeSync(fd);
      throw new CacheDirectoryError(`the cache directory ${path} ${problem}`);
    } catch (error) {
      if (error instanceof CacheDirectoryError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new CacheDirectoryError(`cannot open the cache directory ${path}: ${reason}`, { cause: error });
    }
  }

  /** As `open`, but makes nothing: undefined when there is no such directory. */
  static openIfThere(path: string): CacheDirectory | undefined {
    return existsSync(path) ? CacheDirectory.open(path) : undefined;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Our files, least recently used first. */
  files(): CacheFile[] {
    const files: CacheFile[] = [];
    for (const name of readdirSync(this.#at('.'))) {
      const isPack = PACK_NAME.test(name);
      if (!isPack && !TEMPORARY_NAME.test(name)) continue;
      const stat = lstatSync(this.#at(name), { throwIfNoEntry: false });
      if (stat?.isFile()) files.push({ name, sizeBytes: stat.size, usedMs: stat.mtimeMs, isPack });
    }
    return files.sort((a, b) => a.usedMs - b.usedMs);
  }

  /** Opens all packs, removing those that are damaged or of another version. */
  readers(): PackReader[] {
    const readers: PackReader[] = [];
    for (const name of readdirSync(this.#at('.'))) {
      if (!PACK_NAME.test(name)) continue;
      const reader = PackReader.open(this.#at(name), name);
      if (reader instanceof PackReader) readers.push(reader);
      else if (reader === 'damaged') this.remove(name);
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
    const pack = writePack(fitting);
    this.evict(maxBytes - pack.byteLength);
    const temporary = `objects-${randomBytes(16).toString('hex')}.tmp`;
    // Equal packs have equal names: two processes that store the same leave one.
    const name = `objects-${createHash('sha256').update(pack).digest('hex').slice(0, 32)}.pack`;
    try {
      const fd = openSync(this.#at(temporary), 'wx', 0o600);
      try {
        for (let done = 0; done < pack.byteLength; ) done += writeSync(fd, pack, done);
      } finally {
        closeSync(fd);
      }
      renameSync(this.#at(temporary), this.#at(name));
    } catch (error) {
      this.remove(temporary);
      throw error;
    }
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
      utimesSync(this.#at(name), usedMs / 1000, usedMs / 1000);
    } catch {
      // Removed meanwhile, or not ours to change: it is evicted sooner.
    }
  }

  /** Removes a file of ours; no matter if it is gone already. */
  remove(name: string): void {
    try {
      unlinkSync(this.#at(name));
    } catch {
      // What cannot be removed is not used either: its entries are verified whenever they are read.
    }
  }

  #at(name: string): string {
    return `/proc/self/fd/${this.#fd}/${name}`;
  }
}

function problemOf(fd: number): string | undefined {
  const { uid, mode } = fstatSync(fd);
  if (uid !== process.getuid?.()) return `belongs to another user (${uid}): choose one of your own`;
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    return `can be written by others (mode ${(mode & 0o777).toString(8)}): chmod go-w it`;
  return undefined;
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
