import { execFileSync } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { SUPPORTED_LLVM, versionInName } from '../../llvm/find-libllvm.js';
import { installLine } from '../../llvm/install-line.js';
import { CCompilerError } from './c-errors.js';

/** Where to look, for callers that do not want the process's own surroundings. */
export interface FindClangOptions {
  /** Directories of programs. Default: those of `PATH`. */
  readonly directories?: readonly string[];
  /** Where Debian's packages put each version. */
  readonly llvmFolder?: (version: number) => string;
}

/** A clang that answers nothing is none. */
const VERSION_TIMEOUT_MS = 10_000;

/**
 * The clang whose bitcode a libLLVM reads: the newest that is not newer than it.
 * @param libLLVMPath of the code generator's.
 * @throws {CCompilerError} when there is none; it says how to install one.
 */
export function findClang(libLLVMPath: string, options: FindClangOptions = {}): string {
  const { directories = (process.env.PATH ?? '').split(delimiter), llvmFolder = debianFolder } = options;
  const newest = majorVersionOf(libLLVMPath) || SUPPORTED_LLVM.newest;
  for (let version = newest; version >= SUPPORTED_LLVM.oldest; version--) {
    const places = [
      ...directories.map((directory) => join(directory, `clang-${version}`)),
      join(llvmFolder(version), 'bin/clang'),
    ];
    const found = places.find(isProgram);
    if (found !== undefined) return found;
  }
  const plain = directories.map((directory) => join(directory, 'clang')).find(isProgram);
  if (plain !== undefined && isNotNewer(plain, newest)) return plain;
  throw new CCompilerError(
    `C and C++ need clang ${newest}, or an older one from ${SUPPORTED_LLVM.oldest} on: this libLLVM is ${newest}. ` +
      `Install it (on Debian and Ubuntu: ${installLine([`clang-${newest}`])}), or name one`,
  );
}

/** As far as the name of the file tells; 0 where it does not. */
function majorVersionOf(libLLVMPath: string): number {
  return Number.parseInt(versionInName(basename(libLLVMPath)) ?? '0', 10);
}

function debianFolder(version: number): string {
  return `/usr/lib/llvm-${version}`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isNotNewer(clang: string, newest: number): boolean {
  try {
    const words = execFileSync(realpathSync(clang), ['--version'], {
      encoding: 'utf8',
      timeout: VERSION_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const version = Number(/clang version (\d+)/.exec(words)?.[1] ?? 0);
    return version >= SUPPORTED_LLVM.oldest && version <= newest;
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    if (['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'].includes(code))
      throw new CCompilerError(`cannot ask ${clang} for its version: ${message}`, { cause });
    // Not one that can be used.
    return false;
  }
}
