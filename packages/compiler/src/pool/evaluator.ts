import type { CallOptions } from '../calls/session-calls.js';
import { SessionClosedError } from '../core/errors.js';
import type { JIT } from '../jit/jit.js';
import type { Dispatcher } from './dispatcher.js';
import type { ExecutorSet } from './executor-set.js';
import { type ExpressionSink, OrderedExpressions, type PoolExpression } from './ordered-expressions.js';
import type { PoolExecutor } from './pool-executor.js';

/** Evaluates a pool's expressions: one by one in one executor, or side by side in all. */
export class Evaluator<Session extends JIT> {
  readonly #executors: ExecutorSet<Session>;
  readonly #dispatcher: Dispatcher<Session>;
  /** Whose output executors' is, in the order in which it began. */
  readonly #printing = new Set<OrderedExpressions<Session>>();
  /** Where expressions are evaluated, so that what they leave behind in the process is there for the next. */
  #home: PoolExecutor<Session> | undefined;

  constructor(executors: ExecutorSet<Session>, dispatcher: Dispatcher<Session>) {
    this.#executors = executors;
    this.#dispatcher = dispatcher;
  }

  /** Does work in the executor in which expressions are evaluated one by one. Never begun again when that is lost. */
  async atHome<T>(work: (session: Session) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const executor = await this.#homeExecutor(options.signal);
    return executor.occupy(work, options);
  }

  /** Evaluates expressions side by side, and delivers in their order what they print and their values. */
  async inOrder(
    expressions: readonly PoolExpression<Session>[],
    sink: ExpressionSink,
    options: CallOptions,
  ): Promise<void> {
    this.#executors.refuseClosed();
    const evaluator = this;
    const home = {
      get executor() {
        return evaluator.#home?.isConnected ? evaluator.#home : undefined;
      },
      become: (executor: PoolExecutor<Session>) => {
        this.#home = executor;
      },
    };
    const ordered = new OrderedExpressions(expressions, sink, home, options);
    this.#printing.add(ordered);
    try {
      await this.#executors.whileSomebodyIsThere(
        (error) => ordered.fail(error),
        () => this.#dispatcher.serve(ordered, () => ordered.run(() => this.#dispatcher.dispatch())),
      );
    } finally {
      this.#printing.delete(ordered);
    }
  }

  /** The expressions that what an executor prints now belongs to, if it is evaluating any in order. */
  printedBy(executor: PoolExecutor<Session>): OrderedExpressions<Session> | undefined {
    for (const ordered of this.#printing) if (ordered.has(executor)) return ordered;
    return undefined;
  }

  /** The state of an executor has changed. */
  noteChanged(): void {
    for (const ordered of this.#printing) ordered.noteHome();
  }

  async #homeExecutor(signal: AbortSignal | undefined): Promise<PoolExecutor<Session>> {
    if (!this.#home?.isConnected) {
      const connected = await this.#executors.someConnected(signal);
      // Another may have chosen meanwhile.
      if (!this.#home?.isConnected) this.#home = connected[0];
    }
    if (!this.#home) throw new SessionClosedError('the pool was closed');
    return this.#home;
  }
}
