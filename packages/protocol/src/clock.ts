/**
 * Milliseconds of a clock that never goes back, with parts of them; since when is the system's own affair. The global
 * `performance` tells the same, but to touch it loads Node's measuring tools.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Whole nanoseconds of that clock since `originNs`: exact for a hundred days. */
export function nanosecondsSince(originNs: bigint): number {
  return Number(process.hrtime.bigint() - originNs);
}
