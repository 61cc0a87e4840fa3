import { monotonicMs } from './clock.js';
import type { TransportClose } from './transport.js';

/** Frames a peer may send in any one second before its session is open: opening one takes one, and a few retries. */
export const MAX_UNOPENED_FRAMES = 32;
/** Largest frame before the session is open: openSession with room to spare, so that a stranger costs little memory. */
export const MAX_UNOPENED_FRAME_BYTES = 65_536;
/** Milliseconds from the connection to the open session: a slow machine has loaded its compiler in a third of it. */
export const MAX_UNOPENED_MS = 30_000;
/** Handshakes from one address refused in any one second; until the next, all from there are turned away. */
export const MAX_REFUSED_HANDSHAKES = 20;

const WINDOW_MS = 1000;

/** So many in any one second. */
export class RateLimit {
  readonly #limit: number;
  readonly #nowMs: () => number;
  /** When each of the last `limit` was taken, oldest first. */
  readonly #takenMs: number[] = [];

  /** @param nowMs a clock that never goes back. */
  constructor(limit: number, nowMs: () => number = monotonicMs) {
    this.#limit = limit;
    this.#nowMs = nowMs;
  }

  /** Whether another one would be too many now. */
  get isExhausted(): boolean {
    const oldestMs = this.#takenMs[0];
    return (
      this.#takenMs.length === this.#limit && oldestMs !== undefined && this.#nowMs() - oldestMs < WINDOW_MS
    );
  }

  /** Does not count the last one any more. */
  giveBack(): void {
    this.#takenMs.pop();
  }

  /** Counts one. @returns false when it is one too many; then it does not count. */
  take(): boolean {
    if (this.isExhausted) return false;
    if (this.#takenMs.length === this.#limit) this.#takenMs.shift();
    this.#takenMs.push(this.#nowMs());
    return true;
  }
}

/** What a peer may send before its session is open. */
export class UnopenedLimits {
  readonly #frames: RateLimit;

  constructor(nowMs?: () => number) {
    this.#frames = new RateLimit(MAX_UNOPENED_FRAMES, nowMs);
  }

  /** @returns how to close the connection when the frame is too much. */
  admit(sizeBytes: number): TransportClose | undefined {
    if (sizeBytes > MAX_UNOPENED_FRAME_BYTES)
      return { code: 1009, reason: `a frame of ${sizeBytes} bytes before the session is open` };
    if (!this.#frames.take())
      return {
        code: 1008,
        reason: `more than ${MAX_UNOPENED_FRAMES} frames in a second before the session is open`,
      };
    return undefined;
  }
}
