import { sha256 } from './sha256.js';

/** Bytes of a key: a SHA-256 over all that an object depends on. */
export const KEY_BYTES = 32;
/** Written to every pack; a pack of another version is of no use to us. Grows whenever the layout below changes. */
const PACK_VERSION = 2;

/** `FARJITPK`, little-endian. */
const MAGIC = 0x4b50_5449_4a52_4146n;
export const PACK_HEADER_BYTES = 32;
const INDEX_ENTRY_BYTES = KEY_BYTES + 8;
const DIGEST_BYTES = 32;
/** Of an entry, in front of its content. */
const ENTRY_HEADER_BYTES = DIGEST_BYTES + KEY_BYTES;
const MAX_PACK_BYTES = 0xffff_ffff;

/** What a pack holds of one object. */
export interface PackEntry {
  /** `KEY_BYTES` long. */
  readonly key: Uint8Array;
  readonly content: Uint8Array;
}

/** Bytes that an entry takes in a pack, besides the pack's header. */
export function packedBytes(content: Uint8Array): number {
  return INDEX_ENTRY_BYTES + ENTRY_HEADER_BYTES + content.byteLength;
}

/**
 * A pack: objects with an index, written once and never changed.
 *
 * All numbers are little-endian. The header is 32 bytes: u64 `FARJITPK`, u32 `PACK_VERSION`, u32 number of entries, u64
 * bytes of the whole, u64 0. The index follows, 40 bytes an entry, in ascending order of the keys: 32 bytes key, u32
 * offset in the file, u32 bytes of content. At the offset are 32 bytes, the SHA-256 over what follows: the key once more,
 * and the content. Entries lie in the order in which they were given.
 *
 * @param entries no key twice.
 */
export function writePack(entries: readonly PackEntry[]): Buffer {
  const sizeBytes = entries.reduce((total, { content }) => total + packedBytes(content), PACK_HEADER_BYTES);
  if (sizeBytes > MAX_PACK_BYTES) throw new RangeError(`a pack of ${sizeBytes} bytes is too large`);
  const pack = Buffer.allocUnsafeSlow(sizeBytes);
  pack.writeBigUInt64LE(MAGIC, 0);
  pack.writeUInt32LE(PACK_VERSION, 8);
  pack.writeUInt32LE(entries.length, 12);
  pack.writeBigUInt64LE(BigInt(sizeBytes), 16);
  pack.writeBigUInt64LE(0n, 24);
  let at = PACK_HEADER_BYTES + INDEX_ENTRY_BYTES * entries.length;
  const placed = entries.map(({ key, content }) => {
    const offset = at;
    pack.set(key, offset + DIGEST_BYTES);
    pack.set(content, offset + ENTRY_HEADER_BYTES);
    at = offset + ENTRY_HEADER_BYTES + content.byteLength;
    pack.set(sha256(pack.subarray(offset + DIGEST_BYTES, at)), offset);
    return { key, offset, contentBytes: content.byteLength };
  });
  placed.sort((a, b) => Buffer.compare(a.key, b.key));
  let indexAt = PACK_HEADER_BYTES;
  for (const { key, offset, contentBytes } of placed) {
    pack.set(key, indexAt);
    pack.writeUInt32LE(offset, indexAt + KEY_BYTES);
    pack.writeUInt32LE(contentBytes, indexAt + KEY_BYTES + 4);
    indexAt += INDEX_ENTRY_BYTES;
  }
  return pack;
}

/** Number of entries that a header promises; undefined when it is none, or not of a file of this size. */
export function packEntryCount(header: Buffer, fileBytes: number): number | undefined {
  if (header.length < PACK_HEADER_BYTES || header.readBigUInt64LE(0) !== MAGIC) return undefined;
  if (header.readUInt32LE(8) !== PACK_VERSION || header.readBigUInt64LE(16) !== BigInt(fileBytes))
    return undefined;
  const count = header.readUInt32LE(12);
  return packIndexBytes(count) <= fileBytes ? count : undefined;
}

/** Bytes of header and index. */
export function packIndexBytes(entryCount: number): number {
  return PACK_HEADER_BYTES + INDEX_ENTRY_BYTES * entryCount;
}

/** Where an entry is in its file, digest and key included. */
export interface PackPlace {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Looks a key up; `index` is the pack's header and index. An index that is out of order hides entries, no more. */
export function findInPack(index: Buffer, key: Uint8Array): PackPlace | undefined {
  let low = 0;
  let high = entryCountOf(index);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = packIndexBytes(middle);
    const order = index.compare(key, 0, KEY_BYTES, at, at + KEY_BYTES);
    if (order === 0) return placeAt(index, at);
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

/** All entries of a pack by their index. */
export function* packPlaces(index: Buffer): Generator<{ key: Buffer; place: PackPlace }> {
  for (let number = 0; number < entryCountOf(index); number++) {
    const at = packIndexBytes(number);
    yield { key: index.subarray(at, at + KEY_BYTES), place: placeAt(index, at) };
  }
}

/** The content of an entry's bytes; undefined unless it is what was stored under `key`. */
export function contentOf(entry: Buffer, key: Uint8Array): Buffer | undefined {
  if (entry.length < ENTRY_HEADER_BYTES) return undefined;
  const isIntact =
    entry.compare(key, 0, KEY_BYTES, DIGEST_BYTES, ENTRY_HEADER_BYTES) === 0 &&
    entry.compare(sha256(entry.subarray(DIGEST_BYTES)), 0, DIGEST_BYTES, 0, DIGEST_BYTES) === 0;
  return isIntact ? entry.subarray(ENTRY_HEADER_BYTES) : undefined;
}

function entryCountOf(index: Buffer): number {
  return (index.length - PACK_HEADER_BYTES) / INDEX_ENTRY_BYTES;
}

function placeAt(index: Buffer, at: number): PackPlace {
  const contentBytes = index.readUInt32LE(at + KEY_BYTES + 4);
  return { offset: index.readUInt32LE(at + KEY_BYTES), sizeBytes: ENTRY_HEADER_BYTES + contentBytes };
}
