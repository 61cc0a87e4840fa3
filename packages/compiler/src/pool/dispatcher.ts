import type { JIT } from '../jit/jit.js';
import { type PoolExecutor, TASKS_PER_EXECUTOR } from './pool-executor.js';

/** A piece of work for the executor that took it. Never rejects. */
export type Task = () => Promise<void>;

/** Has work for executors, one piece after the other. */
export interface TaskSource<Session extends JIT = JIT> {
  /** The next piece, for this executor; undefined when there is none for it now. */
  take(executor: PoolExecutor<Session>): Task | undefined;
}

/** Gives executors work as they become free: of several sources in turn, and first to those that have none. */
export class Dispatcher<Session extends JIT> {
  readonly #executors: () => Iterable<PoolExecutor<Session>>;
  readonly #sources: TaskSource<Session>[] = [];

  /** @param executors those there are; only connected ones get work. */
  constructor(executors: () => Iterable<PoolExecutor<Session>>) {
    this.#executors = executors;
  }

  /** Has work of `source` done until `work`, which waits for it, has settled. */
  async serve<T>(source: TaskSource<Session>, work: () => Promise<T>): Promise<T> {
    this.#sources.push(source);
    try {
      const done = work();
      this.dispatch();
      return await done;
    } finally {
      this.#sources.splice(this.#sources.indexOf(source), 1);
    }
  }

  /** Called whenever there may be work for somebody: something has ended, or an executor is there. */
  dispatch(): void {
    for (let count = 1; count <= TASKS_PER_EXECUTOR; count++)
      for (const executor of this.#executors()) {
        const { isConnected, inFlightCount, taskLimit } = executor;
        if (!isConnected || inFlightCount >= Math.min(count, taskLimit)) continue;
        const task = this.#next(executor);
        if (task) void task().finally(() => this.dispatch());
      }
  }

  #next(executor: PoolExecutor<Session>): Task | undefined {
    for (let tried = this.#sources.length; tried > 0; tried--) {
      const source = this.#sources.shift();
      if (!source) return undefined;
      this.#sources.push(source);
      const task = source.take(executor);
      if (task) return task;
    }
    return undefined;
  }
}
