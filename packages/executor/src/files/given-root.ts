import { type FileRoot, files, type GivenFile } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { formatLimit } from '@farjit/protocol/limits';
import { printable } from '@farjit/protocol/printable';
import type { Limits } from '../limits.js';
import type { StoredContent } from './content-store.js';

/** Folders in each other, and with those that paths go through, entries altogether: each is a file of the kernel's. */
const MAX_DEPTH = 64;
const MAX_ENTRIES = 4 * files.MAX_ENTRIES;
/** Where the runner makes the root. */
const STAGE = '.farjit';
const PAGE_BYTES = 4096;
/** What an entry costs the kernel beside its content: inode, name, and a page of a folder's or a link's. */
export const ENTRY_BYTES = 2048;

/** An entry of a root, checked: its folder is in front of it. */
export interface RootEntry {
  readonly kind: GivenFile['kind'];
  /** Without the slash in front. */
  readonly path: Buffer;
  readonly mode: number;
  /** Of a file, and of a link where it leads. */
  readonly content: Uint8Array;
  /** Whether it is a writable folder, or in one. */
  readonly isWritable: boolean;
}

/** All that a runner sees of files. */
export interface GivenRoot {
  readonly entries: readonly RootEntry[];
  readonly workingDirectory: Buffer;
  /** What the root takes of memory, without its writable folders. */
  readonly sizeBytes: number;
  /** Paths of the writable folders, in the order of the entries. */
  readonly writable: readonly Buffer[];
}

/**
 * @param contentOf what an entry's digest stands for, of those that this compiler has offered and sent.
 * @throws {RequestError} INVALID_PARAMS for paths that are none, or that go through what is no folder; LIMIT_EXCEEDED.
 */
export function checkRoot(
  { entries, workingDirectory }: FileRoot,
  contentOf: (digest: Uint8Array) => StoredContent | undefined,
  limits: Limits,
): GivenRoot {
  const given = new Map<string, GivenFile>();
  for (const entry of entries) {
    const path = checkPath(entry.path);
    if (given.has(path)) throw wrong(entry.path, 'is given twice');
    given.set(path, entry);
  }
  for (const path of [...given.keys()]) addFolders(path, given);
  const order = [...given].sort(([a], [b]) => (a < b ? -1 : 1));
  const root: RootEntry[] = [];
  const writable: Buffer[] = [];
  for (const [path, entry] of order) {
    const isWithin = foldersOf(path).some((folder) => given.get(folder)?.kind === 'writable');
    // All can be written in a folder that is in a writable one.
    const kind = entry.kind === 'writable' && isWithin ? 'directory' : entry.kind;
    if (kind === 'writable') writable.push(Buffer.from(path, 'latin1'));
    root.push({
      kind,
      path: Buffer.from(path.slice(1), 'latin1'),
      mode: modeOf(entry, isWithin),
      content: contentIn(entry, contentOf),
      isWritable: isWithin || kind === 'writable',
    });
  }
  const begin = Buffer.from(workingDirectory).toString('latin1');
  const beginning = given.get(begin)?.kind;
  if (begin !== '/' && beginning !== 'directory' && beginning !== 'writable')
    throw wrong(workingDirectory, 'is where the program is to begin, and is no folder that it is given');
  checkSpace(root, limits);
  return {
    entries: root,
    workingDirectory: Buffer.from(workingDirectory),
    sizeBytes: spaceOf(root.filter(({ isWritable }) => !isWritable)),
    writable,
  };
}

/** As text of one character a byte. @throws {RequestError} */
function checkPath(bytes: Uint8Array): string {
  const path = Buffer.from(bytes).toString('latin1');
  const names = path.split('/').slice(1);
  const isName = (name: string) =>
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    name.length <= files.MAX_NAME_BYTES &&
    !name.includes('\0');
  if (!path.startsWith('/') || !names.every(isName))
    throw wrong(bytes, 'is no absolute path without ".", ".." and slashes that say nothing');
  if (names.length > MAX_DEPTH) throw wrong(bytes, `has more than ${MAX_DEPTH} folders in each other`);
  if (names[0] === STAGE) throw wrong(bytes, `is in /${STAGE}, which is the runner's own`);
  return path;
}

/** Those that a path goes through, the inner ones first. */
function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    folders.push(path.slice(0, end));
  return folders;
}

function addFolders(path: string, given: Map<string, GivenFile>): void {
  for (const folder of foldersOf(path)) {
    const entry = given.get(folder);
    if (entry && entry.kind !== 'directory' && entry.kind !== 'writable')
      throw wrong(Buffer.from(path, 'latin1'), `goes through ${printable(folder)}, which is no folder`);
    if (entry) continue;
    given.set(folder, { kind: 'directory', path: Buffer.from(folder, 'latin1') });
    if (given.size > MAX_ENTRIES)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_ENTRIES} files and folders`);
  }
}

function modeOf(entry: GivenFile, isInWritable: boolean): number {
  if (entry.kind !== 'file') return 0o755;
  const executable = entry.isExecutable ? 0o111 : 0;
  return (isInWritable ? 0o644 : 0o444) | executable;
}

function contentIn(
  entry: GivenFile,
  contentOf: (digest: Uint8Array) => StoredContent | undefined,
): Uint8Array {
  if (entry.kind === 'link') {
    if (entry.target.includes(0)) throw wrong(entry.path, 'leads to what is no path');
    return entry.target;
  }
  if (entry.kind !== 'file') return new Uint8Array();
  const content = contentOf(entry.content.digest);
  if (!content || content.bytes.byteLength !== entry.content.sizeBytes)
    throw wrong(entry.path, 'has a content that was not offered, or is missing');
  return content.bytes;
}

function checkSpace(root: readonly RootEntry[], limits: Limits): void {
  const isWritten = root.filter(({ isWritable }) => isWritable);
  const space = isWritten.reduce((sum, { content }) => sum + pages(content.byteLength), 0);
  const [sizeLimit, spaceLimit, countLimit] = [
    limits['file-size'],
    limits['file-space'],
    limits['file-count'],
  ];
  const largest = Math.max(0, ...isWritten.map(({ content }) => content.byteLength));
  if (sizeLimit !== null && largest > sizeLimit) throw exceeded('file-size', sizeLimit);
  if (spaceLimit !== null && space > spaceLimit) throw exceeded('file-space', spaceLimit);
  if (countLimit !== null && isWritten.length > countLimit) throw exceeded('file-count', countLimit);
  if (limits.memory !== null && spaceOf(root) > limits.memory / 2) throw exceeded('memory', limits.memory);
}

function spaceOf(entries: readonly RootEntry[]): number {
  return entries.reduce((sum, { content }) => sum + pages(content.byteLength) + ENTRY_BYTES, 0);
}

function pages(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
}

function exceeded(name: 'file-size' | 'file-space' | 'file-count' | 'memory', value: number): RequestError {
  const part = name === 'memory' ? 'half of ' : '';
  return new RequestError(
    'LIMIT_EXCEEDED',
    `the files are more than ${part}the limit ${formatLimit({ name, value })}`,
  );
}

function wrong(path: Uint8Array, words: string): RequestError {
  return new RequestError('INVALID_PARAMS', `${printable(Buffer.from(path).toString())} ${words}`);
}
