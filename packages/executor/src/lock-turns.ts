import { monotonicMs } from '@farjit/protocol/clock';
import { FewAtOnce } from './few-at-once.js';

/** Each takes a thread: Node has four, and others need some. */
const QUICK_PLACES = 2;
const SLOW_PLACES = 1;
/** To read maps or memory takes a millisecond, or 30 where there are as many mappings as there may be; more on a busy machine. */
const SLOW_MS = 250;
/** Whose reading was slow is not among the quick for so many times as long: nobody is slow there for more than a hundredth of the time. */
const SLOW_FACTOR = 100;

/**
 * Places for what takes the lock of a runner's memory, which its program can hold for seconds by changing rights of much
 * memory in many threads. Those who have been slow have a place of their own, so that they wait for each other, and hold up
 * those who are quick no more than once in a while.
 */
export class LockPlaces {
  readonly #quick = new FewAtOnce(QUICK_PLACES);
  readonly #slow = new FewAtOnce(SLOW_PLACES);

  /** Takes a place. Resolves with what `work` does. */
  run<T>(isSlow: boolean, work: () => Promise<T>): Promise<T> {
    return (isSlow ? this.#slow : this.#quick).run(work);
  }
}

/** What takes the lock of one runner's memory: one at a time, so that a runner has no more than one place. */
export class LockTurns {
  readonly #places: LockPlaces;
  readonly #own = new FewAtOnce(1);
  #slowUntilMs = Number.NEGATIVE_INFINITY;

  constructor(places: LockPlaces) {
    this.#places = places;
  }

  /** Resolves with what `work` does, when it is its turn; with `isNext`, before others of the runner's that wait. */
  run<T>(work: () => Promise<T>, isNext = false): Promise<T> {
    const timed = async () => {
      const startMs = monotonicMs();
      try {
        return await work();
      } finally {
        const endMs = monotonicMs();
        const tookMs = endMs - startMs;
        if (tookMs > SLOW_MS) this.#slowUntilMs = endMs + SLOW_FACTOR * tookMs;
      }
    };
    return this.#own.run(() => this.#places.run(monotonicMs() < this.#slowUntilMs, timed), isNext);
  }
}
