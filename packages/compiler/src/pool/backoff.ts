import { setTimeout as delay } from 'node:timers/promises';

const FIRST_MS = 100;
const MOST_MS = 5000;

/** Waits longer from attempt to attempt, and never as long as others do that failed at the same moment. */
export function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  const fullMs = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return delay(fullMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
}
