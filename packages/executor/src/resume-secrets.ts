import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const SECRET_BYTES = 32;

/**
 * The secrets that one session can be resumed with, of which only digests are kept. Each resuming hands out the next.
 * The one it was done with stays good until the client has shown that it has the next, because the answer that carries
 * it can get lost.
 */
export class ResumeSecrets {
  #current: Buffer | undefined;
  /** Handed out, and not known to have arrived. */
  #next: Buffer | undefined;

  /** Makes the next secret; one that was handed out before and has not been shown to have arrived is void. */
  issue(): string {
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    this.#next = digest(secret);
    return secret;
  }

  /** What was handed out last has arrived: what it was had with is used up. */
  confirm(): void {
    if (!this.#next) return;
    this.#current = this.#next;
    this.#next = undefined;
  }

  /** Whether a secret is good. Taking the next one shows that it has arrived. */
  accepts(secret: string): boolean {
    const given = digest(secret);
    // Digests have one length, so that comparing takes one time.
    const isNext = this.#next !== undefined && timingSafeEqual(given, this.#next);
    const isCurrent = this.#current !== undefined && timingSafeEqual(given, this.#current);
    if (isNext) this.confirm();
    return isNext || isCurrent;
  }
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
