import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { FarJITError } from './errors.js';

/** Of a mode: the group or others may write. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * A file that says who to trust, or how, can be changed by somebody else.
 * @remarks Give the file to this user or root, and take the rights to write from all others.
 */
export class UntrustedFileError extends FarJITError {
  /** What goes after its name. */
  readonly problem: string;

  constructor(path: string, problem: string) {
    super('UNTRUSTED_FILE', `${path} ${problem}`);
    this.problem = problem;
  }
}

/** What of a file's status says who can change it. */
export interface FileStatus {
  readonly uid: number;
  readonly mode: number;
}

/**
 * Why what a file or directory holds is not to be relied on: someone else can change it.
 * @param owners whose it may be.
 * @returns words that go after its name; undefined when there is no reason.
 */
export function whyNotTrusted(
  { uid, mode }: FileStatus,
  owners: readonly (number | undefined)[],
): string | undefined {
  if (!owners.includes(uid)) return `belongs to another user (${uid})`;
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    return `can be written by others (mode ${(mode & 0o7777).toString(8)}): chmod go-w it`;
  return undefined;
}

/**
 * Whether something is mounted at a path by itself, as containers get their secrets: root has put it there, whoever has
 * it elsewhere.
 * @param mountInfo what `/proc/self/mountinfo` says.
 * @param path absolute, without links.
 * @see proc_pid_mountinfo(5): the fifth field is the mount point, with `\040` for a space
 */
export function isMountPoint(mountInfo: string, path: string): boolean {
  return mountInfo.split('\n').some((line) => {
    const field = line.split(' ')[4];
    return (
      field?.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))) === path
    );
  });
}

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
  if (isFIFO(path)) throw new UntrustedFileError(path, 'is a FIFO, to which nobody may ever write');
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

/** Not a pipe that a shell has put in place of a command, which has no path: that command is running. */
function isFIFO(path: string): boolean {
  if (!statSync(path).isFIFO()) return false;
  try {
    return lstatSync(realpathSync(path)).isFIFO();
  } catch {
    // `/dev/fd/N` leads to `pipe:[NUMBER]`, which is nowhere.
    return false;
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
