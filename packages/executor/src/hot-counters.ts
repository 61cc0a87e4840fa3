import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Guard } from './guard.js';

/**
 * Least time between two looks at the counters: what compiling a function costs at the level that is worth it, so later
 * news is early enough.
 */
export const HOT_INTERVAL_MS = 1;
/**
 * Counters that may be told in a millisecond, on average: more than a compiler compiles. A runner that makes them up has
 * the host work for it a fiftieth of the time.
 */
export const COUNTERS_PER_MS = 64;
/** Pages looked into at a time, which hold no more counters than one message. */
export const PAGES_PER_LOOK = 4;

/** Where counters are that have reached their threshold. */
export interface HotSource {
  /** Called before bits are taken: what is set later is rung for. */
  clearPending(): void;
  takePages(limit: number): number[];
  /** Addresses of counters of a page; undefined when there can be none. */
  takeCounters(page: number): ExecutorAddr[] | undefined;
}

export interface HotCountersOptions {
  readonly guard: Guard;
  readonly source: HotSource;
  readonly notify: (counters: ExecutorAddr[]) => void;
  /** The runner breaks the contract. */
  readonly fault: (message: string) => void;
}

/** Gathers counters that have reached their threshold, and tells them together. */
export class HotCounters {
  readonly #options: HotCountersOptions;
  #timer: NodeJS.Timeout | undefined;
  /** A bell was heard, and nobody has looked since. */
  #isRung = false;
  #hasMore = false;
  #isLost = false;

  constructor(options: HotCountersOptions) {
    this.#options = options;
  }

  /** The HOT bell: looks now or, after a look just before, a little later. The runner rings once for each look. */
  onBell(): void {
    if (this.#isRung) return this.#options.fault('the runner rang with HOT before anybody had looked');
    this.#isRung = true;
    if (!this.#timer) this.#look();
  }

  /** The runner is gone: nothing more is told. */
  lose(): void {
    this.#isLost = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#isLost || !(this.#isRung || this.#hasMore)) return;
    const { guard, source, notify, fault } = this.#options;
    if (this.#isRung) {
      this.#isRung = false;
      source.clearPending();
    }
    const pages = source.takePages(PAGES_PER_LOOK);
    this.#hasMore = pages.length === PAGES_PER_LOOK;
    const counters: ExecutorAddr[] = [];
    for (const page of pages) {
      const found = source.takeCounters(page);
      if (!found)
        return fault(`the runner counts in page ${page} of the data part, where there are no counters`);
      counters.push(...found);
    }
    const restMs = Math.max(HOT_INTERVAL_MS, counters.length / COUNTERS_PER_MS);
    this.#timer = guard.timer('runner.hot', () => this.#look(), restMs);
    if (counters.length > 0) notify(counters);
  }
}
