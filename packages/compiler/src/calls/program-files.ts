import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type FileRoot, files, type GivenFile } from '@farjit/protocol';
import { AbortError } from '@farjit/protocol/errors';
import { printable } from '@farjit/protocol/printable';
import { untilAborted } from '../core/aborting.js';
import { isBytes } from '../core/arguments.js';
import { FilesError } from '../core/errors.js';
import { type ReadingLimits, readHostFile, walkFolder } from '../files/host-folder.js';
import type { WritableFolder } from './save-files.js';
import { sourceIterator } from './source-iterator.js';

/** Content of a file: texts go as UTF-8. */
export type FileSource =
  | string
  | Uint8Array
  | Blob
  | ReadableStream<Uint8Array>
  | Iterable<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>;

/** A file of this machine, read when the program is run. */
export interface HostFile {
  readonly file: string;
}

/**
 * A folder of this machine with all that is in it, read when the program is run; without a path an empty one. Symbolic links stay links,
 * which lead where they lead among the program's files.
 */
export interface HostFolder {
  readonly directory?: string | undefined;
  /** Whether the program may write there, into a copy that is its own. */
  readonly writable?: boolean | undefined;
  /**
   * Of a writable folder with a path: whether what the program has changed, made and removed in it is written back there when it has
   * ended by itself. `unsaved` of its result says what is not.
   */
  readonly save?: boolean | undefined;
}

/** What a program finds at a path. */
export type ProgramFile = FileSource | HostFile | HostFolder;

/** By their paths, as the program has them: absolute. */
export type ProgramFiles = Readonly<Record<string, ProgramFile>> | ReadonlyMap<string, ProgramFile>;

/** Contents and what is made of them. */
export interface FileSet {
  readonly root: FileRoot;
  /** Those that it writes in. */
  readonly folders: readonly WritableFolder[];
  /** Each once. */
  readonly contents: readonly { readonly digest: Uint8Array; readonly bytes: Uint8Array }[];
}

const TMP = '/tmp';
/** Some milliseconds of work, between which the event loop has its turn. */
const HASHED_AT_ONCE_BYTES = 4 * 1024 * 1024;

/**
 * Reads all that a program is given.
 * @throws {FilesError} for what cannot be given; it says which.
 * @throws {AbortError}
 */
export async function readProgramFiles(
  given: ProgramFiles,
  workingDirectory: string,
  signal: AbortSignal | undefined,
): Promise<FileSet> {
  const reading = new Reading(signal);
  const named = given instanceof Map ? [...given] : Object.entries(given);
  for (const [path, file] of named) {
    try {
      await reading.add(canonical(path), file as ProgramFile);
    } catch (error) {
      if (signal?.aborted)
        throw new AbortError('the program was cancelled before its files were read', signal.reason);
      if (error instanceof FilesError) throw error;
      throw new FilesError(
        `${printable(path)} cannot be given: ${error instanceof Error ? error.message : error}`,
        {
          cause: error,
        },
      );
    }
  }
  return reading.finish(canonical(workingDirectory));
}

