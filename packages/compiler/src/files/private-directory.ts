import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { FarJITError } from '@farjit/protocol/errors';
import { whyNotTrusted } from '@farjit/protocol/file-trust';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** A link is not followed, and a pipe of that name is not waited for. */
const NOT_ELSEWHERE = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Something of this user's own is not as it has to be: someone else could read or change it.
 * @remarks Take the rights of others away, or name another place.
 */
export class NotPrivateError extends FarJITError {
  /** What goes after its name. */
  readonly problem: string;

  constructor(path: string, problem: string) {
    super('NOT_PRIVATE', `${path} ${problem}`);
    this.problem = problem;
  }
}

/**
 * A directory that only this user can write to. All paths go through its open descriptor, so what has been checked is
 * what is used, wherever its name leads later. Links in it are not followed.
 */
export class PrivateDirectory {
  readonly path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /**
   * Opens the directory, and makes it, with rights for its owner alone, when it is missing.
   * @throws {NotPrivateError} when it belongs to someone else, or others may write to it.
   * @throws the system's error when it cannot be opened.
   */
  static open(path: string): PrivateDirectory {
    makeDirectory(path);
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    const problem = whyNotTrusted(fstatSync(fd), [process.getuid?.()]);
    if (problem === undefined) return new PrivateDirectory(path, fd);
    closeSync(fd);
    throw new NotPrivateError(path, problem);
  }

  close(): void {
    closeSync(this.#fd);
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
   * @param flags of `open(2)`; what is made has rights for its owner alone.
   * @throws {NotPrivateError} when it is a link, no regular file of this user's, or others may write to it.
   * @throws the system's error when it cannot be opened.
   */
  openFile(name: string, flags: number): number {
    const fd = this.#openAt(name, flags | NOT_ELSEWHERE);
    const status = fstatSync(fd);
    const problem = status.isFile() ? whyNotTrusted(status, [process.getuid?.()]) : 'is no file';
    if (problem === undefined) return fd;
    closeSync(fd);
    throw new NotPrivateError(join(this.path, name), problem);
  }

  #openAt(name: string, flags: number): number {
    try {
      return openSync(this.at(name), flags, FILE_MODE);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error;
      throw new NotPrivateError(join(this.path, name), 'is a link, which is not followed');
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
  replaceFile(name: string, content: string | Uint8Array, temporary = temporaryName(name)): void {
    try {
      writeFileSync(this.at(temporary), content, { flag: 'wx', mode: FILE_MODE });
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

/** A name that nobody can foresee. */
export function temporaryName(name: string): string {
  return `${name}.${randomBytes(16).toString('hex')}.tmp`;
}

/**
 * Makes a directory and those above it that are missing. Node's own way never ends where a directory is there and nothing
 * can be made in it, as in procfs.
 */
function makeDirectory(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at);
  for (const directory of missing.reverse())
    try {
      mkdirSync(directory, { mode: DIRECTORY_MODE });
    } catch (error) {
      // Another process was faster; or it is a link that leads nowhere, which opening it says.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
}
