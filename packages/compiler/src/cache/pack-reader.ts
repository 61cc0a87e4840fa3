import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import type { OpenDirectory } from '../files/open-directory.js';
import {
  findInPack,
  isIntact,
  isSealed,
  PACK_HEADER_BYTES,
  type PackEntry,
  type PackPlace,
  packEntryCount,
  packIndexBytes,
  packPlaces,
  type Seal,
} from './pack.js';

/** Packs up to this size are read in one go: what belongs to one program lies together. */
const READ_WHOLE_BYTES = 2 * 1024 * 1024;
/** What the file is not: `damaged` files are ours, and of no use to anybody any more. */
export type PackRefusal = 'not-ours' | 'damaged';

/** An open pack. It stays readable when others remove it. */
export class PackReader {
  readonly name: string;
  readonly sizeBytes: number;
  readonly #fd: number | undefined;
  /** Header and index; of a small pack, all of it. */
  readonly #head: Buffer;
  readonly #index: Buffer;

  private constructor(name: string, sizeBytes: number, fd: number | undefined, head: Buffer, index: Buffer) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.#fd = fd;
    this.#head = head;
    this.#index = index;
  }

  /** Opens a file that only who has the key can have written. */
  static open(directory: OpenDirectory, name: string, seal: Seal): PackReader | PackRefusal {
    let fd: number;
    try {
      fd = directory.openFile(name, constants.O_RDONLY);
    } catch {
      // Gone meanwhile, a link, no file, or in a directory of this user's alone someone else's, or one that others may write to.
      return 'not-ours';
    }
    let keep = false;
    try {
      const { size } = fstatSync(fd);
      const isSmall = size <= READ_WHOLE_BYTES;
      let head = readAt(fd, 0, isSmall ? size : PACK_HEADER_BYTES);
      const count = head && packEntryCount(head, size);
      if (!head || count === undefined) return 'damaged';
      const indexBytes = packIndexBytes(count);
      if (!isSmall) head = readAt(fd, 0, indexBytes);
      const index = head?.subarray(0, indexBytes);
      if (!head || !index || !isSealed(index, seal)) return 'damaged';
      keep = !isSmall;
      return new PackReader(name, size, keep ? fd : undefined, head, index);
    } finally {
      if (!keep) closeSync(fd);
    }
  }

  get entryCount(): number {
    return (this.#index.length - PACK_HEADER_BYTES) / (packIndexBytes(1) - PACK_HEADER_BYTES);
  }

  has(key: Uint8Array): boolean {
    return findInPack(this.#index, key) !== undefined;
  }

  /** Undefined when the pack has no such key. */
  find(key: Uint8Array): Buffer | 'damaged' | undefined {
    const place = findInPack(this.#index, key);
    if (!place) return undefined;
    return this.#read(place) ?? 'damaged';
  }

  /** Every entry that is intact, up to as many bytes as there are. */
  *entries(): Generator<PackEntry> {
    let bytesLeft = this.sizeBytes;
    for (const { key, place } of packPlaces(this.#index)) {
      bytesLeft -= place.sizeBytes;
      if (bytesLeft < 0) return;
      const content = this.#read(place);
      if (content) yield { key, content };
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  /** Undefined when it is not what was stored. */
  #read(place: PackPlace): Buffer | undefined {
    const { offset, sizeBytes } = place;
    if (offset + sizeBytes > this.sizeBytes) return undefined;
    const content =
      this.#fd === undefined
        ? this.#head.subarray(offset, offset + sizeBytes)
        : readAt(this.#fd, offset, sizeBytes);
    return content && isIntact(content, place) ? content : undefined;
  }
}

/** Undefined when the file does not have them, or cannot be read. */
function readAt(fd: number, offset: number, sizeBytes: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  try {
    for (let done = 0; done < sizeBytes; ) {
      const count = readSync(fd, bytes, done, sizeBytes - done, offset + done);
      if (count === 0) return undefined;
      done += count;
    }
    return bytes;
  } catch {
    return undefined;
  }
}
