/** Failures kept for the calls that contained them: more than threads one runner can block. */
const MAX_KEPT_FAILURES = 1024;

/** Why callbacks of a runner have failed, by the tokens that its executor hands back with calls that ended over them. */
export class CallbackFailures {
  readonly #failures = new Map<number, Error>();
  /** Those that no call has been rejected with. */
  readonly #untold = new Map<number, Error>();
  /** Somebody has been told of the runner's end: others that fail over it, now or later, have nothing to add. */
  #isEndTold = false;
  #nextToken = 1;

  /** @returns its token. */
  keep(error: Error): number {
    const token = this.#nextToken;
    this.#nextToken = (this.#nextToken % 0x7fff_ffff) + 1;
    this.#failures.set(token, error);
    if (!this.#isEndTold) this.#untold.set(token, error);
    for (const kept of [this.#failures, this.#untold]) {
      const [oldest] = kept.keys();
      if (kept.size > MAX_KEPT_FAILURES && oldest !== undefined) kept.delete(oldest);
    }
    return token;
  }

  /** The error that a call is rejected with. */
  tell(token: number): Error | undefined {
    this.#untold.delete(token);
    return this.#failures.get(token);
  }

  /** The runner has ended over what a call was rejected with. */
  noteEndTold(): void {
    this.#isEndTold = true;
    this.#untold.clear();
  }

  /**
   * The first that no call was told of, once: what has failed on a thread that no call ran on, and has ended the runner.
   */
  takeUntold(): Error | undefined {
    const [first] = this.#untold.values();
    if (first) this.noteEndTold();
    return first;
  }
}
