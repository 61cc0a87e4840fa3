import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { readBoundedFile } from '../files/bounded-file.js';
import { type CLanguage, LANGUAGE_OF_SUFFIX } from '../frontends/llvm/c-language.js';
import { type InputKind, inputKindOf } from '../frontends/llvm/input-kind.js';
import { SourceFileError } from './read-source.js';

/** What a file of a program is. */
export type ProgramKind = InputKind | 'assembly' | CLanguage;

/** A file that a linker links. */
export interface ProgramFile {
  readonly path: string;
  readonly kind: ProgramKind;
}

/** Largest file: what a code generator takes. */
const MAX_INPUT_BYTES = 256 * 1024 * 1024;
const MAGIC_BYTES = 8;

/** Texts in which nothing is defined. */
const MAY_BE_EMPTY: ReadonlySet<ProgramKind> = new Set<ProgramKind>([
  'assembly',
  'c',
  'c++',
  'assembler',
  'assembler-with-cpp',
]);

/** What files are by their names, when they do not begin as anything that is known. */
const KIND_OF_SUFFIX: ReadonlyMap<string, ProgramKind> = new Map<string, ProgramKind>([
  ['.ll', 'assembly'],
  ['.bc', 'bitcode'],
  ['.o', 'object'],
  ['.a', 'archive'],
  ...LANGUAGE_OF_SUFFIX,
]);

/** What C++ leaves in objects, archives, bitcode and LLVM assembly: names of its library. */
const CXX_NAMES = ['__gxx_personality_v0', '_ZSt', '_ZNSt', '_ZNKSt', '_Znw', '_Zdl', '__cxa_throw'];

/** Files of a program, sorted by what they are. */
export interface ProgramFiles {
  /** Of languages that a linker links. */
  readonly linked: readonly ProgramFile[];
  /** Paths of what is left, which is Kaleidoscope. */
  readonly kaleidoscope: readonly string[];
}

/** Sorts files by content, then by name. */
export function programFiles(paths: readonly string[]): ProgramFiles {
  const linked: ProgramFile[] = [];
  const kaleidoscope: string[] = [];
  for (const path of paths) {
    const kind = kindByContent(path) ?? KIND_OF_SUFFIX.get(extname(path));
    if (kind === undefined) kaleidoscope.push(path);
    else linked.push({ path, kind });
  }
  return { linked, kaleidoscope };
}

/**
 * @param signal ends the wait for a pipe.
 * @throws {SourceFileError}
 */
export async function readInput({ path, kind }: ProgramFile, signal: AbortSignal): Promise<Buffer> {
  try {
    const content = await readBoundedFile(path, MAX_INPUT_BYTES, signal);
    if (content.byteLength === 0 && !MAY_BE_EMPTY.has(kind)) throw new RangeError('it is empty');
    return content;
  } catch (error) {
    throw new SourceFileError(path, error);
  }
}

/** Whether a file wants the C++ library. */
export function isCxx({ kind }: ProgramFile, content: Buffer): boolean {
  if (kind === 'c++') return true;
  const isCompiled = kind === 'object' || kind === 'archive' || kind === 'bitcode' || kind === 'assembly';
  return isCompiled && CXX_NAMES.some((name) => content.includes(name));
}

/** Of a file; what comes through a pipe can be looked at once only. */
function kindByContent(path: string): InputKind | undefined {
  const start = Buffer.alloc(MAGIC_BYTES);
  try {
    if (path === '-' || !statSync(path).isFile()) return undefined;
    const fd = openSync(path, 'r');
    try {
      return inputKindOf(start.subarray(0, readSync(fd, start, 0, MAGIC_BYTES, 0)));
    } finally {
      closeSync(fd);
    }
  } catch {
    // Whoever reads it says why it cannot be read.
    return undefined;
  }
}
