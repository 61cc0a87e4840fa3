import { writeSync } from 'node:fs';
import { close, memfdCreate } from '../native/libc.js';
import { FILE, FILE_BYTES, FileKind } from '../native/shared-layout.js';
import { SLICE_BYTES, type Slices } from '../turns.js';
import type { GivenRoot, RootEntry } from './given-root.js';

const KINDS = {
  file: FileKind.regular,
  directory: FileKind.directory,
  writable: FileKind.writable,
  link: FileKind.link,
} as const;

/**
 * Writes the image that a runner makes its root of.
 * @returns a descriptor, which the caller closes.
 * @throws the system's error; then, and when it is not gone on with to its end, none is open.
 */
export function* writeImage({ entries, workingDirectory }: GivenRoot): Slices<number> {
  const fd = memfdCreate('farjit-files');
  let isWhole = false;
  try {
    yield* writeEntry(fd, { kind: 'link', path: Buffer.alloc(0), mode: 0, content: workingDirectory });
    for (const entry of entries) yield* writeEntry(fd, entry);
    isWhole = true;
    return fd;
  } finally {
    // Also when nobody goes on with it.
    if (!isWhole) close(fd);
  }
}

function* writeEntry(
  fd: number,
  { kind, path, mode, content }: Pick<RootEntry, 'kind' | 'path' | 'mode' | 'content'>,
): Slices<void> {
  const header = Buffer.alloc(FILE_BYTES + path.length);
  header.writeUInt32LE(KINDS[kind], FILE.kind);
  header.writeUInt32LE(mode, FILE.mode);
  header.writeBigUInt64LE(BigInt(path.length), FILE.pathBytes);
  header.writeBigUInt64LE(BigInt(content.byteLength), FILE.sizeBytes);
  path.copy(header, FILE_BYTES);
  writeWhole(fd, header);
  yield;
  for (let done = 0; done < content.byteLength; done += SLICE_BYTES) {
    writeWhole(fd, content.subarray(done, done + SLICE_BYTES));
    yield;
  }
}

function writeWhole(fd: number, content: Uint8Array): void {
  for (let done = 0; done < content.byteLength; ) done += writeSync(fd, content, done);
}
