/** A caller's bytes as they are now, whatever becomes of theirs: `slice` of a `Buffer` is no copy. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
