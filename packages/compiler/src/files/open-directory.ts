import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** A link is not followed, and a pipe of that name is not waited for. */
const NOT_ELSEWHERE = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What a directory takes and gives. */
export interface DirectoryRules {
  /** Rights of the files that are made in it, whatever this process's mask is. */
  readonly fileMode: number;
  /** @throws when a file in it is not to be read or written. */
  check(status: Stats, path: string): void;
  /** What opening a link throws. */
  linkError(path: string): Error;
}

/** A directory by its open descriptor: what has been checked is what is used, wherever its name leads later. Links in it are not followed. */
export class OpenDirectory {
  readonly path: string;
  readonly #fd: number;
  readonly #rules: DirectoryRules;

  /** @param fd of the directory, which it closes. */
  constructor(path: string, fd: number, rules: DirectoryRules) {
    this.path = path;
    this.#fd = fd;
    this.#rules = rules;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** When a name in it was last made, changed or removed. */
  get changedMs(): number {
    return fstatSync(this.#fd).mtimeMs;
  }

  names(): string[] {
    return readdirSync(this.at('.'));
  }

  /** Where a name in it is, for as long as it is open. */
  at(name: string): string {
    return `/proc/self/fd/${this.#fd}/${name}`;
  }

  /**
   * Opens a file in it.
   * @param flags of `open(2)`.
   * @throws as the directory's rules, and the system's error when it cannot be opened.
   */
  openFile(name: string, flags: number): number {
    const fd = this.#openAt(name, flags | NOT_ELSEWHERE);
    try {
      this.#rules.check(fstatSync(fd), join(this.path, name));
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #openAt(name: string, flags: number): number {
    try {
      return openSync(this.at(name), flags, this.#rules.fileMode);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error;
      throw this.#rules.linkError(join(this.path, name));
    }
  }

  /** @throws as `openFile`. */
  readFile(name: string): Buffer {
    const fd = this.openFile(name, constants.O_RDONLY);
    try {
      return readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Makes or replaces a file in one step: nobody sees half of it.
   * @param temporary name under which it is written, of nothing that is there.
   * @throws the system's error; the file is then as it was.
   */
  replaceFile(name: string, content: string | Uint8Array, temporary: string): void {
    try {
      const fd = openSync(this.at(temporary), 'wx', this.#rules.fileMode);
      try {
        fchmodSync(fd, this.#rules.fileMode);
        writeFileSync(fd, content);
      } finally {
        closeSync(fd);
      }
      renameSync(this.at(temporary), this.at(name));
    } catch (error) {
      this.remove(temporary);
      throw error;
    }
  }

  /** Removes a file; no matter if it is gone already, or cannot be removed. */
  remove(name: string): void {
    try {
      unlinkSync(this.at(name));
    } catch {
      // Whoever reads it checks what it is.
    }
  }
}
