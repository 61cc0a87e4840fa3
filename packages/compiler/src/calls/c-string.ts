import { ArgumentError } from '../core/argument-error.js';

/**
 * A text, or bytes that may be none, with the NUL that ends it in C.
 * @param what as an error calls it.
 * @throws {ArgumentError} when it has a NUL of its own, or half of a pair of surrogates, which is no character.
 */
export function cString(content: string | Uint8Array, what: string): Uint8Array {
  if (typeof content === 'string' && /\p{Cs}/u.test(content))
    throw new ArgumentError(`${what} contains a lone surrogate, which UTF-8 has not`);
  const bytes = Buffer.from(content);
  if (bytes.includes(0)) throw new ArgumentError(`${what} contains a NUL, with which a string ends in C`);
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}