/** @throws {FilesError} */
function canonical(path: string): string {
  if (path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..'))
    return `/${path
      .split('/')
      .filter((name) => name !== '' && name !== '.')
      .join('/')}`;
  throw new FilesError(`${printable(path)} is no path of a program's: give an absolute one without ".."`);
}

class Reading {
  readonly #signal: AbortSignal | undefined;
  readonly #entries = new Map<string, GivenFile>();
  readonly #contents = new Map<string, { readonly digest: Uint8Array; readonly bytes: Uint8Array }>();
  readonly #limits: ReadingLimits;
  readonly #folders: WritableFolder[] = [];
  #readBytes = 0;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#limits = { take: (sizeBytes) => this.#take(sizeBytes), signal };
  }

  async add(path: string, file: ProgramFile): Promise<void> {
    const bytes = Buffer.from(path);
    if (isFolder(file)) return this.#addFolder(path, file);
    if (isHostFile(file)) {
      const { content, isExecutable } = await readHostFile(file.file, this.#limits);
      return await this.#addFile(bytes, content, isExecutable);
    }
    await this.#addFile(bytes, await this.#read(file), false);
  }

  finish(workingDirectory: string): FileSet {
    // A place for what programs make without being asked: `/tmp`, unless it is given otherwise.
    if (!this.#entries.has(keyOf(Buffer.from(TMP)))) this.#putWritable(TMP, undefined);
    const entries = [...this.#entries.values()];
    const pathsBytes = entries.reduce(
      (sum, entry) => sum + entry.path.byteLength + (entry.kind === 'link' ? entry.target.byteLength : 0),
      0,
    );
    if (pathsBytes > files.MAX_PATHS_BYTES)
      throw new FilesError(`the paths of all files have more than ${files.MAX_PATHS_BYTES} bytes`);
    return {
      root: { entries, workingDirectory: Buffer.from(workingDirectory) },
      folders: this.#folders,
      contents: [...this.#contents.values()],
    };
  }

  #putWritable(path: string, savedTo: string | undefined): void {
    const bytes = Buffer.from(path);
    this.#put({ kind: 'writable', path: bytes });
    this.#folders.push({ path: bytes, savedTo });
  }

  async #addFolder(path: string, { directory, writable = false, save }: HostFolder): Promise<void> {
    if (path !== '/' && writable) this.#putWritable(path, save ? directory : undefined);
    else if (path !== '/') this.#put({ kind: 'directory', path: Buffer.from(path) });
    else if (writable) throw new FilesError('/ cannot be written: give a folder in it');
    if (directory === undefined) return;
    const prefix = path === '/' ? '' : path;
    for await (const entry of walkFolder(directory, this.#limits)) {
      const own = Buffer.concat([Buffer.from(`${prefix}/`), entry.path]);
      if (entry.kind === 'file') await this.#addFile(own, entry.content, entry.isExecutable);
      else if (entry.kind === 'directory') this.#put({ kind: 'directory', path: own });
      else if (entry.kind === 'link') this.#put({ kind: 'link', path: own, target: entry.content });
      else
        throw new FilesError(
          `${printable(own.toString())} cannot be given: it is no file, no folder and no symbolic link`,
        );
    }
  }

  async #addFile(path: Buffer, bytes: Uint8Array, isExecutable: boolean): Promise<void> {
    const hash = createHash('sha256');
    for (let offset = 0; offset < bytes.byteLength; offset += HASHED_AT_ONCE_BYTES) {
      hash.update(bytes.subarray(offset, offset + HASHED_AT_ONCE_BYTES));
      if (offset > 0) await nextTurn();
      this.#signal?.throwIfAborted();
    }
    const digest = hash.digest();
    const key = digest.toString('hex');
    if (!this.#contents.has(key)) this.#contents.set(key, { digest, bytes });
    this.#put({ kind: 'file', path, content: { digest, sizeBytes: bytes.byteLength }, isExecutable });
  }

  #put(entry: GivenFile): void {
    const key = keyOf(entry.path);
    if (key === '/') throw new FilesError('/ is the root, and no file');
    if (this.#entries.has(key))
      throw new FilesError(`${printable(Buffer.from(entry.path).toString())} is given twice`);
    this.#entries.set(key, entry);
    if (this.#entries.size > files.MAX_ENTRIES)
      throw new FilesError(`more than ${files.MAX_ENTRIES} files and folders cannot be given`);
  }

  async #read(source: FileSource): Promise<Uint8Array> {
    if (typeof source === 'string') return this.#own(Buffer.from(source));
    if (isBytes(source)) return this.#own(Buffer.from(source));
    const pieces: Uint8Array[] = [];
    for await (const piece of untilSignal(source instanceof Blob ? source.stream() : source, this.#signal)) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      if (!isBytes(bytes)) throw new TypeError(`it has a ${typeof bytes} where bytes or a string belong`);
      pieces.push(this.#own(Buffer.from(bytes)));
    }
    return Buffer.concat(pieces);
  }

  #own(bytes: Buffer): Buffer {
    this.#take(bytes.byteLength);
    return bytes;
  }

  #take(sizeBytes: number): void {
    this.#readBytes += sizeBytes;
    if (this.#readBytes > files.MAX_GIVEN_BYTES)
      throw new FilesError(`files of more than ${files.MAX_GIVEN_BYTES / 1024 ** 2} MiB cannot be given`);
  }
}

type Pieces = Exclude<FileSource, string | Uint8Array | Blob>;

/** All that a source gives, until the signal is aborted: also while it gives nothing. @throws {AbortError} */
async function* untilSignal(
  source: Pieces,
  signal: AbortSignal | undefined,
): AsyncGenerator<string | Uint8Array, void, undefined> {
  const pieces = sourceIterator<string | Uint8Array>(source);
  try {
    for (;;) {
      const next = await untilAborted(signal, 'the file was not read to its end', () => pieces.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    pieces.leave();
  }
}

function keyOf(path: Uint8Array): string {
  return Buffer.from(path).toString('latin1');
}

function isFolder(file: ProgramFile): file is HostFolder {
  return isPlain(file) && ('directory' in file || 'writable' in file);
}

function isHostFile(file: ProgramFile): file is HostFile {
  return isPlain(file) && 'file' in file;
}

function isPlain(file: ProgramFile): file is HostFile | HostFolder {
  if (typeof file !== 'object' || isBytes(file) || file instanceof Blob) return false;
  return !(Symbol.iterator in file) && !(Symbol.asyncIterator in file);
}
