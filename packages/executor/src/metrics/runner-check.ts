import { monotonicMs } from '@farjit/protocol/clock';

/** How long an answer holds when a runner could be started. */
const WELL_MS = 60_000;
/** The same when none could: what is mended is soon known to be. */
const UNWELL_MS = 10_000;

/**
 * Knows whether a runner can be started: by what became of the last one that anybody wanted, or, when nobody has for a while,
 * by one that is tried. That goes by the clock alone, so that whoever asks has nothing started for him.
 */
export class RunnerCheck {
  readonly #tryRunner: () => Promise<void>;
  readonly #nowMs: () => number;
  #checkedMs = Number.NEGATIVE_INFINITY;
  #isWell = true;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  /**
   * @param tryRunner starts one and ends it; rejects when that is not possible.
   * @param nowMs a clock that never goes back.
   */
  constructor(tryRunner: () => Promise<void>, nowMs: () => number = monotonicMs) {
    this.#tryRunner = tryRunner;
    this.#nowMs = nowMs;
  }

  /** Looks now, and again and again. */
  begin(): void {
    if (this.#timer) return;
    this.#timer = setInterval(() => void this.look(), UNWELL_MS).unref();
    void this.look();
  }

  /** Looks no more. Resolves when nothing is being tried. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** A session has tried. */
  note(isWell: boolean): void {
    this.#isWell = isWell;
    this.#checkedMs = this.#nowMs();
  }

  /** Tries one, if it is time to. */
  async look(): Promise<void> {
    if (this.#nowMs() - this.#checkedMs < (this.#isWell ? WELL_MS : UNWELL_MS)) return;
    this.#looking ??= this.#try().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  /** Whether one could be started when that was last tried, which begins before anybody can ask. */
  async isWell(): Promise<boolean> {
    await this.#looking;
    return this.#isWell;
  }

  async #try(): Promise<void> {
    await this.#tryRunner().then(
      () => this.note(true),
      () => this.note(false),
    );
  }
}
