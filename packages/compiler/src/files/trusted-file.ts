import { closeSync, fstatSync, lstatSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { isMountPoint, UntrustedFileError, whyNotTrusted } from '@farjit/protocol/file-trust';

/** Most that such a file has: some hundred thousand tokens. A device may have no end. */
export const MAX_TRUSTED_FILE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

/**
 * Reads a file that says who to trust: only this user and root can have written it, or led there.
 * @throws {UntrustedFileError} when others can.
 * @throws {RangeError} when it is too large.
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
    return readBounded(fd);
  } finally {
    closeSync(fd);
  }
}

function readBounded(fd: number): string {
  const chunks: Buffer[] = [];
  for (let sizeBytes = 0; ; ) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const count = readSync(fd, chunk);
    if (count === 0) return Buffer.concat(chunks).toString('utf8');
    sizeBytes += count;
    if (sizeBytes > MAX_TRUSTED_FILE_BYTES)
      throw new RangeError(`it has more than ${MAX_TRUSTED_FILE_BYTES} bytes`);
    chunks.push(chunk.subarray(0, count));
  }
}
