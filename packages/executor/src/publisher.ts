/** A commit whose segments are written, and which nothing leads to yet. */
export interface WrittenCommit {
  /** Whether the runner must make its threads see the new code before anything leads to it. */
  readonly syncCore: boolean;
  /** Units of thread-local memory that its threads must be filled with before that. */
  readonly threadUnits: ReadonlySet<number>;
  /** Tells the unwinder of it, and then stores the pointers that lead to it. */
  connect(): void;
}

/** What the runner does before a commit can be reached. Each resolves when it is done, and rejects when the runner is gone. */
export interface PublishWork {
  syncCore(): Promise<void>;
  fillThreads(units: ReadonlySet<number>): Promise<void>;
}

/**
 * Makes commits reachable, one after the other: the runner's threads see the code and have its thread-local variables, then
 * the unwinder knows it and pointers lead to it, and then whoever waits for the code goes on. This is the one place where that
 * order is kept.
 */
export class Publisher {
  readonly #work: PublishWork;
  /** The last commit that waits for the runner; resolves, never rejects. */
  #last: Promise<unknown> | undefined;

  constructor(work: PublishWork) {
    this.#work = work;
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
  publish<T>(commit: WrittenCommit, reach: () => T | Promise<T>): T | Promise<T> {
    const { syncCore, threadUnits, connect } = commit;
    if (!syncCore && threadUnits.size === 0 && !this.#last) {
      connect();
      return reach();
    }
    const work = [
      this.#last,
      syncCore && this.#work.syncCore(),
      threadUnits.size > 0 && this.#work.fillThreads(threadUnits),
    ];
    const done = Promise.all(work).then(() => connect());
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
