/** A commit whose segments are written, and which nothing leads to yet. */
export interface WrittenCommit {
  /** Whether the runner must make its threads see the new code before anything leads to it. */
  readonly syncCore: boolean;
  /** Tells the unwinder of it, and then stores the pointers that lead to it. */
  connect(): void;
}

/**
 * Makes commits reachable, one after the other: the runner's threads see the code, then the unwinder knows it and pointers
 * lead to it, and then whoever waits for the code goes on. This is the one place where that order is kept.
 */
export class Publisher {
  readonly #syncCore: () => Promise<void>;
  /** The last commit that waits for the runner; resolves, never rejects. */
  #last: Promise<unknown> | undefined;

  /** @param syncCore resolves when the runner has done it; rejects when it is gone. */
  constructor(syncCore: () => Promise<void>) {
    this.#syncCore = syncCore;
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
  publish<T>({ syncCore, connect }: WrittenCommit, reach: () => T | Promise<T>): T | Promise<T> {
    if (!syncCore && !this.#last) {
      connect();
      return reach();
    }
    const done = Promise.all([this.#last, syncCore && this.#syncCore()]).then(() => connect());
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
