/** How long an answer holds: probes come from anybody, and each would start a process. */
const HOLDS_MS = 10_000;

/** Knows whether a runner can be started, without starting one each time it is asked. */
export class RunnerCheck {
  readonly #tryRunner: () => Promise<void>;
  readonly #nowMs: () => number;
  #checkedMs = Number.NEGATIVE_INFINITY;
  #isWell = true;
  #checking: Promise<void> | undefined;

  /**
   * @param tryRunner starts one and ends it; rejects when that is not possible.
   * @param nowMs a clock that never goes back.
   */
  constructor(tryRunner: () => Promise<void>, nowMs: () => number = () => performance.now()) {
    this.#tryRunner = tryRunner;
    this.#nowMs = nowMs;
  }

  /** A session has tried. */
  note(isWell: boolean): void {
    this.#isWell = isWell;
    this.#checkedMs = this.#nowMs();
  }

  /** Whether one could be started within the last ten seconds, or can be now. */
  async isWell(): Promise<boolean> {
    if (this.#nowMs() - this.#checkedMs >= HOLDS_MS) {
      this.#checking ??= this.#check();
      await this.#checking;
    }
    return this.#isWell;
  }

  async #check(): Promise<void> {
    try {
      await this.#tryRunner();
      this.note(true);
    } catch {
      this.note(false);
    } finally {
      this.#checking = undefined;
    }
  }
}
