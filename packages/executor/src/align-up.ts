/** `value` rounded up to a multiple of `alignment`, a power of two. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
