import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import {
  contentOf,
  findInPack,
  PACK_HEADER_BYTES,
  type PackEntry,
  type PackPlace,
  packEntryCount,
  packIndexBytes,
  packPlaces,
} from './pack.js';

/** Packs up to this size are read in one go: what belongs to one program lies together. */
const READ_WHOLE_BYTES = 2 * 1024 * 1024;
/** A link is not followed, and a pipe of that name is not waited for. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What the file is not: `damaged` files are ours, and of no use to anybody any more. */
export type PackRefusal = 'gone' | 'not-ours' | 'damaged';

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

  /** @param path of the file called `name`. */
  static open(path: string, name: string): PackReader | PackRefusal {
    let fd: number;
    try {
      fd = openSync(path, OPEN_FLAGS);
    } catch {
      return 'gone';
    }
    let keep = false;
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile() || stat.uid !== process.getuid?.()) return 'not-ours';
      const isSmall = stat.size <= READ_WHOLE_BYTES;
      let head = readAt(fd, 0, isSmall ? stat.size : PACK_HEADER_BYTES);
      const count = head && packEntryCount(head, stat.size);
      if (!head || count === undefined) return 'damaged';
      const indexBytes = packIndexBytes(count);
      if (!isSmall) head = readAt(fd, 0, indexBytes);
      if (!head) return 'damaged';
      keep = !isSmall;
      return new PackReader(name, stat.size, keep ? fd : undefined, head, head.subarray(0, indexBytes));
    } catch {
      return 'gone';
    } finally {
      if (!keep) closeSync(fd);
    }
  }

  get entryCount(): number {
    return (this.#index.length - PACK_HEADER_BYTES) / (packIndexBytes(1) - PACK_HEADER_BYTES);
  }

  /** Undefined when the pack has no such key. */
  find(key: Uint8Array): Buffer | 'damaged' | undefined {
    const place = findInPack(this.#index, key);
    if (!place) return undefined;
    const entry = this.#read(place);
    return (entry && contentOf(entry, key)) ?? 'damaged';
  }

  /** Every entry that is intact, up to as many bytes as there are: entries that overlap are nobody's. */
  *entries(): Generator<PackEntry> {
    let bytesLeft = this.sizeBytes;
    for (const { key, place } of packPlaces(this.#index)) {
      bytesLeft -= place.sizeBytes;
      if (bytesLeft < 0) return;
      const entry = this.#read(place);
      const content = entry && contentOf(entry, key);
      if (content) yield { key, content };
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  #read({ offset, sizeBytes }: PackPlace): Buffer | undefined {
    if (offset + sizeBytes > this.sizeBytes) return undefined;
    if (this.#fd !== undefined) return readAt(this.#fd, offset, sizeBytes);
    return this.#head.subarray(offset, offset + sizeBytes);
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
