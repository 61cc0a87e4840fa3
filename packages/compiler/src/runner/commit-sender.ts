import { memory } from '@farjit/protocol';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { Tracing } from '../observe/spans.js';
import type { OutgoingCommit } from './commit-queue.js';
import type { RunnerContext } from './runner-context.js';
import { hasAppliedCommit, isRunnerGone } from './runner-errors.js';
import type { RunnerSupervisor } from './runner-supervisor.js';

/** What commits are sent with. */
export interface CommitSenderContext {
  readonly runners: RunnerSupervisor;
  readonly tracing: Tracing;
  executor(): ExecutorProcessControl;
}

/** Brings what is queued to the executor, and gives up a runner that may not have got it. */
export class CommitSender {
  readonly #context: CommitSenderContext;

  constructor(context: CommitSenderContext) {
    this.#context = context;
  }

  /** Sends all that is queued for a runner in commits of its own and waits until it is applied. */
  async flush(runner = this.#context.runners.current): Promise<void> {
    if (runner.commits.isOverfull) await this.makeRoom(runner);
    await this.#sendNext(runner);
  }

  /** Sends ahead what is too much for one commit: the next message takes all that is left. */
  async makeRoom(runner: RunnerContext): Promise<void> {
    while (runner.commits.isOverfull && !runner.lost) await this.#sendNext(runner);
  }

  /** Sees to it that `RunnerContext.isReady`; others may have queued more when the caller goes on. */
  async makeReady(runner: RunnerContext): Promise<void> {
    await this.makeRoom(runner);
    await runner.whenApplied();
  }

  async #sendNext(runner: RunnerContext): Promise<void> {
    if (runner.commits.isEmpty || runner.lost) return;
    const outgoing = runner.commits.takeNext({ deregister: true });
    const { tracing } = this.#context;
    const applied = tracing.inSpan('farjit.commit', {}, () =>
      this.carry(runner, outgoing, () =>
        this.#context.executor().commit(outgoing.commit, runner.generation, tracing.traceparent),
      ),
    );
    runner.noteCommit(applied);
    try {
      await applied;
    } catch (error) {
      // There is nothing to bring up to date any more.
      if (isRunnerGone(error)) return;
      throw error;
    }
    outgoing.onApplied();
  }

  /** Running code must see a changed stub soon, not with whatever message comes next. */
  flushIfCallsAreRunning(): void {
    if (this.#context.runners.current.reclaimer.activeCallCount === 0) return;
    this.flush().catch(() => {
      // The connection or the runner is gone, which the calls in flight report.
    });
  }

  /**
   * Sends a commit, or a call with one. When the executor may not have applied it, the executor is without code that
   * we count on: that runner is done for.
   */
  async carry<T>(runner: RunnerContext, { commit }: OutgoingCommit, send: () => Promise<T>): Promise<T> {
    const { runners } = this.#context;
    try {
      return await send();
    } catch (error) {
      runners.noteLossIn(error, runner);
      if (!memory.isEmptyCommit(commit) && !hasAppliedCommit(error))
        runners.noteLost(runner.generation, {
          kind: 'fault',
          message: `a commit was not applied: ${error instanceof Error ? error.message : String(error)}`,
        });
      throw error;
    }
  }
}
