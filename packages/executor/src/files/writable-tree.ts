import {
  closeSync,
  constants,
  type Dir,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readSync,
  statfsSync,
} from 'node:fs';
import { files } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { Slices } from '../turns.js';
import { ENTRY_BYTES } from './given-root.js';

/** Names that are not UTF-8 are names, too: Node has no type for it. */
const AS_BYTES = { encoding: 'buffer' as BufferEncoding };

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY, O_NOCTTY } = constants;

/** Folders in each other that are looked into: a descriptor each. */
const MAX_DEPTH = 64;
/** Paths that are listed, together. */
const MAX_LISTED_BYTES = 4 * 1024 * 1024;

/** What is in a writable folder. */
export interface LeftFile {
  /** As its program has it. */
  readonly path: Buffer;
  /** Others are symbolic links, and what cannot be read: of a folder its path ends with a slash. */
  readonly isFile: boolean;
  readonly sizeBytes: number;
  /** From the tree's root on. */
  readonly names: readonly Buffer[];
}

/** All that is left, as far as it is listed. */
export interface LeftFiles {
  readonly files: readonly LeftFile[];
  readonly omitted: number;
}

/**
 * The folders of a runner in which it writes. They are looked into through a descriptor that the runner has given before it was confined,
 * one name after the other, and never through a link: nothing else can be reached, whatever the program does meanwhile.
 */
export class WritableTree {
  readonly #fd: number;
  readonly #folders: readonly Buffer[];
  readonly #rootBytes: number;
  #isClosed = false;

  /**
   * @param fd becomes its own: a folder with a folder for each of `folders`, by number.
   * @param folders their paths, as the program has them.
   * @param rootBytes what the rest of the root takes.
   */
  constructor(fd: number, folders: readonly Buffer[], rootBytes: number) {
    this.#fd = fd;
    this.#folders = folders;
    this.#rootBytes = rootBytes;
  }

  /** What the kernel holds for all files of the runner. */
  get usedBytes(): number {
    if (this.#isClosed) return 0;
    const { blocks, bfree, bsize, files: count, ffree } = statfsSync(`/proc/self/fd/${this.#fd}`);
    return this.#rootBytes + (blocks - bfree) * bsize + (count - ffree) * ENTRY_BYTES;
  }

  /** What is in the folders, in no order. @throws {RequestError} METHOD_NOT_ALLOWED when it is closed meanwhile. */
  *list(): Slices<LeftFiles> {
    const found: LeftFile[] = [];
    let omitted = 0;
    let listedBytes = 0;
    const pending = this.#folders.map(
      (path, number): Pick<LeftFile, 'path' | 'names'> => ({ path, names: [Buffer.from(String(number))] }),
    );
    for (let folder = pending.pop(); folder; folder = pending.pop()) {
      const opened = this.#openFolder(folder.names);
      if (!opened) {
        const path = Buffer.concat([folder.path, Buffer.from('/')]);
        if (path.length > files.MAX_PATH_BYTES) omitted++;
        else found.push({ path, names: folder.names, isFile: false, sizeBytes: 0 });
        continue;
      }
      for (const name of namesIn(opened)) {
        yield;
        this.#checkOpen();
        const path = Buffer.concat([folder.path, Buffer.from('/'), name]);
        const names = [...folder.names, name];
        listedBytes += path.length;
        if (
          path.length > files.MAX_PATH_BYTES ||
          names.length > MAX_DEPTH ||
          listedBytes > MAX_LISTED_BYTES
        ) {
          omitted++;
          continue;
        }
        const entry = this.#look(names);
        if (entry === 'folder') pending.push({ path, names });
        else found.push({ path, names, ...entry });
      }
      yield;
      this.#checkOpen();
    }
    return { files: found, omitted };
  }

  /** A piece of a file; less than was asked for at its end, nothing for what is none. */
  read({ names }: LeftFile, offset: number, sizeBytes: number): Uint8Array {
    const content = Buffer.alloc(sizeBytes);
    return this.#at(names, (fd) =>
      fstatSync(fd).isFile()
        ? content.subarray(0, readSync(fd, content, 0, sizeBytes, offset))
        : Buffer.alloc(0),
    );
  }

  /** Once it is closed, its descriptor's number may be that of another session's tree. */
  #checkOpen(): void {
    if (this.#isClosed) throw new RequestError('METHOD_NOT_ALLOWED', 'the files were released');
  }

  /** Gives its memory back. Twice does nothing. */
  close(): void {
    if (!this.#isClosed) closeSync(this.#fd);
    this.#isClosed = true;
  }

  /** Undefined when its program has taken the right to read it from its owner, or it is none by now. */
  #openFolder(names: readonly Buffer[]): Dir | undefined {
    try {
      return this.#inFolder(names, (fd) => opendirSync(`/proc/self/fd/${fd}`, AS_BYTES));
    } catch {
      return undefined;
    }
  }

  #look(names: readonly Buffer[]): 'folder' | Pick<LeftFile, 'isFile' | 'sizeBytes'> {
    const none = { isFile: false, sizeBytes: 0 };
    try {
      const status = this.#inFolder(names.slice(0, -1), (fd) =>
        lstatSync(at(fd, names.at(-1) ?? Buffer.alloc(0))),
      );
      if (status.isDirectory()) return 'folder';
      if (!status.isFile()) return none;
      // Whether it can be read.
      return this.#at(names, (fd) => ({ isFile: true, sizeBytes: fstatSync(fd).size }));
    } catch {
      return none;
    }
  }

  #inFolder<T>(names: readonly Buffer[], use: (fd: number) => T): T {
    return this.#open(names, O_RDONLY | O_DIRECTORY, use);
  }

  #at<T>(names: readonly Buffer[], use: (fd: number) => T): T {
    // Without waiting for who writes into a pipe, though there can be none.
    return this.#open(names, O_RDONLY | O_NONBLOCK | O_NOCTTY, use);
  }

  /** Opens one name after the other. @throws the system's error, ELOOP or ENOTDIR over a link. */
  #open<T>(names: readonly Buffer[], flags: number, use: (fd: number) => T): T {
    this.#checkOpen();
    let fd = this.#fd;
    try {
      names.forEach((name, index) => {
        const isLast = index === names.length - 1;
        const next = openSync(at(fd, name), (isLast ? flags : O_RDONLY | O_DIRECTORY) | O_NOFOLLOW);
        if (fd !== this.#fd) closeSync(fd);
        fd = next;
      });
      return use(fd);
    } finally {
      if (fd !== this.#fd) closeSync(fd);
    }
  }
}

/** Closes it at the end. */
function* namesIn(folder: Dir): Generator<Buffer> {
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync())
      yield entry.name as unknown as Buffer;
  } finally {
    folder.closeSync();
  }
}

/** The path of a name in an open folder. */
function at(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}
