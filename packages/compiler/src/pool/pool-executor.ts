import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '@farjit/protocol/clock';
import { ConnectionClosedError, FarJITError } from '@farjit/protocol/errors';
import type { CallOptions } from '../calls/session-calls.js';
import { ExecutorDrainingError, InitializationError, SessionClosedError } from '../core/errors.js';
import { backoffMs } from '../executor-client/backoff.js';
import type { ConnectOptions } from '../executor-client/connect.js';
import { ConnectError } from '../executor-client/connect-errors.js';
import type { JIT } from '../jit/jit.js';
import type { JITOptions } from '../jit/jit-types.js';
import type { TargetDescription } from '../llvm/target.js';
import type { StatisticsSnapshot } from '../observe/statistics.js';
import type { Endpoint } from './addresses.js';
import { afterInitializers, finalize } from './initialized-work.js';
import type { ExecutorFigures, ExecutorState } from './pool-types.js';
import { sumStatistics } from './sum-statistics.js';

/** How long a session may be without a connection before its work is given to others. */
const AWAY_MS = 1000;

/** Pieces of work an executor has at a time: while it does one, the next is on its way to it. */
export const TASKS_PER_EXECUTOR = 2;

/** What an executor tells its pool. */
export interface PoolExecutorHost<Session extends JIT> {
  /** What its sessions are opened with, besides where. */
  readonly jit: Omit<JITOptions, 'executor'>;
  readonly connect: ConnectOptions;
  /** Opens a session. */
  create(options: JITOptions): Promise<Session>;
  /** A session is there. Called before anybody can use it. */
  connected(executor: PoolExecutor<Session>, session: Session): void;
  lost(executor: PoolExecutor<Session>, session: Session): void;
  /** The state, or the reason for it, has changed. */
  changed(executor: PoolExecutor<Session>): void;
  /** Whether anything was added that may have initialisers. */
  mayInitialize(): boolean;
}

/** One executor of a pool: a session with it, and another one when that is lost. */
export class PoolExecutor<Session extends JIT = JIT> {
  readonly endpoint: Endpoint;
  readonly #host: PoolExecutorHost<Session>;
  readonly #closing = new AbortController();
  #state: ExecutorState = 'connecting';
  #jit: Session | undefined;
  #target: TargetDescription | undefined;
  #error: Error | undefined;
  #attempting: Promise<unknown> = Promise.resolve();
  /** Of sessions that have ended. */
  #past: StatisticsSnapshot | undefined;
  #sessionCount = 0;
  #busySinceMs = 0;
  #busyMs = 0;
  #inFlightCount = 0;
  /** Ends waiting for work that others can do. */
  readonly #givingUp = new Set<(error: Error) => void>();
  /** Runs while the connection is lost and that has been of no consequence. */
  #missing: NodeJS.Timeout | undefined;
  readonly done = { chunks: 0, elements: 0, lostChunks: 0, bytesSent: 0, bytesReceived: 0 };
  #taskLimit = TASKS_PER_EXECUTOR;
  /** Not to be connected to again when it is lost: its name does not lead there any more. */
  isRetired = false;

  constructor(endpoint: Endpoint, host: PoolExecutorHost<Session>) {
    this.endpoint = endpoint;
    this.#host = host;
  }

  /** Pieces of work that it may have at a time: fewer where a quota says so, or its memory is short. */
  get taskLimit(): number {
    return this.#jit?.isShortOfMemory ? 1 : this.#taskLimit;
  }

  set taskLimit(limit: number) {
    this.#taskLimit = limit;
  }

  get state(): ExecutorState {
    return this.#state;
  }

  /** Its session, also while that has lost its connection and may go on over another. */
  get session(): Session | undefined {
    return this.#jit;
  }

  /** Whether it can be given work. */
  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  get error(): Error | undefined {
    return this.#error;
  }

  /** Pieces of work that it has. */
  get inFlightCount(): number {
    return this.#inFlightCount;
  }

