import { randomUUID } from 'node:crypto';
import {
  Connection,
  type ConnectionClosedError,
  type ExecutorAddr,
  type FrameEvent,
  indirection,
  MAX_UNOPENED_MS,
  memory,
  type ParamsOf,
  type RequestContext,
  RequestError,
  type RequestType,
  type ResultOf,
  type RunnerEnd,
  type RunnerStarted,
  run,
  session,
  symbols,
  type Transport,
  UnopenedLimits,
} from '@farjit/protocol';
import { POINTER_BYTES, STUB_BYTES, TRAMPOLINE_BYTES, TRIPLE } from './abi/x86-64.js';
import { CPU_NAME } from './abi/x86-64-cpu.js';
import { type Account, UNUSED } from './accounts.js';
import type { CallbackOutcome, ExecutorEvent } from './events.js';
import { Generation, type GenerationEvents } from './generation.js';
import type { HostResources } from './host-resources.js';
import { type Identity, LOCAL_IDENTITY } from './identity.js';
import type { ReenterAnswer } from './reentry.js';
import { PAGE_BYTES } from './reservation-layout.js';
import { ResumeSecrets } from './resume-secrets.js';
import type { RunnerUsage } from './runner-watch.js';
import { SessionCalls } from './session-calls.js';
import { SERVER_NAME } from './version.js';

/** Bytes that cannot be sent now, from which on JIT'd code waits when it writes output. */
const CONGESTED_BYTES = 4 * 1024 * 1024;

type State = 'new' | 'opening' | 'open' | 'closed';

export interface SessionOptions {
  readonly host: HostResources;
  readonly transport: Transport;
  /** Of whose it is; default: this machine's, which has no quotas. */
  readonly account?: Account;
  /** Starts the first runner now, since the compiler is sure to ask for it: it has been started for that. */
  readonly startAhead?: boolean;
  /** Milliseconds that the session outlives a lost connection, to be resumed; 0, the default, for none. */
  readonly timeToLiveMs?: number;
  /** Milliseconds that a peer has to ask for the session: `MAX_UNOPENED_MS` unless given. */
  readonly unopenedMs?: number;
  /** Given where clients have been told of them before there is a session. */
  readonly id?: string;
  readonly secrets?: ResumeSecrets;
  readonly onFrame?: (event: FrameEvent) => void;
}

/** One compiler's session: a connection, which may outlive its transport, and one runner after the other. */
export class Session {
  readonly id: string;
  readonly connection: Connection;
  /** Resolves when the connection is closed and the runner gone. */
  readonly ended: Promise<void>;
  /** Of those who may resume it. */
  readonly secrets: ResumeSecrets;
  readonly #host: HostResources;
  readonly #account: Account | undefined;
  #state: State = 'new';
  #generation: Generation | undefined;
  #generationCount = 0;
  #isStarting = false;
  /** The first runner, when it was started before it was asked for. */
  #ahead: Promise<RunnerStarted> | undefined;
  /** Counts of the generations that are gone. */
  #pastCounts = { commitsApplied: 0, callsStarted: 0, commitMs: 0 };
  #callbackWaitMs = 0;
  readonly #calls: SessionCalls;
  /** Undefined before it is open. */
  #openedAtMs: number | undefined;
  /** Settled when the current generation has ended. */
  #generationEnded: Promise<void> = Promise.resolve();
  #resolveGenerationEnded: () => void = () => {};

