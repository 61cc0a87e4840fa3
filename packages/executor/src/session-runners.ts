import {
  type Connection,
  type Frame,
  hostFunctions,
  indirection,
  session as messages,
  type ParamsOf,
  type ResultOf,
  type RunnerEnd,
  type RunnerStarted,
  run,
} from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { RequestError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { type Account, UNUSED } from './accounts.js';
import { mayCarryCommit } from './commits.js';
import type { CallbackOutcome, HostCallOutcome, SessionName } from './events.js';
import type { GivenRoot } from './files/given-root.js';
import type { SessionFiles } from './files/session-files.js';
import type { Guard } from './guard.js';
import type { HostCallAnswer, HostCallParams } from './host-calls.js';
import type { HostResources } from './host-resources.js';
import { libraryBits } from './libraries.js';
import { LiveRunner } from './live-runner.js';
import type { LiveRunnerEvents } from './live-runner-events.js';
import { MemoryPressure } from './memory-pressure.js';
import { cpuSecondsOf, type ProcessUse } from './native/libc.js';
import type { Observation } from './observation.js';
import type { ReenterAnswer } from './reentry.js';
import type { RunnerUsage } from './runner-watch.js';
import type { Lane } from './turns.js';

/** Bytes that cannot be sent now, from which on JIT'd code waits when it writes output. */
const CONGESTED_BYTES = 4 * 1024 * 1024;

/** What a compiler asks of a runner. */
type Wanted = Omit<ParamsOf<typeof messages.startRunner>, 'files' | 'names'>;

/** What a session's runners need of it. */
export interface SessionRunnersContext {
  /** Whose they are, for events. */
  readonly session: SessionName;
  readonly host: HostResources;
  readonly account: Account | undefined;
  readonly connection: Connection;
  readonly files: SessionFiles;
  /** Of the session. */
  readonly guard: Guard;
  /** In which the compiler's messages and the runners' bells have their turns. */
  readonly lane: Lane;
  /** Whether the compiler has been told of the first runner. */
  /** What happens in the host, for who looks. */
  readonly observation: Observation;
  isOpen(): boolean;
  isClosed(): boolean;
}

/** A session's runners, one after the other: starts and ends them, and lets each talk to the compiler. */
export class SessionRunners {
  readonly #context: SessionRunnersContext;
  #runner: LiveRunner | undefined;
  #generationCount = 0;
  /** Resolves, never rejects, when what is being started is started, or is not. */
  #starting: Promise<unknown> | undefined;
  /** The first runner, when it was started before it was asked for. */
  #ahead: Promise<LiveRunner> | undefined;
  /** Counts of the generations that are gone. */
  readonly #past = { commitsApplied: 0, callsStarted: 0, commitMs: 0 };
  readonly #pressure = new MemoryPressure();
  #callbackWaitMs = 0;

  constructor(context: SessionRunnersContext) {
    this.#context = context;
  }

  /** The runner that lives now. */
  get current(): LiveRunner | undefined {
    return this.#runner?.isLost ? undefined : this.#runner;
  }

  /** The runner of a generation, for a message that speaks of it. @throws {RequestError} STALE_GENERATION */
  ofGeneration(number: number, method: string): LiveRunner {
    const runner = this.current;
    if (runner?.generation === number) return runner;
    throw new RequestError(
      'STALE_GENERATION',
      runner
        ? `${method} is for generation ${number}, the runner is generation ${runner.generation}`
        : `${method}: the runner of generation ${this.#generationCount} is gone`,
    );
  }

  /** A request of the compiler's was refused that nobody here has seen: a commit that came with it is refused, too. */
  noteRefused({ generation, method, body }: Frame, { message }: Error): void {
    const runner = this.current;
    if (runner && runner.generation === generation && mayCarryCommit(body))
      runner.refuseCommit(new Error(message.startsWith(method) ? message : `${method}: ${message}`));
  }

  /** Tells of what happens in the host, or no more. */
  observe(isWanted: boolean): void {
    const { observation } = this.#context;
    observation.want(isWanted, () => this.#runner?.noteLandings());
    if (this.current) this.#noteStarted(this.current);
  }

  #noteStarted({ generation, processId }: LiveRunner): void {
    const observer = this.#context.observation.observer;
    observer?.add({ type: 'host-runner-started', atNs: observer.nowNs(), generation, processId });
  }

  /** Starts the first runner before it is asked for. */
  startAhead(): void {
    this.#ahead = this.#start();
    // Told to who asks for it.
    this.#ahead.catch(() => {});
  }

  /** @throws {RequestError} INVALID_PARAMS for a library that the runner does not have. */
  async first(wanted: Wanted): Promise<RunnerStarted> {
    const libraries = libraryBits(wanted.libraries);
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const started = await ahead;
    // It may have ended since.
    return equip(started && this.current ? started : await this.#start(), wanted.stubCount, libraries);
  }

  /** @throws as `first`, and then the runner is as it was. */
  async replace({
    files,
    names,
    ...wanted
  }: ParamsOf<typeof messages.startRunner>): Promise<ResultOf<typeof messages.startRunner>> {
    const libraries = libraryBits(wanted.libraries);
    const root = files && this.#context.files.rootOf(files);
    if (!this.#starting)
      await this.#endCurrent({ kind: 'fault', message: 'the compiler asked for another runner' });
    const runner = await this.#start(root);
    const equipped = equip(runner, wanted.stubCount, libraries);
    if (!names) return equipped;
    const [started, addresses] = await Promise.all([equipped, runner.lookup(names)]);
    return { ...started, addresses };
  }

  /** Resolves when the runner is gone. */
  async end(end: RunnerEnd): Promise<void> {
    await this.#endCurrent(end);
    // One that is being started finds the session closed, and ends.
    await this.#starting;
    await this.#endCurrent(end);
  }

  async #endCurrent(end: RunnerEnd): Promise<void> {
    const runner = this.#runner;
    runner?.kill(end);
    await runner?.ended;
  }

  status(): ResultOf<typeof messages.sessionStatus> {
    const runner = this.#runner;
    return {
      generation: this.#generationCount,
      processId: runner?.processId ?? 0,
      callsInFlight: runner?.callsInFlight ?? 0,
      blocked: runner?.blocked ?? [],
      programThreads: runner?.programThreads ?? 0,
      commitsApplied: this.#past.commitsApplied + (runner?.commitsApplied ?? 0),
      callsStarted: this.#past.callsStarted + (runner?.callsStarted ?? 0),
      callbackWaitUs: Math.round(this.#callbackWaitMs * 1000),
      commitUs: Math.round((this.#past.commitMs + (runner?.commitMs ?? 0)) * 1000),
    };
  }

  async maps(): Promise<ResultOf<typeof messages.runnerMaps>> {
    return { maps: (await this.#runner?.readMaps()) ?? '' };
  }

  async #start(files?: GivenRoot): Promise<LiveRunner> {
    if (this.current || this.#starting)
      throw new RequestError(
        'METHOD_NOT_ALLOWED',
        `startRunner: the runner of generation ${this.#generationCount} ${this.#starting ? 'is starting' : 'lives'}`,
      );
    const start = this.#startNext(files);
    this.#starting = start.catch(() => {
      // Told to who has asked for it.
    });
    try {
      return await start;
    } finally {
      this.#starting = undefined;
    }
  }

  async #startNext(files: GivenRoot | undefined): Promise<LiveRunner> {
    const { session, host, account } = this.#context;
    try {
      const number = this.#generationCount + 1;
      const runner = await LiveRunner.start(number, host, this.#runnerEvents(), files);
      this.#generationCount = runner.generation;
      this.#runner = runner;
      account?.report(runner, UNUSED, false);
      const { processId, wasWarm } = runner;
      host.events.emit({ type: 'runner-started', session, generation: number, processId, wasWarm });
      this.#noteStarted(runner);
      if (this.#context.isClosed()) runner.kill({ kind: 'cancelled' });
      return runner;
    } catch (error) {
      host.events.emit({ type: 'runner-failed', session, error });
      throw error;
    }
  }

  #runnerEvents(): LiveRunnerEvents {
    const { session, host, account, connection, lane, observation } = this.#context;
    return {
      lane,
      observer: () => observation.observer,
      compile: (...asked) => this.#compile(...asked),
      callHost: (generation, params, traceparent, onAnswer) =>
        this.#callHost(generation, params, traceparent, onAnswer),
      onOutput: (generation, stream, content) =>
        connection.notify(messages.output, { stream, content }, generation),
      onInputTaken: (generation, costBytes, isOpen) =>
        connection.notify(run.inputTaken, { costBytes, isOpen }, generation),
      onProgramUsed: (generation, use) => this.#programUsed(generation, use),
      onHot: (generation, counters) => {
        if (connection.has('hot-counters'))
          connection.notify(indirection.functionsHot, { counters }, generation);
      },
      onLimit: (generation, limit) => {
        host.events.emit({ type: 'limit-reached', session, limit });
        connection.notify(messages.limitReached, { limit }, generation);
      },
      isCongested: () => connection.link.backlogBytes > CONGESTED_BYTES,
      onUsage: account && ((usage, isBusy) => this.#report(account, usage, isBusy)),
      onMemory: (bytes) => this.#noteMemory(bytes),
      onEnd: (generation, end) => this.#runnerEnded(generation, end),
    };
  }

  async #compile(
    generation: number,
    trampoline: ExecutorAddr,
    traceparent: string | undefined,
    onAnswer: (answer: ReenterAnswer) => void,
    onSend: ((callback: number) => void) | undefined,
  ): Promise<void> {
    const { connection, host } = this.#context;
    const askedMs = monotonicMs();
    let outcome: CallbackOutcome = 'lost';
    try {
      await connection.request(
        indirection.reenter,
        { trampoline },
        {
          generation,
          traceparent,
          isTraced: false,
          onSend,
          onResult: (answer) => {
            this.#callbackWaitMs += monotonicMs() - askedMs;
            onAnswer(answer);
            outcome = answer.outcome;
          },
        },
      );
    } finally {
      host.events.emit({ type: 'callback-ended', outcome, durationMs: monotonicMs() - askedMs });
    }
  }

  async #callHost(
    generation: number,
    params: HostCallParams,
    traceparent: string | undefined,
    onAnswer: (answer: HostCallAnswer) => void,
  ): Promise<void> {
    const { connection, host } = this.#context;
    const askedMs = monotonicMs();
    let outcome: HostCallOutcome = 'lost';
    try {
      await connection.request(hostFunctions.callHost, params, {
        generation,
        traceparent,
        isTraced: false,
        onResult: (answer) => {
          onAnswer(answer);
          outcome = answer.outcome;
        },
      });
    } finally {
      host.events.emit({ type: 'host-call-ended', outcome, durationMs: monotonicMs() - askedMs });
    }
  }

  #report(account: Account, usage: RunnerUsage, isBusy: boolean): void {
    if (this.#runner) account.report(this.#runner, usage, isBusy);
  }

  #noteMemory(usedBytes: number): void {
    const { host, account, connection } = this.#context;
    if (!connection.has('memory-pressure')) return;
    const isHigh = this.#pressure.note([
      { usedBytes, limitBytes: host.limits.memory },
      { usedBytes: account?.memoryBytes ?? 0, limitBytes: account?.identity.quotas.memory },
    ]);
    if (isHigh !== undefined) connection.notify(messages.memoryPressure, { isHigh });
  }

  #programUsed(generation: number, use: ProcessUse): void {
    const { connection, isOpen } = this.#context;
    if (isOpen() && connection.has('run-reports')) connection.notify(run.programUsed, use, generation);
  }

  #runnerEnded(number: number, end: RunnerEnd): void {
    const { session, host, account, connection, guard, isOpen, observation } = this.#context;
    const gone = this.#runner;
    this.#runner = undefined;
    if (gone) {
      const { used } = gone;
      account?.forget(gone, used && cpuSecondsOf(used));
      if (used && gone.program.hasBegun) {
        host.events.emit({ type: 'program-ended', session, use: used });
        if (!gone.program.isRunning) this.#programUsed(number, used);
      }
      this.#past.commitsApplied += gone.commitsApplied;
      this.#past.callsStarted += gone.callsStarted;
      this.#past.commitMs += gone.commitMs;
      // Counted with its runner until now. What was too much is not kept.
      if (end.kind === 'quota') gone.tree?.close();
      else if (gone.tree) this.#context.files.leave(gone.tree);
    }
    // What the compiler was asked for is of no use any more, and it may never answer.
    connection.abandonRequests(number);
    host.events.emit({ type: 'runner-ended', session, generation: number, end });
    const observer = observation.observer;
    observer?.add({
      type: 'host-runner-ended',
      atNs: observer.nowNs(),
      generation: number,
      processId: gone?.processId ?? 0,
      end: end.kind,
    });
    if (!isOpen()) return observation.flush();
    // The rejected calls are answered in microtasks; the notification comes after them.
    guard.later('session.runner-lost', () => {
      observation.flush();
      // Who has asked for its program is the only one who has waited for it, and knows.
      const isTold = gone?.program.hasToldEnd && gone.lostCallCount === 1;
      if (isTold && connection.has('short-runs')) return;
      connection.notify(messages.runnerLost, { generation: number, end }, number);
    });
  }
}

/** What the compiler is told of a runner, once it has what was asked for. */
async function equip(runner: LiveRunner, stubCount: number, libraries: number): Promise<RunnerStarted> {
  runner.libraries = libraries;
  return runner.describe(await runner.emitStubs(stubCount));
}
