/** A compiler that was busy or suspended for a while misses one tick, and not what arrived meanwhile. */
const TICKS = 10;
/** Node's timers hold 31 bits. */
const MAX_TIMER_MS = 0x7fff_ffff;

/** Notices that a peer has stopped answering. */
export class AnswerDeadline {
  readonly #onPassed: (method: string, timeoutMs: number) => void;
  #pauses = 0;

  /** @param onPassed told once for each request whose time has passed. */
  constructor(onPassed: (method: string, timeoutMs: number) => void) {
    this.#onPassed = onPassed;
  }

  /**
   * Begins to wait for an answer.
   * @returns a function that ends the waiting, because the answer is there or nobody wants it any more.
   */
  expect(method: string, timeoutMs: number): () => void {
    let ticks = 0;
    const timer = setInterval(
      () => {
        if (this.#pauses > 0) return;
        if (++ticks < TICKS) return;
        clearInterval(timer);
        this.#onPassed(method, timeoutMs);
      },
      Math.min(timeoutMs / TICKS, MAX_TIMER_MS),
    );
    return () => clearInterval(timer);
  }

  /** Time does not count until `until` has settled: nothing is received meanwhile. */
  async pause(until: Promise<unknown>): Promise<void> {
    this.#pauses++;
    try {
      await until;
    } finally {
      this.#pauses--;
    }
  }
}
