import crypto from 'node:crypto';

/** SHA-256. */
export function sha256(bytes: Uint8Array): Buffer {
  // In one call where Node has it, from 20.12 on: making an object for it takes longer than hashing a small function.
  const hashAtOnce: typeof crypto.hash | undefined = crypto.hash;
  return hashAtOnce
    ? hashAtOnce('sha256', bytes, 'buffer')
    : crypto.createHash('sha256').update(bytes).digest();
}

/** Loads what Node hashes with: the first hash takes as long as to compile a function, unless this was done while something was waited for. */
export function prepareSHA256(): void {
  void crypto.hash;
}
