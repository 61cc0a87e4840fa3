/** An address in the executor's runner. Never a size: sizes are plain numbers ending in `Bytes`. */
export type ExecutorAddr = bigint & { readonly __brand: 'ExecutorAddr' };

/** No address: what a lookup answers for a symbol that does not exist. */
export const NULL_ADDR = 0n as ExecutorAddr;

/**
 * Brands a 64-bit unsigned value as an address.
 * @throws {RangeError} when `value` is negative or wider than 64 bits.
 */
export function toExecutorAddr(value: bigint | number): ExecutorAddr {
  const address = BigInt(value);
  if (address < 0n || address > 0xffff_ffff_ffff_ffffn)
    throw new RangeError(`${value} is not a 64-bit address`);
  return address as ExecutorAddr;
}

/** `address + offsetBytes`; the offset may be negative. */
export function addrAdd(address: ExecutorAddr, offsetBytes: number | bigint): ExecutorAddr {
  // Most of what is looked up is at the start of something.
  return offsetBytes === 0 ? address : toExecutorAddr(address + BigInt(offsetBytes));
}

/** `to - from` in bytes, as a number: only for two addresses of one reservation. */
export function addrOffset(from: ExecutorAddr, to: ExecutorAddr): number {
  return Number(to - from);
}

/** `0x` and lower-case hexadecimal digits, as LLVM prints addresses. */
export function formatAddr(address: bigint): string {
  return `0x${address.toString(16)}`;
}
