import { constants, fstatSync, openSync } from 'node:fs';
import { type DirectoryRules, OpenDirectory } from './open-directory.js';
import { makeDirectory, NotPrivateError } from './private-directory.js';

const OWN_RIGHTS = 0o600;
/** Of the group and others, to read. */
const READ_BY_OTHERS = 0o044;

/**
 * A directory that others may write to, whoever they are: what is read from it says by itself who has written it. Its files can be
 * read by those who can read the directory.
 */
export class SharedDirectory extends OpenDirectory {
  /**
   * Opens the directory, and makes it, with rights for its owner alone, when it is missing.
   * @throws the system's error when it cannot be opened.
   */
  static open(path: string): SharedDirectory {
    makeDirectory(path);
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    const rules: DirectoryRules = {
      fileMode: OWN_RIGHTS | (fstatSync(fd).mode & READ_BY_OTHERS),
      check: (status, name) => {
        if (!status.isFile()) throw new NotPrivateError(name, 'is no file');
      },
      linkError: (name) => new NotPrivateError(name, 'is a link, which is not followed'),
    };
    return new SharedDirectory(path, fd, rules);
  }
}
