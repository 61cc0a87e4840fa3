/**
 * Milliseconds of a clock that never goes back, with parts of them; since when is the system's own affair. The global
 * `performance` tells the same, but to touch it loads Node's measuring tools.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
