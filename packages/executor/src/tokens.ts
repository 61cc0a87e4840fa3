import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Quotas } from './identity.js';

/** Of a token that is made here: nobody guesses it. */
const TOKEN_BYTES = 32;
/** Of a token that was given without a name. */
const DEFAULT_TOKEN_NAME = 'default';

/** Somebody who may connect. Several entries with one name are one identity, as while its token is replaced. */
export interface CredentialEntry {
  readonly name: string;
  /** From then on it is refused; milliseconds since 1970. */
  readonly expiresMs?: number;
  readonly quotas: Quotas;
}

/** A token, of which only the SHA-256 is kept: who reads it cannot connect with it. */
export interface TokenEntry extends CredentialEntry {
  readonly sha256: Uint8Array;
}

/** Who may connect. */
export interface Credentials {
  readonly tokens: readonly TokenEntry[];
  /** What is said of client certificates by the common name of their subject. Others that the CA has signed are let in. */
  readonly certificates: readonly CredentialEntry[];
}

/** A new token: 256 random bits that travel in a header as they are. */
export function makeToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/**
 * The hash a token is kept as. A slow, salted hash is for passwords that people think up: it would add nothing to a
 * token of 256 random bits, and would let strangers keep the host busy with hashing.
 */
export function hashToken(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

/** Credentials that are one token and no more. */
export function loneToken(token: string): Credentials {
  return {
    tokens: [{ name: DEFAULT_TOKEN_NAME, sha256: hashToken(token), quotas: {} }],
    certificates: [],
  };
}

/** The entry of a token. It is compared with all of them, so that time tells nothing about which comes close. */
export function findToken(tokens: readonly TokenEntry[], token: string): TokenEntry | undefined {
  const given = hashToken(token);
  let found: TokenEntry | undefined;
  for (const entry of tokens) if (timingSafeEqual(given, entry.sha256)) found = entry;
  return found;
}
