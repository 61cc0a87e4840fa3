import {
  type Commit,
  type hostFunctions,
  memory,
  type ResultOf,
  type run,
  type Segment,
} from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { RemoteError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { throwIfAborted, untilAborted } from '../core/aborting.js';
import { RunnerLostError } from '../core/errors.js';
import type {
  CallRequestOptions,
  ExecutorProcessControl,
  MemoryPiece,
} from '../executor-client/executor-process-control.js';
import type { EventStream } from '../observe/event-stream.js';
import type { Tracing } from '../observe/spans.js';
import type { CommitSender } from '../runner/commit-sender.js';
import type { ProgramThreads } from '../runner/reclaimer.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { RunnerSupervisor } from '../runner/runner-supervisor.js';
import { programThreadsAfter, translateCallError } from './call-errors.js';
import { CallLimit } from './call-limit.js';
import { answerOrGivenUp } from './given-up.js';

/**
 * Calls under way at a time; further ones wait here. The executor runs 64 side by side and refuses more than 1024
 * requests: the other half is left for what calls need while they run.
 */
export const MAX_CALLS_IN_FLIGHT = 512;

/** How long and how a call may run. */
export interface CallOptions {
  /**
   * On the executor's clock, from 0 to 2,147,483,647; the runner is ended when it passes. None unless given, or Infinity. What
   * has to be compiled before the call is sent does not count: `codegenLimitMs` bounds what LLVM takes for it, and nothing
   * does what a caller's own transforms, generators and plugins take.
   */
  readonly deadlineMs?: number | undefined;
  /** Aborting rejects with an `AbortError` whose cause is the signal's reason, and ends the runner if the call is in it. */
  readonly signal?: AbortSignal | undefined;
}

/** A call ready to be sent to the runner it was prepared for. */
export interface PreparedCall {
  readonly entry: ExecutorAddr;
  readonly block: Uint8Array;
}

/** A call that works on more than its block: what it finds in memory, and which piece of memory it answers with. */
export interface PreparedDataCall extends PreparedCall {
  /** At most as many bytes altogether as the runner's queue takes into a commit, and few. */
  readonly data: readonly Segment[];
  readonly read: MemoryPiece;
}

/** The block that came back, and what was read. */
export type DataCallResult = Pick<ResultOf<typeof run.callAndRead>, 'block' | 'content'>;

/** The message that a prepared call becomes. */
export type SendCall<Prepared, Result> = (
  executor: ExecutorProcessControl,
  prepared: Prepared,
  commit: Commit,
  options: CallRequestOptions,
) => Promise<Result>;

export const sendCall: SendCall<PreparedCall, ResultOf<typeof run.call>> = (
  executor,
  call,
  commit,
  options,
) => executor.call(call.entry, call.block, commit, options);

export const sendDataCall: SendCall<PreparedDataCall, ResultOf<typeof run.callAndRead>> = (
  executor,
  { entry, block, data, read },
  commit,
  options,
) => {
  const segments = [...commit.segments, ...data];
  return executor.callAndRead(entry, block, { ...commit, segments }, read, options);
};

/** A call that a thread makes which waits for a function in JavaScript: all that it works on is in memory. */
export interface PreparedEnteredCall {
  readonly entry: ExecutorAddr;
  readonly argument: ExecutorAddr;
  readonly data: readonly Segment[];
  readonly read: MemoryPiece;
}

/** @param call the one that the thread waits in. */
export function sendEnteredCall(
  call: number,
): SendCall<PreparedEnteredCall, ResultOf<typeof hostFunctions.callFromHost>> {
  return (executor, { entry, argument, data, read }, commit, options) => {
    const segments = [...commit.segments, ...data];
    return executor.callFromHost({ call, entry, argument, commit: { ...commit, segments }, read }, options);
  };
}

/** What every answer to a call says. */
type CallAnswer = Pick<ResultOf<typeof run.call>, 'programThreads'>;

/** What is to be called, and how. */
export interface CallRequest<Prepared, Result> {
  readonly name: string;
  /** Links what it needs into the runner it is given. It may go on when the signal is aborted, and takes no memory from then on. */
  readonly prepare: (runner: RunnerContext) => Promise<Prepared>;
  readonly send: SendCall<Prepared, Result>;
  readonly options: CallOptions;
  /** The runner for it; that for all new work unless given. */
  readonly nextRunner?: (() => Promise<RunnerContext>) | undefined;
}

/** What calls go through on their way. */
export interface SessionCallsContext {
  readonly runners: RunnerSupervisor;
  readonly tracing: Tracing;
  readonly commits: CommitSender;
  readonly events: EventStream;
  executor(): ExecutorProcessControl;
  /** The runner for new work. */
  nextRunner(): Promise<RunnerContext>;
}

/** The way of a call: it waits its turn, is prepared in a runner that lives, is sent once, and its error translated. */
export class SessionCalls {
  readonly #context: SessionCallsContext;
  readonly #limit = new CallLimit(MAX_CALLS_IN_FLIGHT);
  #count = 0;

  constructor(context: SessionCallsContext) {
    this.#context = context;
  }

  /** Calls that are under way. */
  get count(): number {
    return this.#count;
  }

  /**
   * Never retried once it was sent.
   * @throws {ExecutionTrapError | RunnerLostError | MaterializationError | DeadlineExceededError | AbortError}
   */
  run<Prepared, Result extends CallAnswer>(request: CallRequest<Prepared, Result>): Promise<Result> {
    const work = () => this.#whenItsTurn(request);
    return this.#context.tracing.inCall({ 'farjit.symbol': request.name }, work);
  }

  /**
   * The same for a part of a call that is under way, in its runner.
   * @throws {RunnerLostError} when that is gone, and as `run`.
   */
  async runWithin<Prepared, Result extends CallAnswer>(
    runner: RunnerContext,
    request: CallRequest<Prepared, Result>,
  ): Promise<Result> {
    const work = async () => {
      const result = runner.lost ? undefined : await this.#runIn(runner, request);
      if (result !== undefined) return result;
      throw new RunnerLostError({
        kind: 'fault',
        message: `it ended before ${request.name} was called in it`,
      });
    };
    return this.#context.tracing.inCall({ 'farjit.symbol': request.name }, work);
  }

  async #whenItsTurn<Prepared, Result extends CallAnswer>(
    request: CallRequest<Prepared, Result>,
  ): Promise<Result> {
    const { name, options, nextRunner = () => this.#context.nextRunner() } = request;
    throwIfAborted(options.signal, notCalled(name));
    await this.#limit.enter(options.signal, notCalled(name));
    this.#count++;
    try {
      return await this.#context.runners.inSome(
        name,
        () => untilAborted(options.signal, notCalled(name), nextRunner),
        (runner) => {
          this.#context.runners.checkLast();
          return this.#runIn(runner, request);
        },
      );
    } finally {
      this.#count--;
      this.#limit.leave();
    }
  }

  /** Undefined when the runner was lost before the call was started. */
  async #runIn<Prepared, Result extends CallAnswer>(
    runner: RunnerContext,
    { name, prepare, send, options }: CallRequest<Prepared, Result>,
  ): Promise<Result | undefined> {
    const { runners, executor, tracing, commits } = this.#context;
    // It begins here: what it is prepared with must not be given to others before it has run.
    const call = runner.reclaimer.callStarted();
    let programThreads: ProgramThreads = 'same';
    try {
      const { signal } = options;
      const unlessAborted = <T>(work: () => Promise<T>) => untilAborted(signal, notCalled(name), work);
      const prepared = await runners.whileAlive(runner, () => unlessAborted(() => prepare(runner)));
      while (!runner.isReady && !runner.lost) await unlessAborted(() => commits.makeReady(runner));
      if (!prepared || runner.lost) return undefined;
      throwIfAborted(signal, notCalled(name));
      programThreads = 'unknown';
      runner.hasRun = true;
      const sendIt = async (commit: Commit) => {
        const { generation } = runner;
        const { traceparent } = tracing;
        try {
          const answer = await send(executor(), prepared, commit, { ...options, generation, traceparent });
          programThreads = answer.programThreads;
          return answer;
        } catch (error) {
          programThreads = programThreadsAfter(error);
          throw error;
        }
      };
      const { heldBack } = executor();
      return await this.#send(name, runner, options, (commit) =>
        answerOrGivenUp(sendIt(commit), name, options, heldBack),
      );
    } catch (error) {
      if (error instanceof RemoteError && error.code === 'STALE_GENERATION') return undefined;
      throw error;
    } finally {
      runner.reclaimer.callEnded(call, programThreads);
    }
  }

  /** Sends a call with the commit that is due. */
  async #send<Result>(
    name: string,
    runner: RunnerContext,
    options: CallOptions,
    send: (commit: Commit) => Promise<Result>,
  ): Promise<Result> {
    const { commits, events } = this.#context;
    const startMs = monotonicMs();
    const outgoing = runner.commits.take({ deregister: true });
    try {
      const answer = await commits.carry(runner, outgoing, () => runner.answerOrLoss(send(outgoing.commit)));
      outgoing.onApplied();
      return answer;
    } catch (error) {
      if (!runner.lost) outgoing.onApplied();
      const translated = translateCallError(error, { name, runner, options });
      if (error instanceof RemoteError && error.code === 'CALLBACK_FAILED') {
        await this.#lookFor(runner);
        if (runner.lost) runner.failures.noteEndTold();
      }
      throw translated;
    } finally {
      const wallMs = monotonicMs() - startMs;
      events.statistics.add('calls');
      events.tell('called', () => ({ name, wallMs, generation: runner.generation }));
    }
  }

  /**
   * A failed callback ends its runner where a handler of the program's would take it for an exception, and nothing says so
   * but the loss. An executor that answers this has told of it; whoever calls next is not to call there.
   */
  async #lookFor(runner: RunnerContext): Promise<void> {
    if (runner.lost) return;
    try {
      await runner.answerOrLoss(this.#context.executor().commit(memory.emptyCommit(), runner.generation));
    } catch (error) {
      this.#context.runners.noteLossIn(error, runner);
    }
  }
}

/** What an error says of a call that was not sent since its caller's signal was aborted. */
export function notCalled(name: string): string {
  return `${name} was cancelled before it was called`;
}
