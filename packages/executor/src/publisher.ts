import type { PublishEntry } from './control-area.js';

/** A commit whose segments are written, and which nothing leads to yet. */
export interface WrittenCommit {
  /** What the runner must do before anything leads to the new code, in order. */
  readonly work: readonly PublishEntry[];
  /** Stores the pointers that lead to it. */
  storePointers(): void;
}

/**
 * Makes commits reachable, one after the other: the publish work first, then the pointers, and then whoever waits for
 * the code goes on. This is the one place where that order is kept.
 */
export class Publisher {
  readonly #doWork: (work: readonly PublishEntry[]) => Promise<void>;
  /** The last commit that waits for the runner; resolves, never rejects. */
  #last: Promise<unknown> | undefined;

  /** @param doWork resolves when the runner has done it; rejects when it is gone. Works in the order it is asked. */
  constructor(doWork: (work: readonly PublishEntry[]) => Promise<void>) {
    this.#doWork = doWork;
  }

  /** True while a commit waits for the runner: what comes after it has to wait, too. */
  get isBusy(): boolean {
    return this.#last !== undefined;
  }

  /**
   * Publishes a commit, after those before it.
   * @param reach called when pointers lead to the code: now, when there is nothing to wait for.
   * @returns what `reach` returns, in a promise where it had to wait, which rejects when the runner is gone.
   */
  publish<T>({ work, storePointers }: WrittenCommit, reach: () => T): T | Promise<T> {
    if (work.length === 0 && !this.#last) {
      storePointers();
      return reach();
    }
    const done = Promise.all([this.#last, this.#doWork(work)]).then(() => storePointers());
    // Before what comes behind it: that follows on the next line.
    const reached = done.then(reach);
    const settled = done
      .catch(() => {
        // Told to who asked for it; those behind it are told for themselves.
      })
      .then(() => {
        if (this.#last === settled) this.#last = undefined;
      });
    this.#last = settled;
    return reached;
  }
}
