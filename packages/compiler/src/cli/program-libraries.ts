import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FarJITError } from '@farjit/protocol/errors';
import { inputKindOf } from '../frontends/llvm/input-kind.js';

/** What `-l` has found. */
export interface ProgramLibraries {
  /** Shared ones, to be loaded before the program. */
  readonly preload: readonly string[];
  /** Archives, to be linked with it. */
  readonly archives: readonly string[];
}

/** Where Debian, Fedora and others have libraries. */
const SYSTEM_DIRECTORIES = [
  '/usr/local/lib',
  '/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu',
  '/lib64',
  '/usr/lib64',
  '/usr/lib',
];
/** Every runner has these: parts of the C library. */
const ALWAYS_THERE = new Set(['c', 'm', 'pthread', 'dl', 'rt', 'util', 'gcc_s']);

/**
 * Looks for libraries as a linker does: in each directory, first `libNAME.so`, also under the version with which programs load
 * it, then `libNAME.a`.
 * @throws {FarJITError} for one that is nowhere.
 */
export function findLibraries(names: readonly string[], directories: readonly string[]): ProgramLibraries {
  const preload: string[] = [];
  const archives: string[] = [];
  const searched = [...directories.map((directory) => resolve(directory)), ...SYSTEM_DIRECTORIES];
  for (const name of names) {
    if (ALWAYS_THERE.has(name) && directories.length === 0) continue;
    const found = findLibrary(name, searched);
    if (found) (found.isShared ? preload : archives).push(found.path);
    else if (!ALWAYS_THERE.has(name))
      throw new FarJITError(
        'LIBRARY_NOT_FOUND',
        `there is no lib${name}.so and no lib${name}.a in ${searched.join(', ')}: say with -L where it is`,
      );
  }
  return { preload, archives };
}

function findLibrary(name: string, directories: readonly string[]) {
  for (const directory of directories) {
    const shared = sharedNames(directory, name).find((file) => isElf(join(directory, file)));
    if (shared !== undefined) return { path: realpathSync(join(directory, shared)), isShared: true };
    const archive = join(directory, `lib${name}.a`);
    if (isThere(archive)) return { path: archive, isShared: false };
  }
  return undefined;
}

/** `libz.so`, which may be a linker's script, and then `libz.so.1`. */
function sharedNames(directory: string, name: string): string[] {
  const plain = `lib${name}.so`;
  try {
    const versions = readdirSync(directory).filter((file) => file.startsWith(`${plain}.`));
    return [plain, ...versions.sort((a, b) => a.length - b.length || (a < b ? 1 : -1))];
  } catch {
    // A directory that other distributions have.
    return [];
  }
}

function isElf(path: string): boolean {
  return startOf(path) === 'object';
}

function isThere(path: string): boolean {
  return startOf(path) !== 'missing';
}

function startOf(path: string): ReturnType<typeof inputKindOf> | 'missing' {
  const start = Buffer.alloc(8);
  try {
    // Not to wait for whoever writes to a FIFO of that name.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!fstatSync(fd).isFile()) return 'missing';
      return inputKindOf(start.subarray(0, readSync(fd, start, 0, start.byteLength, 0)));
    } finally {
      closeSync(fd);
    }
  } catch {
    return 'missing';
  }
}
