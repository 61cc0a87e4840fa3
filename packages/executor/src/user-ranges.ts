import { closeSync, constants, lstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockByte } from './native/libc.js';

/** Users of one range: more than most hosts have runners at one time. */
export const RANGE_USERS = 1024;
/** Ranges that are looked at before there is said to be none. */
const MAX_TRIES = 1024;

/** Users and groups, the same numbers of both. */
export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** Where ranges are, and what says which are taken. */
export interface UserRangesOptions {
  readonly region: IdRange;
  /** Of root alone: kept by locks on the bytes of a file, which the kernel gives back when a host ends in any way. */
  readonly lockDirectory: string;
  /** Which numbers this user namespace knows. */
  readonly mapFiles: readonly string[];
  /** Numbers that users may give to containers, `name:first:count` in a line. */
  readonly subordinateFiles: readonly string[];
  /** Users and groups of this machine, their numbers in the third field. */
  readonly accountFiles: readonly string[];
}

const SYSTEM: UserRangesOptions = {
  // What nobody hands out by systemd's list of users and groups: above the containers of systemd-nspawn, below the
  // foreign ones.
  region: { first: 0x7000_0000, count: 0x0ffe_0000 },
  lockDirectory: '/run/farjit',
  mapFiles: ['/proc/self/uid_map', '/proc/self/gid_map'],
  subordinateFiles: ['/etc/subuid', '/etc/subgid'],
  accountFiles: ['/etc/passwd', '/etc/group'],
};

/** Ranges of users that no other host on this machine has, nor anybody else as far as the machine's files say. */
export class UserRanges {
  readonly #options: UserRangesOptions;
  /** Their numbers: the kernel gives a lock to who has it already. */
  readonly #taken = new Set<number>();
  #lockFd: number | undefined;

  constructor(options: Partial<UserRangesOptions> = {}) {
    this.#options = { ...SYSTEM, ...options };
  }

  /**
   * Another range, of `RANGE_USERS` users. It is this host's until `close`, or its end.
   * @throws {Error} with the reason when there is none.
   */
  take(): IdRange {
    const { region } = this.#options;
    const isFree = this.#freeRanges();
    const rangeCount = Math.floor(region.count / RANGE_USERS);
    // Anywhere, so that hosts hardly meet: it is the lock that keeps them apart.
    const start = Math.floor(Math.random() * rangeCount);
    for (let tried = 0; tried < Math.min(rangeCount, MAX_TRIES); tried++) {
      const index = (start + tried) % rangeCount;
      const range = { first: region.first + index * RANGE_USERS, count: RANGE_USERS };
      if (this.#taken.has(index) || !isFree(range) || !lockByte(this.#locks(), index)) continue;
      this.#taken.add(index);
      return range;
    }
    throw new Error(`all users from ${region.first} on are taken`);
  }

  close(): void {
    if (this.#lockFd !== undefined) closeSync(this.#lockFd);
    this.#lockFd = undefined;
    this.#taken.clear();
  }

  /** What tells whether nobody has users of a range. @throws {Error} in a namespace that does not know the region. */
  #freeRanges(): (range: IdRange) => boolean {
    const { region, mapFiles, subordinateFiles, accountFiles } = this.#options;
    for (const file of mapFiles)
      if (
        !rangesIn(file, /\s+/, ([first, , count]) => ({ first, count })).some((known) =>
          contains(known, region),
        )
      )
        throw new Error(`${file} does not have the users from ${region.first} on`);
    const taken = [
      ...subordinateFiles.flatMap((file) => rangesIn(file, /:/, ([, first, count]) => ({ first, count }))),
      ...accountFiles.flatMap((file) => rangesIn(file, /:/, ([, , first]) => ({ first, count: '1' }))),
    ];
    return (range) => !taken.some((other) => overlaps(other, range));
  }

  /** @throws {Error} when somebody else could write there. */
  #locks(): number {
    if (this.#lockFd !== undefined) return this.#lockFd;
    const { lockDirectory } = this.#options;
    try {
      mkdirSync(lockDirectory, { mode: 0o700 });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const directory = lstatSync(lockDirectory);
    if (!directory.isDirectory() || directory.uid !== process.getuid?.() || (directory.mode & 0o022) !== 0)
      throw new Error(`${lockDirectory} is not a directory of this user's that nobody else may write`);
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    this.#lockFd = openSync(join(lockDirectory, 'users'), flags, 0o600);
    return this.#lockFd;
  }
}

type Fields = readonly (string | undefined)[];

/** The ranges that the lines of a file speak of; none where there is no file. */
function rangesIn(
  file: string,
  separator: RegExp,
  rangeOf: (fields: Fields) => { first: string | undefined; count: string | undefined },
): IdRange[] {
  return linesOf(file).flatMap((line) => {
    const { first, count } = rangeOf(line.trim().split(separator));
    const range = { first: Number.parseInt(first ?? '', 10), count: Number.parseInt(count ?? '', 10) };
    return Number.isNaN(range.first + range.count) ? [] : [range];
  });
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split('\n');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function contains(outer: IdRange, inner: IdRange): boolean {
  return outer.first <= inner.first && inner.first + inner.count <= outer.first + outer.count;
}

function overlaps(a: IdRange, b: IdRange): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count;
}
