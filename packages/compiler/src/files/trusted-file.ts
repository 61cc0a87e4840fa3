import { closeSync, fstatSync, lstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { isMountPoint, UntrustedFileError, whyNotTrusted } from '@farjit/protocol/file-trust';

/**
 * Reads a file that says who to trust: only this user and root can have written it, or led there.
 * @throws {UntrustedFileError} when others can.
 * @throws the system's error when it cannot be read.
 */
export function readTrustedFile(path: string): string {
  const owners = [process.getuid?.(), 0];
  const link = lstatSync(path);
  if (link.isSymbolicLink() && !owners.includes(link.uid))
    throw new UntrustedFileError(path, `is a link of another user (${link.uid})`);
  const fd = openSync(path, 'r');
  try {
    const status = fstatSync(fd);
    // A terminal is for others to write messages to.
    const problem = status.isCharacterDevice() ? undefined : whyNotTrusted(status, owners);
    if (
      problem !== undefined &&
      !isMountPoint(readFileSync('/proc/self/mountinfo', 'utf8'), realpathSync(path))
    )
      throw new UntrustedFileError(path, problem);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
