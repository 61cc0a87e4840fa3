import { files } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';

/** Contents of all identities that runners are given, or that are on their way. */
const MAX_HELD_BYTES = 1024 * 1024 * 1024;
/** Of those that no session needs now, kept for the next that does. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** A content that an identity has sent. */
export interface StoredContent {
  readonly bytes: Uint8Array;
}

interface Stored extends StoredContent {
  readonly owner: string;
  readonly digest: string;
  /** Sessions that need it. */
  pinCount: number;
}

/**
 * Contents of files by their digest, for each identity those that it has sent itself: who knows a digest gets nothing by it. Those that
 * no session needs are kept as long as there is room, the last ones for longest.
 */
export class ContentStore {
  readonly #byOwner = new Map<string, Map<string, Stored>>();
  /** Without pins, the oldest first. */
  readonly #kept = new Set<Stored>();
  readonly #heldBytes = new Map<string, number>();
  #allHeldBytes = 0;
  #keptBytes = 0;

  /** Bytes that an identity has in use or on their way. */
  heldBytesOf(owner: string): number {
    return this.#heldBytes.get(owner) ?? 0;
  }

  /** What an identity has sent, until it is given back; undefined for what it has not. */
  take(owner: string, digest: string, sizeBytes: number): StoredContent | undefined {
    const stored = this.#byOwner.get(owner)?.get(digest);
    if (!stored || stored.bytes.byteLength !== sizeBytes) return undefined;
    if (stored.pinCount === 0) {
      this.reserve(owner, sizeBytes);
      this.#kept.delete(stored);
      this.#keptBytes -= sizeBytes;
    }
    stored.pinCount++;
    return stored;
  }

  /**
   * Room for a content that is on its way; what is added takes it over.
   * @throws {RequestError} LIMIT_EXCEEDED
   */
  reserve(owner: string, sizeBytes: number): void {
    const held = this.heldBytesOf(owner) + sizeBytes;
    if (held > files.MAX_GIVEN_BYTES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `files of ${held} bytes at a time, and there is room for ${files.MAX_GIVEN_BYTES}`,
      );
    if (this.#allHeldBytes + sizeBytes > MAX_HELD_BYTES)
      throw new RequestError('LIMIT_EXCEEDED', "the executor holds too many others' files now");
    this.#heldBytes.set(owner, held);
    this.#allHeldBytes += sizeBytes;
  }

  /** Gives room back that nothing was added in. */
  unreserve(owner: string, sizeBytes: number): void {
    const held = this.heldBytesOf(owner) - sizeBytes;
    if (held > 0) this.#heldBytes.set(owner, held);
    else this.#heldBytes.delete(owner);
    this.#allHeldBytes -= sizeBytes;
  }

  /** Keeps what has come, in the room that is reserved for it, until it is given back. */
  add(owner: string, digest: string, bytes: Uint8Array): StoredContent {
    const own = this.#byOwner.get(owner) ?? new Map<string, Stored>();
    this.#byOwner.set(owner, own);
    const present = own.get(digest);
    if (present) {
      // Two sessions have sent it at a time.
      this.unreserve(owner, bytes.byteLength);
      return this.take(owner, digest, bytes.byteLength) ?? present;
    }
    const stored: Stored = { owner, digest, bytes, pinCount: 1 };
    own.set(digest, stored);
    return stored;
  }

  /** A session needs it no more. */
  giveBack(content: StoredContent): void {
    const stored = content as Stored;
    if (--stored.pinCount > 0) return;
    this.unreserve(stored.owner, stored.bytes.byteLength);
    this.#kept.add(stored);
    this.#keptBytes += stored.bytes.byteLength;
    for (const oldest of this.#kept) {
      if (this.#keptBytes <= MAX_KEPT_BYTES) break;
      this.#forget(oldest);
    }
  }

  #forget(stored: Stored): void {
    this.#kept.delete(stored);
    this.#keptBytes -= stored.bytes.byteLength;
    const own = this.#byOwner.get(stored.owner);
    own?.delete(stored.digest);
    if (own?.size === 0) this.#byOwner.delete(stored.owner);
  }
}
