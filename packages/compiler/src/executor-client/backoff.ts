/** Before the second attempt; it doubles with each. The first is made at once. */
const FIRST_MS = 100;
const MAX_MS = 5_000;

/**
 * Milliseconds to wait after so many attempts that have failed: further and further apart, and at random times, so that an
 * executor that was away is not met by all of its compilers at once.
 */
export function backoffMs(failedCount: number): number {
  if (failedCount === 0) return 0;
  const mostMs = Math.min(FIRST_MS * 2 ** (failedCount - 1), MAX_MS);
  return mostMs / 2 + (Math.random() * mostMs) / 2;
}
