import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** As much of an ELF file as is looked at: linkers put program headers and notes at its start. */
const HEAD_BYTES = 4096;

const ELF_MAGIC = 0x7f45_4c46;
/** `EI_CLASS` 64 bits, `EI_DATA` little-endian. */
const ELFCLASS64_LSB = 0x0102;
const PT_NOTE = 4;
const NT_GNU_BUILD_ID = 3;
const NOTE_HEADER_BYTES = 12;

/**
 * Names a shared library's exact build without loading it: the GNU build ID that its linker put there, else its path,
 * size and time.
 * @throws the system's error when the file cannot be read.
 */
export function libraryIdentity(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const length = readSync(fd, head, 0, HEAD_BYTES, 0);
    const buildId = findBuildId(head.subarray(0, length));
    if (buildId) return `build-id ${buildId}`;
    const { size, mtimeMs } = fstatSync(fd);
    return `file ${path} ${size} ${mtimeMs}`;
  } finally {
    closeSync(fd);
  }
}

/** The NT_GNU_BUILD_ID note of a 64-bit little-endian ELF file, when it lies in these first bytes of it. */
export function findBuildId(head: Buffer): string | undefined {
  if (head.length < 64 || head.readUInt32BE(0) !== ELF_MAGIC || head.readUInt16LE(4) !== ELFCLASS64_LSB)
    return undefined;
  const tableOffset = Number(head.readBigUInt64LE(32));
  const entryBytes = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  for (let i = 0; i < count; i++) {
    const at = tableOffset + i * entryBytes;
    if (at + 56 > head.length) return undefined;
    if (head.readUInt32LE(at) !== PT_NOTE) continue;
    const offset = Number(head.readBigUInt64LE(at + 8));
    const sizeBytes = Number(head.readBigUInt64LE(at + 32));
    const found = buildIdIn(head.subarray(offset, offset + sizeBytes));
    if (found) return found;
  }
  return undefined;
}

function buildIdIn(notes: Buffer): string | undefined {
  for (let at = 0; at + NOTE_HEADER_BYTES <= notes.length; ) {
    const nameBytes = notes.readUInt32LE(at);
    const contentBytes = notes.readUInt32LE(at + 4);
    const nameAt = at + NOTE_HEADER_BYTES;
    const contentAt = nameAt + padded(nameBytes);
    const end = contentAt + contentBytes;
    if (end > notes.length) return undefined;
    const isGNU = notes.toString('latin1', nameAt, nameAt + nameBytes) === 'GNU\0';
    if (isGNU && notes.readUInt32LE(at + 8) === NT_GNU_BUILD_ID && contentBytes > 0)
      return notes.toString('hex', contentAt, end);
    at = contentAt + padded(contentBytes);
  }
  return undefined;
}

function padded(sizeBytes: number): number {
  return 4 * Math.ceil(sizeBytes / 4);
}