  get figures(): ExecutorFigures {
    const { url, address } = this.endpoint;
    const now = this.#jit?.statistics();
    const busyMs = this.#busyMs + (this.#inFlightCount > 0 ? monotonicMs() - this.#busySinceMs : 0);
    return {
      url,
      address: address?.address,
      state: this.#state,
      error: this.#error,
      target: this.#target,
      sessionCount: this.#sessionCount,
      ...this.done,
      busyMs,
      statistics: sumStatistics([this.#past, now].filter((one) => one !== undefined)),
    };
  }

  /** Connects, and from then on again and again. Resolves after the first attempt, whatever came of it. */
  start(): Promise<void> {
    const first = this.#attempt();
    void first.then((isConnected) => {
      if (!isConnected) return this.#reconnect();
    });
    return first.then(() => {});
  }

  /**
   * Counts a piece of work while it lasts, after the initialisers that are due. What is under way when the connection is lost
   * goes on when the session does.
   * @param options of the initialisers' call.
   * @throws {InitializationError}, and what `work` throws.
   */
  occupy<T>(work: (jit: Session) => Promise<T>, options: CallOptions = {}): Promise<T> {
    return this.#occupy((jit) => this.#initialized(jit, work, options));
  }

  /**
   * The same for work that others can do as well: given up when the executor cannot be reached, though it may come back.
   * @throws {AwayError} then, and as `occupy`.
   */
  occupyUntilAway<T>(work: (jit: Session) => Promise<T>, options: CallOptions = {}): Promise<T> {
    let giveUp!: (error: Error) => void;
    const away = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    this.#givingUp.add(giveUp);
    return this.#occupy((jit) => Promise.race([this.#initialized(jit, work, options), away])).finally(() =>
      this.#givingUp.delete(giveUp),
    );
  }

  /** Runs the finalisers there. @throws {InitializationError} */
  deinitialize(options: CallOptions): Promise<void> {
    return this.#occupy((jit) => jit.deinitialize(options));
  }

  #initialized<T>(jit: Session, work: (jit: Session) => Promise<T>, options: CallOptions): Promise<T> {
    return this.#host.mayInitialize() ? afterInitializers(jit, work, options) : work(jit);
  }

