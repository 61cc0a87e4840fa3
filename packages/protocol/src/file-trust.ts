import { FarJITError } from './errors.js';

/** Of a mode: the group or others may write. */
const WRITABLE_BY_OTHERS = 0o022;

/** A file that says who to trust, or how, can be changed by somebody else. Code `UNTRUSTED_FILE`. */
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
