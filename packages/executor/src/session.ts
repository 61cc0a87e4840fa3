import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  Connection,
  commonFeatures,
  commonVersion,
  describeVersions,
  type FrameListener,
  MAX_REQUESTS_IN_FLIGHT,
  MAX_UNOPENED_MS,
  type OpenWebSocket,
  observation,
  type ParamsOf,
  PROTOCOL_VERSIONS,
  type ResultOf,
  session,
  type Transport,
  UnopenedLimits,
} from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { RequestError } from '@farjit/protocol/errors';
import type { Abi } from './abi/abi.js';
import type { Account } from './accounts.js';
import type { ExecutorEvent } from './events.js';
import { SessionFiles } from './files/session-files.js';
import { type FaultPlace, faultWords, Guard } from './guard.js';
import type { HostResources } from './host-resources.js';
import { type Identity, LOCAL_IDENTITY } from './identity.js';
import type { LiveRunner } from './live-runner.js';
import { Observation } from './observation.js';
import { ResumeSecrets } from './resume-secrets.js';
import { SessionCalls } from './session-calls.js';
import { handleRequests, type SessionState, wrongState } from './session-requests.js';
import { SessionRunners } from './session-runners.js';
import { guardUnopened } from './unopened-guard.js';
import { SERVER_NAME } from './version.js';

/** RFC 6455, 7.4.1: what there was to do is done. */
const NORMAL_CLOSE = 1000;
/** Why a session has ended that its compiler has closed. */
const NORMAL_END = 'closed';

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
  /** Where the upgrade has brought frames, which then come first. */
  readonly brought?: {
    readonly frameCount: number;
    /** Milliseconds that the session outlives a lost connection over which nothing has come: at most `timeToLiveMs`. */
    readonly unheardMs: number;
  };
  readonly onFrame?: FrameListener;
}