  /** Registers handlers and starts to receive. */
  constructor(options: SessionOptions) {
    this.#host = options.host;
    this.id = options.id ?? randomUUID();
    this.secrets = options.secrets ?? new ResumeSecrets();
    const { timeToLiveMs } = options;
    const onFrame = this.#frameListener(options.onFrame);
    this.#account = options.account;
    const limits = new UnopenedLimits();
    this.connection = new Connection(options.transport, {
      ...(onFrame && { onFrame }),
      timeToLiveMs,
      admit: (sizeBytes) => {
        this.secrets.confirm();
        return this.#isUnopened() ? limits.admit(sizeBytes) : undefined;
      },
      onBroken: ({ reason }, mended) => {
        if (this.#state === 'open') void this.#noteLost(reason, mended);
        else this.connection.close(1006, reason);
      },
    });
    this.#calls = new SessionCalls({
      connection: this.connection,
      account: options.account,
      events: options.host.events,
      close: (reason) => this.close(reason),
    });
    this.#registerHandlers();
    const { unopenedMs = MAX_UNOPENED_MS } = options;
    const unopened = setTimeout(() => this.#giveUpUnopened(unopenedMs), unopenedMs);
    void this.connection.closed.then(() => clearTimeout(unopened));
    this.ended = this.connection.closed.then((error) => this.#connectionEnded(error));
    if (options.startAhead) {
      this.#ahead = this.#startRunner();
      // Told to who asks for it.
      this.#ahead.catch(() => {});
    }
    this.connection.start();
  }

  /** Whose it is: nobody else may resume it. */
  get identity(): Identity {
    return this.#account?.identity ?? LOCAL_IDENTITY;
  }

  /** The runner that lives now. */
  get generation(): Generation | undefined {
    return this.#generation;
  }

  /** Whether it can go on with a client that has received so many frames. */
  canResume(receivedCount: number): boolean {
    return this.#state === 'open' && this.connection.link.canResume(receivedCount);
  }

  /** Closes the connection and waits until the runner is gone. */
  async close(reason: string): Promise<void> {
    this.connection.close(1001, reason);
    // A peer that does not answer the closing handshake must not keep the runner alive.
    await this.#end({ kind: 'cancelled' });
  }

  /** Takes no more calls, and closes when those in flight have been answered. */
  drain(): void {
    this.#calls.drain();
  }

  #registerHandlers(): void {
    this.connection.handle(session.openSession, (params) => this.#open(params));
    this.#handleOpen(session.startRunner, () => this.#replaceRunner());
    this.#handleOpen(session.sessionStatus, async () => this.#status());
    this.#handleOpen(session.terminateSession, async () => {
      await this.#end({ kind: 'cancelled' });
      return {};
    });

