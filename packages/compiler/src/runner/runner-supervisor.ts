import type { FileRoot, RunnerEnd } from '@farjit/protocol';
import { RunnerLostError } from '../core/errors.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { CallbackFailures } from './callback-failures.js';
import { RunnerContext } from './runner-context.js';
import { isRunnerGone, lossError, runnerEndOf } from './runner-errors.js';

/** Work is begun again when its runner was lost before it was done; a host that loses them all is broken. */
const MAX_ATTEMPTS = 4;

/** What a session does when its runner changes. */
export interface RunnerObserver {
  /** Called before anybody else sees the runner. */
  attached(runner: RunnerContext): void;
  lost(runner: RunnerContext, end: RunnerEnd): void;
}

/** Knows the current runner, notices its loss, and gets the next one when somebody needs it. */
export class RunnerSupervisor {
  readonly #observer: RunnerObserver;
  /** The current runner, lost or not; undefined while the session is opened. */
  #attached: RunnerContext | undefined;
  /** How it has ended, once it has. */
  #end: RunnerEnd | undefined;
  /** Why calls have failed in the one before it, if a thread that was in no call has ended that one. */
  #failuresBefore: CallbackFailures | undefined;
  /** A runner that was lost before it was attached. */
  #lostAhead: { readonly generation: number; readonly end: RunnerEnd } | undefined;
  #restarting: Promise<RunnerContext> | undefined;

  readonly #hotThreshold: number;

  /** @param hotThreshold what counters of counted functions count to. */
  constructor(hotThreshold: number, observer: RunnerObserver) {
    this.#hotThreshold = hotThreshold;
    this.#observer = observer;
  }

  /** The current runner, lost or not. */
  get current(): RunnerContext {
    if (!this.#attached) throw new Error('the session has no runner yet');
    return this.#attached;
  }

  /** The current runner if it is of that generation. */
  ofGeneration(generation: number): RunnerContext | undefined {
    return this.#attached?.generation === generation ? this.#attached : undefined;
  }

  /** The runner for new work: a fresh one when the last was lost. */
  async live(executor: ExecutorProcessControl): Promise<RunnerContext> {
    if (!this.current.lost) return this.current;
    this.#restarting ??= this.#restart(executor).finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  /** Has the next work find a runner in which nothing has run: one in which something has is ended, with what still runs there. */
  renew(): void {
    const { generation, lost, hasRun } = this.current;
    if (hasRun && !lost) this.noteLost(generation, { kind: 'cancelled' });
  }

  /**
   * A fresh runner that sees files; the one before it is ended.
   * @throws as the executor refuses them; then the next call gets a runner without.
   */
  async withFiles(executor: ExecutorProcessControl, files: FileRoot): Promise<RunnerContext> {
    await this.#restarting?.catch(() => {});
    this.noteLost(this.current.generation, { kind: 'cancelled' });
    this.#restarting ??= this.#restart(executor, files).finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  /** Makes the executor's runner the current one. */
  attach(executor: ExecutorProcessControl): RunnerContext {
    const runner = new RunnerContext(executor, this.#hotThreshold);
    this.#failuresBefore = this.#end?.kind === 'unwind-failed' ? this.#attached?.failures : undefined;
    this.#end = undefined;
    this.#attached = runner;
    this.#observer.attached(runner);
    const lost = this.#lostAhead;
    if (lost?.generation === runner.generation) this.noteLost(runner.generation, lost.end);
    return runner;
  }

  /** A runner is gone. Nothing new is begun in it. */
  noteLost(generation: number, end: RunnerEnd): void {
    const runner = this.ofGeneration(generation);
    // The loss of a runner that is still being set up shows when it is asked for something.
    if (!runner) this.#lostAhead = { generation, end };
    else if (!runner.lost) {
      runner.lost = true;
      this.#end = end;
      this.#observer.lost(runner, end);
    }
  }

  /** The executor says that a runner is gone: who waits for it is told. */
  gone(generation: number, end: RunnerEnd): void {
    this.noteLost(generation, end);
    // Answers that arrived before this have yet to reach those who wait for them.
    setImmediate(() => {
      const runner = this.ofGeneration(generation);
      runner?.abandon(() => lossError(end, runner));
    });
  }

  /**
   * Whoever calls next is told, once, when the last runner has ended over a thread that no call has waited for: what it did is lost.
   * @throws {RunnerLostError}
   */
  checkLast(): void {
    const failure = this.#failuresBefore?.takeUntold();
    if (failure) throw new RunnerLostError({ kind: 'unwind-failed' }, { cause: failure });
  }

  /** The same, when that is what an executor's error says. */
  noteLossIn(error: unknown, runner: RunnerContext): void {
    if (!isRunnerGone(error)) return;
    this.noteLost(runner.generation, runnerEndOf(error) ?? { kind: 'fault', message: error.message });
  }

  /**
   * What `work` gives, or undefined when the runner is lost by then: whatever it gives or throws is of no use.
   * @throws what `work` throws in a runner that lives.
   */
  async whileAlive<T>(runner: RunnerContext, work: () => Promise<T>): Promise<T | undefined> {
    try {
      // Compilations and generators may never end.
      const result = await runner.answerOrLoss(work());
      return runner.lost ? undefined : result;
    } catch (error) {
      this.noteLossIn(error, runner);
      if (runner.lost) return undefined;
      throw error;
    }
  }

  /**
   * Tries in one runner after the other, for as long as `attempt` gives undefined because its runner was lost.
   * @throws {RunnerLostError} when that does not end.
   */
  async inSome<T>(
    purpose: string,
    next: () => Promise<RunnerContext>,
    attempt: (runner: RunnerContext) => Promise<T | undefined>,
  ): Promise<T> {
    for (let count = 1; count <= MAX_ATTEMPTS; count++) {
      const result = await attempt(await next());
      if (result !== undefined) return result;
    }
    throw new RunnerLostError({
      kind: 'fault',
      message: `lost ${MAX_ATTEMPTS} runners while preparing ${purpose}`,
    });
  }

  async #restart(executor: ExecutorProcessControl, files?: FileRoot): Promise<RunnerContext> {
    // The callback of a stub that exists must need no message before it is answered.
    const stubCount = this.current.stubBlocks.capacity;
    // What was linked before is mostly linked again.
    const names = this.current.processNames;
    for (let count = 1; ; count++) {
      try {
        const addresses = await executor.startRunner(stubCount, { files, names });
        const runner = this.attach(executor);
        runner.noteProcessSymbols(addresses);
        return runner;
      } catch (error) {
        if (!isRunnerGone(error) || count === MAX_ATTEMPTS) throw error;
      }
    }
  }
}
