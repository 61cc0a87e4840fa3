import { indirection } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Guard } from './guard.js';

/**
 * Least time between two notifications: what compiling a function costs at the level that is worth it, so later news
 * is early enough, and a runner that does nothing but ring costs the compiler a thousand messages a second at most.
 */
export const HOT_INTERVAL_MS = 1;

/**
 * Counters that may wait to be told: what one message carries. Further ones are dropped, which costs their functions
 * a better compilation; so many at once come from a runner that makes them up.
 */
export const MAX_WAITING_COUNTERS = indirection.MAX_HOT_COUNTERS;

/** Gathers counters that have reached their threshold, and tells them together. */
export class HotCounters {
  readonly #guard: Guard;
  readonly #notify: (counters: ExecutorAddr[]) => void;
  readonly #waiting = new Set<ExecutorAddr>();
  #timer: NodeJS.Timeout | undefined;
  #isLost = false;

  constructor(guard: Guard, notify: (counters: ExecutorAddr[]) => void) {
    this.#guard = guard;
    this.#notify = notify;
  }

  /** Tells it now or, when another was told just before, a little later. One that waits already is not told twice. */
  add(counter: ExecutorAddr): void {
    if (this.#isLost || (this.#waiting.size >= MAX_WAITING_COUNTERS && !this.#waiting.has(counter))) return;
    this.#waiting.add(counter);
    if (!this.#timer) this.#tell();
  }

  /** The runner is gone: nothing more is told. */
  lose(): void {
    this.#isLost = true;
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #tell(): void {
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const counters = [...this.#waiting];
    this.#waiting.clear();
    this.#timer = this.#guard.timer('runner.hot', () => this.#tell(), HOT_INTERVAL_MS);
    this.#notify(counters);
  }
}