    this.#handleLive(symbols.lookupSymbols, async (generation, { names }) => ({
      addresses: await generation.lookup(names),
    }));
    this.#handleLive(memory.createAllocator, async (generation) => ({
      allocator: generation.memory.createAllocator(),
    }));
    this.#handleLive(memory.reserveMemory, async (generation, { allocator, prot, memoryBytes }) => ({
      address: generation.memory.reserve(allocator, prot, memoryBytes),
    }));
    this.#handleLive(memory.destroyAllocator, async (generation, { allocator }) => {
      generation.memory.destroyAllocator(allocator);
      return {};
    });
    this.#handleLive(memory.commitMemory, async (generation, { commit }, { traceparent }) => {
      await generation.commit(commit, traceparent);
      return {};
    });
    this.#handleLive(memory.readMemory, async (generation, { address, sizeBytes }) => ({
      content: generation.memory.read(address, sizeBytes),
    }));
    this.#handleLive(indirection.createIndirectStubsOwner, async (generation) => ({
      owner: generation.indirection.createOwner(),
    }));
    this.#handleLive(indirection.destroyIndirectStubsOwner, async (generation, { owner }) => {
      generation.indirection.destroyOwner(owner);
      return {};
    });
    this.#handleLive(indirection.emitResolverBlock, async (generation) => ({
      resolver: generation.indirection.emitResolverBlock(),
    }));
    this.#handleLive(indirection.emitTrampolineBlock, async (generation, { trampolineCount }) => ({
      trampolines: generation.indirection.emitTrampolines(trampolineCount),
    }));
    this.#handleLive(indirection.emitIndirectStubs, async (generation, params) =>
      generation.indirection.emitStubs(
        params.owner,
        params.stubCount,
        params.initialTarget,
        params.initialStrideBytes,
      ),
    );
    this.#handleLive(run.call, (generation, params, context) => this.#calls.run(generation, params, context));
    this.#handleLive(run.callAndRead, async (generation, { read, ...params }, context) => {
      generation.memory.checkReadable(read.address, read.sizeBytes);
      const result = await this.#calls.run(generation, params, context);
      return { ...result, content: generation.readLeft(read.address, read.sizeBytes) };
    });
  }

  /** A message that needs an open session. */
  #handleOpen<M extends RequestType>(
    type: M,
    handler: (params: ParamsOf<M>, context: RequestContext) => Promise<ResultOf<M>>,
  ): void {
    this.connection.handle(type, async (params, context) => {
      if (this.#state !== 'open')
        throw new RequestError('METHOD_NOT_ALLOWED', `${type.method}: ${stateInWords(this.#state)}`);
      return handler(params, context);
    });
  }

  /** A message that speaks of the runner of one generation. */
  #handleLive<M extends RequestType>(
    type: M,
    handler: (generation: Generation, params: ParamsOf<M>, context: RequestContext) => Promise<ResultOf<M>>,
  ): void {
    this.#handleOpen(type, async (params, context) => {
      const generation = this.#generation;
      if (!generation || generation.number !== context.generation)
        throw new RequestError(
          'STALE_GENERATION',
          generation
            ? `${type.method} is for generation ${context.generation}, the runner is generation ${generation.number}`
            : `${type.method}: the runner of generation ${this.#generationCount} is gone`,
        );
      return handler(generation, params, context);
    });
  }

  async #open(params: ParamsOf<typeof session.openSession>): Promise<ResultOf<typeof session.openSession>> {
    if (this.#state !== 'new')
      throw new RequestError('METHOD_NOT_ALLOWED', `openSession: ${stateInWords(this.#state)}`);
    const version = session.PROTOCOL_VERSIONS.find((ours) => params.versions.includes(ours));
    if (version === undefined)
      throw new RequestError(
        'VERSION_MISMATCH',
        `the executor speaks protocol ${session.PROTOCOL_VERSIONS.join(', ')}, ` +
          `the compiler ${params.versions.join(', ')}: use releases of FarJIT that go together`,
      );
    this.#state = 'opening';
    const askedMs = performance.now();
    try {
      const runner = await this.#firstRunner();
      if (this.#isClosed()) throw new RequestError('CANCELLED', 'the session was closed while it opened');
      this.#state = 'open';
      this.#openedAtMs = performance.now();
      const openMs = this.#openedAtMs - askedMs;
      this.#emit({ type: 'session-opened', session: this, client: params.client, openMs });
      return {
        version,
        server: SERVER_NAME,
        session: this.id,
        info: remoteInfo(this.#host.cpuFeatures),
        runner,
        timeToLiveMs: this.connection.link.timeToLiveMs,
      };
    } catch (error) {
      if (!this.#isClosed()) this.#state = 'new';
      throw error;
    }
  }

  /** Bytes are counted when somebody counts them. */
  #frameListener(onFrame: SessionOptions['onFrame']): SessionOptions['onFrame'] {
    const { events } = this.#host;
    if (!events.isHeard) return onFrame;
    return (frame) => {
      onFrame?.(frame);
      events.emit({ type: 'frame', direction: frame.direction, sizeBytes: frame.sizeBytes });
    };
  }

  #emit(event: ExecutorEvent): void {
    this.#host.events.emit(event);
  }

  async #noteLost(reason: string, mended: Promise<void>): Promise<void> {
    this.#emit({ type: 'session-lost', session: this, reason });
    await mended;
    if (!this.connection.isClosed) this.#emit({ type: 'session-resumed', session: this });
  }

  async #connectionEnded({ message }: ConnectionClosedError): Promise<void> {
    await this.#end({ kind: 'cancelled' });
    if (this.#openedAtMs === undefined) return;
    const openedMs = performance.now() - this.#openedAtMs;
    this.#emit({ type: 'session-closed', session: this, reason: message, openedMs });
  }

  async #firstRunner(): Promise<RunnerStarted> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const started = await ahead;
    // It may have ended since.
    return started && this.#generation ? started : this.#startRunner();
  }

  async #replaceRunner(): Promise<RunnerStarted> {
    if (!this.#isStarting) {
      this.#generation?.kill({ kind: 'fault', message: 'the compiler asked for another runner' });
      await this.#generationEnded;
    }
    return this.#startRunner();
  }

  /** A peer that has not said what it wants must not keep others out for ever. */
  #giveUpUnopened(unopenedMs: number): void {
    if (this.#state === 'new')
      this.connection.close(1008, `no session was opened within ${unopenedMs / 1000} s`);
  }

  #isUnopened(): boolean {
    return this.#state === 'new' || this.#state === 'opening';
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async #startRunner(): Promise<RunnerStarted> {
    if (this.#generation || this.#isStarting)
      throw new RequestError(
        'METHOD_NOT_ALLOWED',
        `startRunner: the runner of generation ${this.#generationCount} ${this.#isStarting ? 'is starting' : 'lives'}`,
      );
    this.#isStarting = true;
    this.#generationEnded = new Promise((resolve) => {
      this.#resolveGenerationEnded = resolve;
    });
    try {
      const generation = await Generation.start(this.#generationCount + 1, this.#host, this.#events());
      this.#generationCount = generation.number;
      this.#generation = generation;
      this.#account?.report(generation, UNUSED, false);
      const { number, processId, wasWarm } = generation;
      this.#emit({ type: 'runner-started', session: this, generation: number, processId, wasWarm });
      if (this.#isClosed()) generation.kill({ kind: 'cancelled' });
      return generation.describe();
    } catch (error) {
      this.#resolveGenerationEnded();
      this.#emit({ type: 'runner-failed', session: this, error });
      throw error;
    } finally {
      this.#isStarting = false;
    }
  }

  #events(): GenerationEvents {
    return {
      compile: (generation, trampoline, traceparent, onAnswer) =>
        this.#compile(generation, trampoline, traceparent, onAnswer),
      onOutput: (generation, stream, content) =>
        this.connection.notify(session.output, { stream, content }, generation),
      onHot: (generation, counters) =>
        this.connection.notify(indirection.functionsHot, { counters }, generation),
      onLimit: (generation, limit) => {
        this.#emit({ type: 'limit-reached', session: this, limit });
        this.connection.notify(session.limitReached, { limit }, generation);
      },
      isCongested: () => this.connection.link.backlogBytes > CONGESTED_BYTES,
      onUsage: this.#account && ((usage, isBusy) => this.#report(usage, isBusy)),
      onEnd: (generation, end) => this.#runnerEnded(generation, end),
    };
  }

  async #compile(
    generation: number,
    trampoline: ExecutorAddr,
    traceparent: string | undefined,
    onAnswer: (answer: ReenterAnswer) => void,
  ): Promise<void> {
    const askedMs = performance.now();
    let outcome: CallbackOutcome = 'lost';
    try {
      await this.connection.request(
        indirection.reenter,
        { trampoline },
        {
          generation,
          traceparent,
          isTraced: false,
          onResult: (answer) => {
            this.#callbackWaitMs += performance.now() - askedMs;
            onAnswer(answer);
            outcome = answer.outcome;
          },
        },
      );
    } finally {
      this.#emit({ type: 'callback-ended', outcome, durationMs: performance.now() - askedMs });
    }
  }

  #report(usage: RunnerUsage, isBusy: boolean): void {
    if (this.#generation) this.#account?.report(this.#generation, usage, isBusy);
  }

  #runnerEnded(number: number, end: RunnerEnd): void {
    const gone = this.#generation;
    this.#generation = undefined;
    if (gone) {
      // Those that the host ends are looked at before.
      const endedByItself = ['trap', 'exit', 'signal', 'unwind-failed'].includes(end.kind);
      this.#account?.forget(gone, { wasSeen: !endedByItself });
      this.#pastCounts.commitsApplied += gone.commitsApplied;
      this.#pastCounts.callsStarted += gone.callsStarted;
      this.#pastCounts.commitMs += gone.commitMs;
    }
    this.#resolveGenerationEnded();
    this.#emit({ type: 'runner-ended', session: this, generation: number, end });
    if (this.#state !== 'open') return;
    // The rejected calls are answered in microtasks; the notification comes after them.
    setImmediate(() => {
      this.connection.notify(session.runnerLost, { generation: number, end }, number);
    });
  }

  #status(): ResultOf<typeof session.sessionStatus> {
    const generation = this.#generation;
    return {
      generation: this.#generationCount,
      processId: generation?.processId ?? 0,
      callsInFlight: generation?.callsInFlight ?? 0,
      blocked: generation?.blocked ?? [],
      foreignThreads: generation?.foreignThreads ?? 0,
      commitsApplied: this.#pastCounts.commitsApplied + (generation?.commitsApplied ?? 0),
      callsStarted: this.#pastCounts.callsStarted + (generation?.callsStarted ?? 0),
      callbackWaitUs: Math.round(this.#callbackWaitMs * 1000),
      commitUs: Math.round((this.#pastCounts.commitMs + (generation?.commitMs ?? 0)) * 1000),
      maps: generation?.readMaps() ?? '',
    };
  }

  async #end(end: RunnerEnd): Promise<void> {
    this.#state = 'closed';
    this.#generation?.kill(end);
    await this.#generationEnded;
  }
}

function stateInWords(state: State): string {
  switch (state) {
    case 'new':
      return 'no session is open, send openSession first';
    case 'opening':
      return 'the session is being opened';
    case 'open':
      return 'the session is open already';
    case 'closed':
      return 'the session has been terminated';
  }
}

function remoteInfo(cpuFeatures: string) {
  return {
    triple: TRIPLE,
    cpuName: CPU_NAME,
    cpuFeatures,
    pointerBytes: POINTER_BYTES,
    pageBytes: PAGE_BYTES,
    trampolineBytes: TRAMPOLINE_BYTES,
    stubBytes: STUB_BYTES,
  };
}
