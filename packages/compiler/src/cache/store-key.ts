import { createHmac, createSecretKey } from 'node:crypto';
import { FarJITError } from '@farjit/protocol/errors';
import { readTrustedFile } from '@farjit/protocol/file-trust';
import { systemErrorWords } from '../files/system-error.js';
import type { Seal } from './pack.js';

/** As `openssl rand -hex 32` makes one. */
const LEAST_CHARACTERS = 32;
const NAME_BYTES = 8;

/**
 * The key of an object store cannot be used.
 * @remarks Make one with `openssl rand -hex 32 > FILE`, and give the same to all compilers that share objects.
 */
export class StoreKeyError extends FarJITError {
  constructor(words: string, options?: ErrorOptions) {
    super('STORE_KEY', words, options);
  }
}

/** What those share who may write to an object store: objects that nobody else has sealed are found by nobody. */
export interface StoreKey {
  /** HMAC-SHA256 under the key. */
  readonly seal: Seal;
  /** Tells the objects of one key from those of another, and nothing of the key. */
  readonly name: string;
}

/**
 * @param secret at least 32 characters that nobody can guess.
 * @throws {StoreKeyError} for fewer.
 */
export function storeKey(secret: string): StoreKey {
  const text = secret.trim();
  if (text.length < LEAST_CHARACTERS)
    throw new StoreKeyError(
      `the key of an object store has ${text.length} characters, and needs ${LEAST_CHARACTERS} that nobody can guess: openssl rand -hex 32 makes them`,
    );
  const key = createSecretKey(Buffer.from(text));
  const seal: Seal = (...parts) => {
    const hmac = createHmac('sha256', key);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  };
  const name = Buffer.from(seal(Buffer.from('farjit object store')).subarray(0, NAME_BYTES)).toString('hex');
  return { seal, name };
}

/**
 * Reads a key from its file, which only this user and root may be able to change.
 * @throws {StoreKeyError}
 */
export function readStoreKey(path: string): string {
  let text: string;
  try {
    text = readTrustedFile(path);
  } catch (cause) {
    const words = cause instanceof FarJITError ? cause.message : systemErrorWords(cause);
    throw new StoreKeyError(`cannot read the key of the object store: ${words}`, { cause });
  }
  storeKey(text);
  return text.trim();
}