  async #occupy<T>(work: (jit: Session) => Promise<T>): Promise<T> {
    const jit = this.#jit;
    if (!jit) throw new SessionClosedError(`${this.endpoint.url} is not connected`);
    if (this.#inFlightCount++ === 0) this.#busySinceMs = monotonicMs();
    try {
      return await work(jit);
    } catch (error) {
      // Before anybody can give it more work.
      const reason = reasonOf(error);
      if (isExecutorLoss(reason)) this.#lose(jit, reason);
      else if (reason instanceof ExecutorDrainingError) this.#leaveAlone(jit, reason);
      throw error;
    } finally {
      if (--this.#inFlightCount === 0) this.#busyMs += monotonicMs() - this.#busySinceMs;
    }
  }

  /**
   * Ends its session, after the finalisers there unless it is at work, and opens no other.
   * @throws {InitializationError} when a finaliser does not return. The session has been ended then.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    const jit = this.#jit;
    const isIdle = this.isConnected && this.#inFlightCount === 0 && this.#missing === undefined;
    this.#end('removed', undefined);
    await this.#attempting;
    if (!jit) return;
    try {
      if (isIdle && this.#host.mayInitialize()) await finalize(jit, AWAY_MS);
    } catch (error) {
      if (!isExecutorLoss(reasonOf(error))) throw error;
    } finally {
      await jit.close();
    }
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing;
    for (let failedCount = 1; !this.#isClosing; failedCount++) {
      // Ends at once when it is closed. Whoever waits for an executor keeps the program running.
      await delay(backoffMs(failedCount), undefined, { signal, ref: false }).catch(() => {});
      if (this.#isClosing || (await this.#attempt())) return;
    }
  }

  async #attempt(): Promise<boolean> {
    const attempt = this.#connect();
    this.#attempting = attempt;
    return attempt;
  }

  async #connect(): Promise<boolean> {
    const { jit: options, connect } = this.#host;
    const { url, address } = this.endpoint;
    const { signal } = this.#closing;
    const executor =
      url === 'local' ? ('local' as const) : { url, ...connect, signal, ...(address ? { address } : {}) };
    try {
      const jit = await this.#host.create({ ...options, executor });
      if (this.#isClosing) {
        await jit.close();
        return false;
      }
      this.#jit = jit;
      this.#target = jit.target;
      this.#error = undefined;
      this.#sessionCount++;
      try {
        this.#host.connected(this, jit);
      } catch (error) {
        // It does not take what the others have.
        this.#host.lost(this, jit);
        this.#jit = undefined;
        await jit.close();
        throw error;
      }
      this.#become('connected');
      void jit.closed.then((reason) => this.#lose(jit, reason));
      jit.subscribe((event) => {
        if (event.type === 'connection-lost') this.#startToMiss(jit);
        else if (event.type === 'resume-failed') this.#miss(jit, event.error);
        else if (event.type === 'connection-resumed') this.#findAgain(jit);
      });
      return true;
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
      if (!this.#isClosing) this.#become(this.#state);
      return false;
    }
  }

  /** Most connections that are lost are there again at once, and then nothing has happened. */
  #startToMiss(jit: Session): void {
    this.#stopMissing();
    this.#missing = setTimeout(() => {
      this.#miss(jit, new ConnectError(`${this.endpoint.url} has not been reached for ${AWAY_MS} ms`));
    }, AWAY_MS).unref();
  }

  #stopMissing(): void {
    clearTimeout(this.#missing);
    this.#missing = undefined;
  }

  #miss(jit: Session, reason: Error): void {
    this.#stopMissing();
    if (this.#jit !== jit) return;
    this.#error = reason;
    this.#become('lost');
    this.#giveUpWork(reason);
  }

  /** It ends what it has, and then its session. */
  #leaveAlone(jit: Session, reason: Error): void {
    if (this.#jit !== jit || !this.isConnected) return;
    this.#error = reason;
    this.#become('lost');
  }

  #findAgain(jit: Session): void {
    this.#stopMissing();
    if (this.#jit !== jit || this.isConnected) return;
    this.#error = undefined;
    this.#become('connected');
  }

  #giveUpWork(cause: Error): void {
    for (const giveUp of this.#givingUp)
      giveUp(new AwayError(`${this.endpoint.url} cannot be reached`, { cause }));
  }

  #lose(jit: Session, reason: Error): void {
    if (this.#jit !== jit) return;
    this.#end(this.isRetired ? 'removed' : 'lost', reason);
    // What the session holds in this process, and an executor of our own.
    void jit.close().catch(() => {});
    if (!this.isRetired) void this.#reconnect();
  }

  #end(state: ExecutorState, error: Error | undefined): void {
    const jit = this.#jit;
    this.#stopMissing();
    this.#jit = undefined;
    this.#error = error;
    if (jit) {
      this.#past = sumStatistics([this.#past, jit.statistics()].filter((one) => one !== undefined));
      this.#host.lost(this, jit);
    }
    this.#become(state);
  }

  #become(state: ExecutorState): void {
    this.#state = state;
    this.#host.changed(this);
  }
}

/**
 * An executor is out of reach. Its session may still go on.
 * @remarks Nothing: it is the cause of a `MapChunkError`. The pool connects again by itself.
 */
export class AwayError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('EXECUTOR_AWAY', message, options);
  }
}

/** What was in the way of work: of initialisers that could not be run, why. */
export function reasonOf(error: unknown): unknown {
  return error instanceof InitializationError ? error.cause : error;
}

/** Whether an error says that the executor is gone, with all that was under way there. */
export function isExecutorLoss(error: unknown): error is Error {
  return error instanceof SessionClosedError || error instanceof ConnectionClosedError;
}
