import crypto from 'node:crypto';

/** In hexadecimal. In one call where Node has it, from 20.12 on: making an object for it takes longer than the hash of a function. */
function sha256(content: Uint8Array): string {
  const hashAtOnce: typeof crypto.hash | undefined = crypto.hash;
  return hashAtOnce
    ? hashAtOnce('sha256', content, 'hex')
    : crypto.createHash('sha256').update(content).digest('hex');
}

/** Bytes of artefacts that are kept at most. */
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * What compilations have had and made, by digest, while somebody wants it: events name an artefact, and whoever wants its
 * bytes asks for them. Those that were made first make room for others.
 */
export class Artefacts {
  readonly #maxBytes: number;
  readonly #byDigest = new Map<string, Uint8Array>();
  #bytes = 0;
  #wantedCount = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Whether somebody wants them. */
  get areKept(): boolean {
    return this.#wantedCount > 0;
  }

  /** Keeps them from now on. @returns what ends that; what is kept is forgotten when nobody wants it any more. */
  want(): () => void {
    this.#wantedCount++;
    let isWanted = true;
    return () => {
      if (!isWanted) return;
      isWanted = false;
      if (--this.#wantedCount > 0) return;
      this.#byDigest.clear();
      this.#bytes = 0;
    };
  }

  /** @returns the SHA-256 that it is kept under, in hexadecimal; undefined when nobody wants it. */
  keep(content: Uint8Array): string | undefined {
    if (!this.areKept) return undefined;
    const digest = sha256(content);
    if (this.#byDigest.has(digest)) return digest;
    this.#byDigest.set(digest, content);
    this.#bytes += content.byteLength;
    for (const [oldest, { byteLength }] of this.#byDigest) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#byDigest.delete(oldest);
      this.#bytes -= byteLength;
    }
    return digest;
  }

  /** Undefined when there is none of that digest, or it has made room for others. */
  get(digest: string): Uint8Array | undefined {
    return this.#byDigest.get(digest);
  }
}
