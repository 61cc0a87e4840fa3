import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FarJITError } from '@farjit/protocol/errors';
import { whyNotTrusted } from '@farjit/protocol/file-trust';
import { type DirectoryRules, OpenDirectory } from './open-directory.js';

const DIRECTORY_MODE = 0o700;

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

const RULES: DirectoryRules = {
  fileMode: 0o600,
  check: (status, path) => {
    const problem = status.isFile() ? whyNotTrusted(status, [process.getuid?.()]) : 'is no file';
    if (problem !== undefined) throw new NotPrivateError(path, problem);
  },
  linkError: (path) => new NotPrivateError(path, 'is a link, which is not followed'),
};

/** A directory that only this user can write to, as are the files in it. */
export class PrivateDirectory extends OpenDirectory {
  /**
   * Opens the directory, and makes it, with rights for its owner alone, when it is missing.
   * @throws {NotPrivateError} when it belongs to someone else, or others may write to it.
   * @throws the system's error when it cannot be opened.
   */
  static open(path: string): PrivateDirectory {
    makeDirectory(path);
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    const problem = whyNotTrusted(fstatSync(fd), [process.getuid?.()]);
    if (problem === undefined) return new PrivateDirectory(path, fd, RULES);
    closeSync(fd);
    throw new NotPrivateError(path, problem);
  }

  override replaceFile(name: string, content: string | Uint8Array, temporary = temporaryName(name)): void {
    super.replaceFile(name, content, temporary);
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
export function makeDirectory(path: string): void {
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