/** Bytes that cannot be sent now, from which on what was observed waits. */
const CONGESTED_BYTES = 1024 * 1024;

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
  readonly #timeToLiveMs: number;
  #state: SessionState = 'new';
  readonly #guard: Guard;
  #resolveFailed!: (reason: string) => void;
  readonly #runners: SessionRunners;
  readonly #calls: SessionCalls;
  readonly #files: SessionFiles;
  readonly #observation: Observation;
  /** Undefined before it is open. */
  #openedAtMs: number | undefined;

  /** Registers handlers and starts to receive. */
  constructor(options: SessionOptions) {
    this.#host = options.host;
    this.id = options.id ?? randomUUID();
    this.secrets = options.secrets ?? new ResumeSecrets();
    const { timeToLiveMs = 0, brought = { frameCount: 0, unheardMs: timeToLiveMs } } = options;
    this.#timeToLiveMs = timeToLiveMs;
    const onFrame = this.#frameListener(options.onFrame);
    this.#account = options.account;
    const limits = new UnopenedLimits();
    const guard = new Guard({
      onFault: (place, error) => this.#onFault(place, error),
      probe: options.host.probe,
    });
    this.#guard = guard;
    const failed = new Promise<string>((resolve) => {
      this.#resolveFailed = resolve;
    });
    const lane = options.host.turns.lane({
      charge: (usedMs) => options.account?.addHostTime(usedMs),
      fault: (error) => guard.fault('session.message', error),
    });
    this.connection = new Connection(options.transport, {
      ...(onFrame && { onFrame }),
      timeToLiveMs: Math.min(timeToLiveMs, brought.unheardMs),
      schedule: (work) => lane.run(work),
      guard: {
        run: (event, handler) => guard.run(`session.${event}`, handler),
        fault: (error) => guard.fault('session.request', error),
      },
      answer: (work) => lane.measure(work),
      onRefused: (request, error) => this.#runners.noteRefused(request, error),
      maxPendingRequests: MAX_REQUESTS_IN_FLIGHT,
      maxBacklogBytes: session.MAX_ANSWER_BACKLOG_BYTES,
      admit: (sizeBytes) => {
        if (this.connection.link.receivedCount >= brought.frameCount) this.#noteHeard();
        return this.isUnopened ? limits.admit(sizeBytes) : undefined;
      },
      onBroken: ({ reason }, mended) => {
        if (this.#state === 'open') guard.spawn('session.lost', () => this.#noteLost(reason, mended));
        else this.connection.close(1006, reason);
      },
    });
    this.#calls = new SessionCalls({
      guard,
      connection: this.connection,
      account: options.account,
      events: options.host.events,
      close: (reason) => this.close(reason),
    });
    const { kind, name } = options.account?.identity ?? LOCAL_IDENTITY;
    const owner = `${kind} ${name}`;
    this.#files = new SessionFiles({
      owner,
      store: options.host.contents,
      account: options.account,
      limits: options.host.limits,
      close: (reason) => this.connection.close(1008, reason),
    });
    this.#observation = new Observation({
      notify: (events, droppedCount) =>
        this.connection.notify(observation.hostEvents, { events, droppedCount }),
      isCongested: () => this.connection.link.backlogBytes > CONGESTED_BYTES,
      later: (work, ms) => {
        guard.timer('session.observe', work, ms).unref();
      },
    });
    this.#runners = new SessionRunners({
      session: this,
      host: options.host,
      account: options.account,
      connection: this.connection,
      files: this.#files,
      observation: this.#observation,
      guard,
      lane,
      isOpen: () => this.#state === 'open',
      isClosed: () => this.#isClosed(),
    });
    handleRequests({
      connection: this.connection,
      runners: this.#runners,
      calls: this.#calls,
      files: this.#files,
      objects: options.host.objects.of(owner, () => this.#account?.identity.quotas.objects),
      observation: this.#observation,
      lane,
      state: () => this.#state,
      open: (params) => this.#open(params),
      terminate: () => this.#end(),
    });
    const { unopenedMs = MAX_UNOPENED_MS } = options;
    const unopened = guard.timer('session.unopened', () => this.#giveUpUnopened(unopenedMs), unopenedMs);
    const closed = this.connection.closed.then(({ closeCode, message }) =>
      closeCode === NORMAL_CLOSE ? NORMAL_END : message,
    );
    this.ended = Promise.race([closed, failed]).then((reason) => {
      clearTimeout(unopened);
      lane.close();
      return this.#connectionEnded(reason);
    });
    if (options.startAhead) this.#runners.startAhead();
    this.connection.start();
  }

  /** Whose it is: nobody else may resume it. */
  get identity(): Identity {
    return this.#account?.identity ?? LOCAL_IDENTITY;
  }

  /** The runner that lives now. */
  get runner(): LiveRunner | undefined {
    return this.#runners.current;
  }

  /** Cuts its peer off when that sends too much before the session is open. */
  watchUnopened(socket: Socket, webSocket: OpenWebSocket): void {
    guardUnopened(socket, webSocket, this, this.#guard);
  }

  /** Nobody has been given it yet. */
  get isUnopened(): boolean {
    return this.#state === 'new' || this.#state === 'opening';
  }

  /** Whether it can go on with a client that has received so many frames. */
  canResume(receivedCount: number): boolean {
    return this.#state === 'open' && this.connection.link.canResume(receivedCount);
  }

  /** Goes on over another transport. */
  resume(transport: Transport, receivedCount: number): void {
    this.#guard.run('session.resume', () => this.connection.link.resume(transport, receivedCount));
  }

  /** Closes the connection and waits until the runner is gone. */
  async close(reason: string): Promise<void> {
    this.connection.close(1001, reason);
    // A peer that does not answer the closing handshake must not keep the runner alive.
    await this.#end();
  }

  /** Takes no more calls, and closes when those in flight have been answered. */
  drain(): void {
    this.#calls.drain();
  }

  async #open(params: ParamsOf<typeof session.openSession>): Promise<ResultOf<typeof session.openSession>> {
    if (this.#state !== 'new') throw wrongState('openSession', this.#state);
    const version = commonVersion(params.versions);
    if (version === undefined) throw versionMismatch(params.versions);
    this.#state = 'opening';
    const askedMs = monotonicMs();
    try {
      const runner = await this.#runners.first(params.runner);
      if (this.#isClosed()) throw new RequestError('CANCELLED', 'the session was closed while it opened');
      this.#state = 'open';
      const features = commonFeatures(params.features);
      this.connection.agree(features, `the compiler (${params.client})`);
      this.#openedAtMs = monotonicMs();
      const openMs = this.#openedAtMs - askedMs;
      this.#emit({ type: 'session-opened', session: this, client: params.client, openMs });
      return {
        version,
        features,
        server: SERVER_NAME,
        session: this.id,
        info: remoteInfo(this.#host.abi, this.#host.cpuFeatures),
        runner,
        timeToLiveMs: this.#timeToLiveMs,
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
    return (direction, kind, method, sizeBytes) => {
      onFrame?.(direction, kind, method, sizeBytes);
      events.emit({ type: 'frame', direction, sizeBytes });
    };
  }

  #emit(event: ExecutorEvent): void {
    this.#host.events.emit(event);
  }

  /** Whoever sends a frame over the WebSocket has the answer to the upgrade, with all that it takes to come back. */
  #noteHeard(): void {
    this.secrets.confirm();
    this.connection.link.timeToLiveMs = this.#timeToLiveMs;
  }

  async #noteLost(reason: string, mended: Promise<void>): Promise<void> {
    this.#emit({ type: 'session-lost', session: this, reason });
    await mended;
    if (!this.connection.isClosed) this.#emit({ type: 'session-resumed', session: this });
  }

  /** Never rejects: whoever waits for the end gives back what the session has had. */
  async #connectionEnded(reason: string): Promise<void> {
    await this.#end().catch((error: unknown) => this.#guard.fault('session.end', error));
    this.#guard.attempt('session.end', () => this.#files.close());
    if (this.#openedAtMs === undefined) return;
    const openedMs = monotonicMs() - this.#openedAtMs;
    this.#emit({ type: 'session-closed', session: this, reason, openedMs });
  }

  /** A bug of ours has thrown: the session ends, and says so to its compiler if it can. */
  #onFault(place: FaultPlace, error: unknown): void {
    const words = faultWords(place, error);
    this.#emit({ type: 'internal-fault', place, error, session: this });
    this.#resolveFailed(words);
    this.connection.close(1011, words);
  }

  /** A peer that has not said what it wants must not keep others out for ever. */
  #giveUpUnopened(unopenedMs: number): void {
    if (this.#state === 'new')
      this.connection.close(1008, `no session was opened within ${unopenedMs / 1000} s`);
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async #end(): Promise<void> {
    this.#state = 'closed';
    await this.#runners.end({ kind: 'cancelled' });
    this.#observation.flush();
  }
}

function versionMismatch(versions: readonly number[]): RequestError {
  const { oldest, newest } = PROTOCOL_VERSIONS;
  return new RequestError(
    'VERSION_MISMATCH',
    `the executor (${SERVER_NAME}) speaks ${describeVersions([oldest, newest])} of the protocol, ` +
      `the compiler ${describeVersions(versions)}: use releases of FarJIT that go together`,
  );
}

function remoteInfo(abi: Abi, cpuFeatures: string) {
  const { triple, cpuName, pointerBytes, pageBytes, trampolineBytes, stubBytes } = abi;
  return { triple, cpuName, cpuFeatures, pointerBytes, pageBytes, trampolineBytes, stubBytes };
}
