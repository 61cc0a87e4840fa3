import { timingSafeEqual } from 'node:crypto';
import { sha256 } from './sha256.js';

/** Bytes of a key: a SHA-256 over all that an object depends on. */
export const KEY_BYTES = 32;
/** Written to every pack; a pack of another version is of no use to us. Grows whenever the layout below changes. */
const PACK_VERSION = 3;

/** `FARJITPK`, little-endian. */
const MAGIC = 0x4b50_5449_4a52_4146n;
const SEAL_OFFSET = 32;
export const PACK_HEADER_BYTES = 64;
const DIGEST_BYTES = 32;
const INDEX_ENTRY_BYTES = KEY_BYTES + DIGEST_BYTES + 8;
const MAX_PACK_BYTES = 0xffff_ffff;
/** Of header and index: some 900,000 entries. Whoever may write to a shared directory can make files that say they have more. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;

/** What a pack holds of one object. */
export interface PackEntry {
  /** `KEY_BYTES` long. */
  readonly key: Uint8Array;
  readonly content: Uint8Array;
}

/** 32 bytes that only who has the cache's key can make of these. */
export type Seal = (...parts: Uint8Array[]) => Uint8Array;

/** Bytes that an entry takes in a pack, besides the pack's header. */
export function packedBytes(content: Uint8Array): number {
  return INDEX_ENTRY_BYTES + content.byteLength;
}

/**
 * A pack: objects with an index, written once and never changed.
 *
 * All numbers are little-endian. The header is 64 bytes: u64 `FARJITPK`, u32 `PACK_VERSION`, u32 number of entries, u64
 * bytes of the whole, u64 0; and 32 bytes, the seal of these 32 and the index. The index follows, 72 bytes an entry, in
 * ascending order of the keys: 32 bytes key, 32 bytes SHA-256 of the content, u32 offset in the file, u32 bytes of
 * content. So the seal says of all that is in a pack who has written it. Contents lie in the order in which they were given.
 *
 * @param entries no key twice.
 */
export function writePack(entries: readonly PackEntry[], seal: Seal): Buffer {
  const sizeBytes = entries.reduce((total, { content }) => total + packedBytes(content), PACK_HEADER_BYTES);
  if (sizeBytes > MAX_PACK_BYTES) throw new RangeError(`a pack of ${sizeBytes} bytes is too large`);
  const pack = Buffer.allocUnsafeSlow(sizeBytes);
  pack.writeBigUInt64LE(MAGIC, 0);
  pack.writeUInt32LE(PACK_VERSION, 8);
  pack.writeUInt32LE(entries.length, 12);
  pack.writeBigUInt64LE(BigInt(sizeBytes), 16);
  pack.writeBigUInt64LE(0n, 24);
  const indexBytes = packIndexBytes(entries.length);
  let at = indexBytes;
  const placed = entries.map(({ key, content }) => {
    const offset = at;
    pack.set(content, offset);
    at += content.byteLength;
    return { key, content, offset };
  });
  placed.sort((a, b) => Buffer.compare(a.key, b.key));
  let indexAt = PACK_HEADER_BYTES;
  for (const { key, content, offset } of placed) {
    pack.set(key, indexAt);
    pack.set(sha256(content), indexAt + KEY_BYTES);
    pack.writeUInt32LE(offset, indexAt + KEY_BYTES + DIGEST_BYTES);
    pack.writeUInt32LE(content.byteLength, indexAt + KEY_BYTES + DIGEST_BYTES + 4);
    indexAt += INDEX_ENTRY_BYTES;
  }
  pack.set(sealOf(pack.subarray(0, indexBytes), seal), SEAL_OFFSET);
  return pack;
}

/** Number of entries that a header promises; undefined when it is none, or not of a file of this size. */
export function packEntryCount(header: Buffer, fileBytes: number): number | undefined {
  if (header.length < PACK_HEADER_BYTES || header.readBigUInt64LE(0) !== MAGIC) return undefined;
  if (header.readUInt32LE(8) !== PACK_VERSION || header.readBigUInt64LE(16) !== BigInt(fileBytes))
    return undefined;
  const count = header.readUInt32LE(12);
  return packIndexBytes(count) <= Math.min(fileBytes, MAX_INDEX_BYTES) ? count : undefined;
}

/** Bytes of header and index. */
export function packIndexBytes(entryCount: number): number {
  return PACK_HEADER_BYTES + INDEX_ENTRY_BYTES * entryCount;
}

/** Whether header and index are as they were written by somebody who has the key. */
export function isSealed(index: Buffer, seal: Seal): boolean {
  const found = index.subarray(SEAL_OFFSET, PACK_HEADER_BYTES);
  return timingSafeEqual(found, sealOf(index, seal));
}

function sealOf(index: Buffer, seal: Seal): Uint8Array {
  return seal(index.subarray(0, SEAL_OFFSET), index.subarray(PACK_HEADER_BYTES));
}

/** Where an entry's content is in its file, and the digest that it has to have. */
export interface PackPlace {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly digest: Uint8Array;
}

/** Looks a key up; `index` is the pack's header and index. */
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

/** Whether content is what was stored there. */
export function isIntact(content: Uint8Array, { digest }: PackPlace): boolean {
  return Buffer.compare(sha256(content), digest) === 0;
}

function entryCountOf(index: Buffer): number {
  return (index.length - PACK_HEADER_BYTES) / INDEX_ENTRY_BYTES;
}

function placeAt(index: Buffer, at: number): PackPlace {
  const digestAt = at + KEY_BYTES;
  const placeAt = digestAt + DIGEST_BYTES;
  return {
    digest: index.subarray(digestAt, placeAt),
    offset: index.readUInt32LE(placeAt),
    sizeBytes: index.readUInt32LE(placeAt + 4),
  };
}
