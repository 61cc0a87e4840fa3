/** Of a mode: the group or others may write. */
const WRITABLE_BY_OTHERS = 0o022;

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
