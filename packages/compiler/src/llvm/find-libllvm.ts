import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { LibLLVMError } from './errors.js';
import { installLine, libLLVMPackage } from './install-line.js';

/** The libLLVMs that FarJIT is made for, oldest and newest major version. */
export const SUPPORTED_LLVM = { oldest: 14, newest: 22 } as const;

/** A libLLVM on disk. */
export interface LibLLVMFile {
  /** Absolute path, symbolic links resolved. */
  path: string;
  /** As far as the file's name tells: `22`, or 0 for a name that says nothing. */
  majorVersion: number;
  /** As far as the file's name tells: `22.1`, `14`, or the empty string. */
  version: string;
}

/** Where to look, for callers that do not want the process's own surroundings. */
export interface FindOptions {
  /** Environment, for `FARJIT_LIBLLVM`. Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Directories to look in. Default: those of the usual distributions. */
  directories?: readonly string[];
}

/**
 * The libLLVM to use: what `FARJIT_LIBLLVM` names, else the newest supported one that is installed.
 * @throws {LibLLVMError} when the variable names no file, or none is installed.
 */
export function findLibLLVM(options: FindOptions = {}): LibLLVMFile {
  const named = givenLibLLVM(options);
  if (named !== undefined) return namedLibLLVM(named);
  const found = listLibLLVMs(options).find(isSupported);
  if (found === undefined) {
    throw new LibLLVMError(
      `No libLLVM ${SUPPORTED_LLVM.oldest} to ${SUPPORTED_LLVM.newest} found. Install one (on Debian and Ubuntu: ${installLine([libLLVMPackage()])}), or set FARJIT_LIBLLVM to the path of a libLLVM shared library.`,
    );
  }
  return found;
}

/** Every libLLVM found in `directories`, newest first; one entry per file, however many links lead to it. */
export function listLibLLVMs(options: Pick<FindOptions, 'directories'> = {}): LibLLVMFile[] {
  const byPath = new Map<string, LibLLVMFile>();
  for (const directory of options.directories ?? usualDirectories()) {
    for (const name of entries(directory)) {
      const version = versionInName(name);
      if (version === undefined) continue;
      const path = resolveFile(join(directory, name));
      if (path === undefined) continue;
      const known = byPath.get(path);
      if (known === undefined || known.version.length < version.length)
        byPath.set(path, libLLVMFile(path, version));
    }
  }
  return [...byPath.values()].sort((a, b) => compareVersions(b.version, a.version));
}

/** Whether FarJIT is made for that version. */
export function isSupported(file: LibLLVMFile): boolean {
  return file.majorVersion >= SUPPORTED_LLVM.oldest && file.majorVersion <= SUPPORTED_LLVM.newest;
}

/** What `FARJIT_LIBLLVM` says, if it says anything; blanks around it are nobody's name. */
export function givenLibLLVM({ env = process.env }: FindOptions = {}): string | undefined {
  return env.FARJIT_LIBLLVM?.trim() || undefined;
}

function namedLibLLVM(named: string): LibLLVMFile {
  const path = resolveFile(resolve(named));
  if (path === undefined) {
    throw new LibLLVMError(
      `FARJIT_LIBLLVM is ${named}, which is not a file. Set it to the path of a libLLVM shared library, such as /usr/lib/x86_64-linux-gnu/libLLVM-14.so.1, or unset it.`,
    );
  }
  return libLLVMFile(path, versionInName(basename(path)) ?? versionInName(basename(named)) ?? '');
}

function libLLVMFile(path: string, version: string): LibLLVMFile {
  return { path, version, majorVersion: Number(version.split('.')[0] ?? 0) };
}

/**
 * The version in the name of a libLLVM: `libLLVM-14.so`, `libLLVM-14.so.1`, `libLLVM-14.0.6.so.1`, `libLLVM.so.22.1`,
 * `libLLVM.so.18.1-rc2`. Undefined for another file's.
 */
export function versionInName(name: string): string | undefined {
  const match = /^libLLVM(?:-(\d+(?:\.\d+)*)\.so(?:\.\d+)?|\.so\.(\d+(?:\.\d+)*)(?:-[\w.]+)?)$/.exec(name);
  return match?.[1] ?? match?.[2];
}

/** Debian's multiarch triplets by Node's name of the architecture; a library of another one cannot be loaded. */
const MULTIARCH: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

function usualDirectories(): string[] {
  const triplet = MULTIARCH[process.arch];
  const roots = ['/usr/lib', '/usr/lib64', '/usr/local/lib'];
  const perVersion = roots.flatMap((root) =>
    entries(root)
      .filter((name) => /^llvm-?\d+$/.test(name))
      .flatMap((name) => [join(root, name, 'lib'), join(root, name, 'lib64')]),
  );
  return [...(triplet === undefined ? [] : [`/usr/lib/${triplet}`]), ...roots, ...perVersion];
}

/**
 * A missing or unreadable directory has nothing for us.
 * @throws {LibLLVMError} when the system is short of something that looking takes.
 */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP'].includes(code)) return [];
    throw new LibLLVMError(`Cannot look for libLLVM: ${message}.`, { cause });
  }
}

/** The file at the end of the links, or nothing for a dangling link or a directory. */
function resolveFile(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    return statSync(real).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}

/** By hand: the first `localeCompare` with numbers in a process takes 6 ms. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (const [index, part] of (left ?? []).entries()) {
    const difference = part - (right?.[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return (left?.length ?? 0) - (right?.length ?? 0);
}
