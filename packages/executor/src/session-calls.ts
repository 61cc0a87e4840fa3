import {
  type Commit,
  type Connection,
  type hostFunctions,
  type ParamsOf,
  type RequestContext,
  type ResultOf,
  run,
} from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { RequestError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Account } from './accounts.js';
import { outcomeOfError, outcomeOfProgram } from './call-outcome.js';
import type { CallOutcome, ExecutorEvents } from './events.js';
import type { Guard } from './guard.js';
import type { LiveRunner } from './live-runner.js';

/** How often to see whether the last answer of a session that drains has left. */
const ANSWER_LEAVES_MS = 20;

/** Memory that an answer has beside its block. */
interface ReadRange {
  readonly address: ExecutorAddr;
  readonly sizeBytes: number;
}

/** What a call comes with, and what its answer takes. */
interface CallDemand {
  readonly commit: Commit;
  readonly context: RequestContext;
  readonly blockBytes: number;
  readonly read: ReadRange | undefined;
}

/** What a session's calls need of it. */
export interface CallingSession {
  readonly guard: Guard;
  readonly connection: Connection;
  /** Of whose it is, where there are accounts. */
  readonly account: Account | undefined;
  readonly events: ExecutorEvents;
  close(reason: string): Promise<void>;
}

/** A session's calls, whatever runner they are for: who may begin one, how they end, and how the last one does. */
export class SessionCalls {
  readonly #session: CallingSession;
  /** Those that have not been answered. */
  #count = 0;
  /** What their answers will have. */
  #promisedBytes = 0;
  #isDraining = false;

  constructor(session: CallingSession) {
    this.#session = session;
  }

  /**
   * @throws {RequestError} as `Calls.call` and `SessionMemory.checkReadable`; DRAINING, QUOTA_EXCEEDED or LIMIT_EXCEEDED when it
   *   must not begin.
   */
  run(
    runner: LiveRunner,
    { entry, block, commit }: ParamsOf<typeof run.call>,
    context: RequestContext,
    read?: ReadRange,
  ): Promise<ResultOf<typeof run.call>> {
    return this.#counted(() =>
      this.#run(runner, { commit, context, blockBytes: block.byteLength, read }, () =>
        runner.call(entry, block, commit, context),
      ),
    );
  }

  /**
   * Runs a program, which counts as a call.
   * @throws as `run`, where it has not ended by itself.
   */
  async runProgram(
    runner: LiveRunner,
    params: ParamsOf<typeof run.runProgram>,
    context: RequestContext,
  ): Promise<ResultOf<typeof run.runProgram>> {
    const { commit } = params;
    const { connection } = this.#session;
    const answer = await this.#counted(
      () =>
        this.#run(runner, { commit, context, blockBytes: 0, read: undefined }, () =>
          runner.runProgram(params, context),
        ),
      ({ end }) => outcomeOfProgram(end),
    );
    if (connection.has('short-runs')) return answer;
    const { end, used } = answer;
    if (used && connection.has('run-reports')) connection.notify(run.programUsed, used, runner.generation);
    return { end };
  }

  /**
   * Runs something on the thread of a call that waits for the compiler: a part of that call, and none of its own.
   * @throws {RequestError} as `LiveRunner.callFromHost` and `SessionMemory.checkReadable`; LIMIT_EXCEEDED when it must not begin.
   */
  async callFromHost(
    runner: LiveRunner,
    params: ParamsOf<typeof hostFunctions.callFromHost>,
    context: RequestContext,
  ): Promise<ResultOf<typeof hostFunctions.callFromHost>> {
    let forget: () => void;
    try {
      runner.memory.checkReadable(params.read.address, params.read.sizeBytes);
      forget = this.#promise(params.read.sizeBytes);
    } catch (error) {
      await runner.commit(params.commit, context.traceparent);
      throw error;
    }
    try {
      return await runner.callFromHost(params, context);
    } finally {
      forget();
    }
  }

  async #counted<T>(
    work: () => Promise<T>,
    outcomeOf: (result: T) => CallOutcome = () => 'returned',
  ): Promise<T> {
    const { events } = this.#session;
    const startMs = monotonicMs();
    events.emit({ type: 'call-started' });
    let outcome: CallOutcome = 'refused';
    try {
      const result = await work();
      outcome = outcomeOf(result);
      return result;
    } catch (error) {
      outcome = outcomeOfError(error);
      throw error;
    } finally {
      events.emit({ type: 'call-ended', outcome, durationMs: monotonicMs() - startMs });
    }
  }

  /** Lets no more calls begin, and closes the session when those in flight have been answered. */
  drain(): void {
    this.#isDraining = true;
    this.#closeIfDrained();
  }

  async #run<T>(
    runner: LiveRunner,
    { commit, context, blockBytes, read }: CallDemand,
    work: () => Promise<T>,
  ): Promise<T> {
    let end: () => void;
    try {
      if (read) runner.memory.checkReadable(read.address, read.sizeBytes);
      end = this.#begin(blockBytes + (read?.sizeBytes ?? 0));
    } catch (error) {
      // What came with it is not only for this call.
      await runner.commit(commit, context.traceparent);
      throw error;
    }
    try {
      return await work();
    } finally {
      end();
    }
  }

  #begin(answerBytes: number): () => void {
    if (this.#isDraining)
      throw new RequestError('DRAINING', 'the executor is draining and takes no new calls: use another');
    const forget = this.#promise(answerBytes);
    let endForAccount: (() => void) | undefined;
    try {
      endForAccount = this.#session.account?.beginCall();
    } catch (error) {
      forget();
      throw error;
    }
    this.#count++;
    return () => {
      endForAccount?.();
      forget();
      this.#count--;
      this.#closeIfDrained();
    };
  }

  /** @returns what to call when the answer has been made. */
  #promise(answerBytes: number): () => void {
    const { MAX_PROMISED_BYTES } = run;
    if (this.#promisedBytes + answerBytes > MAX_PROMISED_BYTES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `calls under way whose answers have more than ${MAX_PROMISED_BYTES} bytes together`,
      );
    this.#promisedBytes += answerBytes;
    return () => {
      this.#promisedBytes -= answerBytes;
    };
  }

  #closeIfDrained(): void {
    const { connection, guard } = this.#session;
    if (!this.#isDraining || this.#count > 0 || connection.isClosed) return;
    // An answer is sent after this, and it may have to wait: for credit, or for the compiler to resume.
    guard.later('session.drain', () => {
      const { link } = connection;
      if (link.isBroken || link.backlogBytes > 0)
        guard.timer('session.drain', () => this.#closeIfDrained(), ANSWER_LEAVES_MS);
      else guard.spawn('session.drain', () => this.#session.close('the executor is draining'));
    });
  }
}
