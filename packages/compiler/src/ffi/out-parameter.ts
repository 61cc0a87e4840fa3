/** Room for one pointer or `size_t` that a C function writes through its argument. Zero until then. */
export function outPointer(): Buffer {
  return Buffer.alloc(8);
}

/** What the callee stored in an `outPointer`. */
export function readPointer<T extends bigint>(out: Buffer): T {
  return out.readBigUInt64LE() as T;
}
