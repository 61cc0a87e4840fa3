import { type Answer, type indirection, memory, type RequestContext, type ResultOf } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { EventStream } from '../observe/event-stream.js';
import type { OpenSpan, Tracing } from '../observe/spans.js';
import type { CommitSender } from '../runner/commit-sender.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { RunnerSupervisor } from '../runner/runner-supervisor.js';
import type { CompileCallbackManager } from './compile-callback-manager.js';
import type { IndirectStubsManager } from './indirect-stubs-manager.js';

/** What callbacks go through on their way. */
export interface ReentryHandlerContext {
  readonly runners: RunnerSupervisor;
  readonly tracing: Tracing;
  readonly callbacks: CompileCallbackManager;
  /** Whether a call of that name in `runner` still leads to `implementation`. */
  isCurrent(ref: SymbolRef, implementation: ExecutorAddr, runner: RunnerContext): boolean;
  /** Grows with every definition and removal. */
  revision(): number;
  readonly stubs: IndirectStubsManager;
  readonly events: EventStream;
  readonly commits: CommitSender;
  /** A callback has been run, and is about to be answered. */
  ran(): void;
}

type ReenterResult = ResultOf<typeof indirection.reenter>;

/** The way of a compile callback: what a thread asks for is compiled and linked, and the answer brings all it needs. */
export class ReentryHandler {
  readonly #context: ReentryHandlerContext;
  #runningCount = 0;

  constructor(context: ReentryHandlerContext) {
    this.#context = context;
  }

  /** Whether threads wait for code that they need now. */
  get isBusy(): boolean {
    return this.#runningCount > 0;
  }

  async reenter(
    trampoline: ExecutorAddr,
    { id, generation, traceparent }: Pick<RequestContext, 'id' | 'generation' | 'traceparent'>,
  ): Promise<Answer<ReenterResult>> {
    const runner = this.#context.runners.ofGeneration(generation);
    if (!runner) return { outcome: 'failed', token: 0, message: 'stale generation' };
    return this.#context.tracing.inCallback(traceparent, { 'farjit.generation': generation }, (span) =>
      this.#runCallback(id, trampoline, runner, span),
    );
  }

  async #runCallback(
    id: number,
    trampoline: ExecutorAddr,
    runner: RunnerContext,
    span: OpenSpan,
  ): Promise<Answer<ReenterResult>> {
    const { callbacks, commits, isCurrent, revision, stubs, events, ran } = this.#context;
    const startMs = monotonicMs();
    const common = { callback: id, generation: runner.generation, address: trampoline };
    events.tell('callback-begun', () => ({ ...common, name: callbacks.nameOf(trampoline) }));
    this.#runningCount++;
    const { name, ...result } = await callbacks.executeCompileCallback(trampoline, runner);
    this.#runningCount--;
    span.note({ 'farjit.symbol': name });
    if (result.outcome === 'failed') span.fail(result.error.message);
    ran();
    const revisionThen = revision();
    while (!runner.isReady && !runner.lost)
      await commits.makeReady(runner).catch(() => {
        // A commit that was not applied has cost the runner, to which the answer is nothing then.
      });
    const handlingMs = monotonicMs() - startMs;
    const { outcome } = result;
    events.statistics.add('compileCallbacks');
    if (outcome === 'failed') events.statistics.add('failedCallbacks');
    events.statistics.add('callbackMs', handlingMs);
    const take = () => runner.commits.take({ deregister: false }).commit;
    return () => {
      events.tell('callback', () => ({ ...common, name, handlingMs, outcome }));
      const stub = stubs.stubOfTrampoline(trampoline);
      const holds =
        result.outcome === 'failed'
          ? revision() === revisionThen
          : stub !== undefined && isCurrent(stub, result.landing, runner);
      // A thread may have come to wait here after a redefinition that this result knows nothing of. Sent through the
      // stub again, it asks again. So it does when others have queued or sent meanwhile what this answer would have to
      // bring.
      const isLate = result.outcome === 'landed' && !runner.isReady;
      if ((!holds || isLate) && stub) {
        const commit = runner.isReady ? take() : memory.emptyCommit();
        return { outcome: 'landed', landing: stubs.stubAddress(stub), commit };
      }
      if (result.outcome === 'failed') {
        const { outcome, error } = result;
        return { outcome, token: runner.failures.keep(error), message: error.message };
      }
      return { ...result, commit: take() };
    };
  }
}
