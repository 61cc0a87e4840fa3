import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { Socket } from 'node:net';
import { joinWebSocket, WebSocketTransport } from '@farjit/protocol';
import { Accounts } from './accounts.js';
import { Authenticator, type RefusalReason } from './authentication.js';
import type { Drained, DrainOptions } from './drain.js';
import type { ExecutorEvents } from './events.js';
import { Gate } from './gate.js';
import { createHostListener } from './host-listener.js';
import { createHostResources, type HostResources } from './host-resources.js';
import { closeHttp, listening, listenOnPort, listenOnSocket, urlOf } from './http-listener.js';
import { DEFAULT_MAX_SESSIONS } from './limits.js';
import {
  checkDefences,
  type ListenAddress,
  parseListenAddress,
  parseMetricsAddress,
} from './listen-address.js';
import { LiveRunner } from './live-runner.js';
import type { Endpoints } from './metrics/endpoints.js';
import type { HostState } from './metrics/host-state.js';
import { TrustedProxies } from './proxy-protocol.js';
import { checkServerOptions, type ServerOptions } from './server-options.js';
import { Session } from './session.js';
import { STRANGER_TIMEOUT_MS, Strangers } from './strangers.js';
import type { TlsMaterial } from './tls-files.js';
import { type Credentials, loneToken, makeToken } from './tokens.js';
import { type ServerPhase, Upgrades } from './upgrades.js';

interface Listener {
  readonly http: HttpServer | HttpsServer;
  /** As a client writes it. */
  readonly url: string;
}

/** An executor host: accepts WebSocket connections, one session each. */
export class Server implements AsyncDisposable {
  readonly #host: HostResources;
  readonly #options: ServerOptions;
  /** Made up, where none was given. */
  readonly #token: string | undefined;
  readonly #authenticator: Authenticator;
  readonly #accounts = new Accounts();
  #tls: TlsMaterial | undefined;
  readonly #maxSessions: number;
  readonly #listeners: Listener[] = [];
  readonly #sessions = new Set<Session>();
  readonly #upgrades: Upgrades;
  readonly #strangerTimeoutMs: number;
  readonly #strangers: Strangers;
  readonly #gate: Gate;
  /** `/healthz` and the like, once there is somebody to ask. */
  #endpoints: Promise<Endpoints> | undefined;
  #phase: ServerPhase = 'open';

  /** @throws {SettingsError} for options that are none. */
  constructor(options: ServerOptions = {}) {
    checkServerOptions(options);
    this.#host = createHostResources(options);
    this.#host.runners.fill();
    this.#options = options;
    this.#token = options.credentials === undefined ? makeToken() : undefined;
    this.#authenticator = new Authenticator(credentialsOf(options.credentials ?? this.#token ?? ''));
    this.#tls = options.tls;
    this.#maxSessions = options.maxSessions ?? DEFAULT_MAX_SESSIONS;
    this.#upgrades = new Upgrades({
      host: this.#host,
      options,
      authenticator: this.#authenticator,
      accounts: this.#accounts,
      sessions: this.#sessions,
      maxSessions: this.#maxSessions,
      phase: () => this.#phase,
      add: (session) => this.#add(session),
    });
    const refuse = (reason: RefusalReason, remoteAddress: string | undefined) =>
      this.#upgrades.noteRefused({ status: undefined, reason, remoteAddress });
    this.#strangerTimeoutMs = options.strangerTimeoutMs ?? STRANGER_TIMEOUT_MS;
    this.#strangers = new Strangers({
      onCut: ({ address }, reason) => refuse(reason, address),
      timeoutMs: this.#strangerTimeoutMs,
    });
    this.#gate = new Gate({
      strangers: this.#strangers,
      proxies: new TrustedProxies(options.proxyProtocol ?? []),
      onBadRequest: (address) => refuse('bad-request', address),
      onFault: (error) => this.events.emit({ type: 'internal-fault', place: 'gate', error }),
    });
  }

  /** Sessions whose connection is open or whose runner still ends. */
  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  /** The token that was made up because no credentials were given: clients send `Authorization: Bearer <token>`. */
  get token(): string | undefined {
    return this.#token;
  }

  /** What happens here. */
  get events(): ExecutorEvents {
    return this.#host.events;
  }

  /** What is under way. */
  stateNow(): HostState {
    const runners = [...this.#sessions].flatMap(({ runner }) => runner ?? []);
    const sum = (count: (runner: LiveRunner) => number) =>
      runners.reduce((total, runner) => total + count(runner), 0);
    return {
      sessionsOpen: this.#sessions.size,
      sessionsMax: this.#maxSessions,
      callsInFlight: sum(({ callsInFlight }) => callsInFlight),
      callsWaiting: sum(({ callsWaiting }) => callsWaiting),
      threadsBlocked: sum(({ blockedCount }) => blockedCount),
      hostCallsOpen: sum(({ hostCallsOpen }) => hostCallsOpen),
      runnersWarm: this.#host.runners.warmCount,
      runnersMemoryBytes: sum(({ memoryBytes }) => memoryBytes),
      sessionSeconds: this.#host.turns.usedMs / 1000,
      isDraining: this.#phase !== 'open',
    };
  }

  /**
   * Serves `/healthz`, `/readyz` and `/metrics` on `http://HOST:PORT`, without asking who wants to know.
   * @returns the URL, with the port that was taken.
   * @throws {ListenAddressError | ListenError}
   */
  async listenMetrics(url: string): Promise<string> {
    const { allowInsecureListen = false } = this.#options;
    const address = parseMetricsAddress(url, { allowInsecure: allowInsecureListen });
    const { createMetricsServer } = await import('./metrics/metrics-listener.js');
    const endpoints = await this.#openEndpoints();
    const http = createMetricsServer(endpoints);
    this.#gate.guard(http);
    await listening(url, listenOnPort(http, address));
    const listener = { http, url: urlOf(http, address).replace(/^ws/, 'http') };
    this.#listeners.push(listener);
    endpoints.open();
    return listener.url;
  }

  /**
   * Listens on `ws+unix:PATH` (for this user alone, by the socket's mode), or on `ws://HOST:PORT` or `wss://HOST:PORT`
   * for those who authenticate.
   * @returns the URL to connect to, with the port that was taken.
   * @throws {ListenAddressError | SocketInUseError | ListenError}
   */
  async listen(url: string): Promise<string> {
    const address = parseListenAddress(url);
    const { credentials, allowInsecureListen = false, onWarning } = this.#options;
    const warning = checkDefences(url, address, {
      hasCertificate: this.#tls !== undefined,
      hasClientCA: this.#hasClientCA,
      hasCredentials: credentials !== undefined,
      allowInsecure: allowInsecureListen,
    });
    if (warning !== undefined) onWarning?.(warning);
    await this.#host.tracing.open();
    const http = await this.#createHttpServer(address);
    const { kind } = address;
    await listening(url, kind === 'unix' ? listenOnSocket(http, address.path) : listenOnPort(http, address));
    const listener = { http, url: urlOf(http, address) };
    this.#listeners.push(listener);
    if (address.kind === 'tcp') (await this.#openEndpoints()).open();
    return listener.url;
  }

  /**
   * Starts a runner and ends it, to see that one can be started.
   * @throws {RunnerStartError} with the reason.
   */
  async tryRunner(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const events = {
        lane: this.#host.turns.lane({ charge: () => {}, fault: reject }),
        compile: () => Promise.reject(new Error('nothing was asked to run')),
        callHost: () => Promise.reject(new Error('nothing was asked to run')),
        observer: () => undefined,
        onOutput: () => {},
        onInputTaken: () => {},
        onProgramUsed: () => {},
        onMemory: () => {},
        isCongested: () => false,
        onLimit: () => {},
        onHot: () => {},
        onEnd: () => resolve(),
      };
      LiveRunner.start(1, this.#host, events).then((runner) => runner.kill({ kind: 'cancelled' }), reject);
    });
  }

  /**
   * Serves exactly one connection over an open socket that was inherited from the parent process: no file, no port,
   * no token, because nobody else can reach it. Resolves when the session has ended.
   * @param onServing called when its runner has been started, for which all is loaded.
   */
  async serveInherited(fd: number, onServing?: () => void): Promise<void> {
    await this.#host.tracing.open();
    const socket = new Socket({ fd, readable: true, writable: true });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const webSocket = joinWebSocket(socket, 'server');
    // Says that there is somebody here.
    webSocket.ping();
    this.#upgrades.keep(webSocket);
    this.#add(
      new Session({
        // This process has no other one.
        id: String(process.pid),
        host: this.#host,
        transport: new WebSocketTransport(webSocket),
        startAhead: true,
      }),
    );
    onServing?.();
    await closed;
    await Promise.all([...this.#sessions].map((session) => session.ended));
  }

  /**
   * From now on, upgrades are granted by these. Sessions that are open stay, whoever they are of; the quotas hold for
   * them, too.
   * @throws whatever is wrong with the certificates, and then nothing has changed.
   */
  async reload({ tls, credentials }: Pick<ServerOptions, 'tls' | 'credentials'>): Promise<void> {
    if (tls) {
      const { tlsOptions } = await import('./tls-options.js');
      const options = tlsOptions(tls);
      for (const { http } of this.#listeners) if ('setSecureContext' in http) http.setSecureContext(options);
      this.#tls = tls;
    }
    if (credentials === undefined) return;
    this.#authenticator.replace(credentialsOf(credentials));
    for (const account of this.#accounts) {
      const quotas = this.#authenticator.quotasOf(account.identity);
      if (quotas) account.setQuotas(quotas);
    }
  }

  /**
   * Takes no more sessions, and lets those there are come to an end: their calls in flight do, others are refused. Does not
   * close the server.
   */
  async drain(options: DrainOptions): Promise<Drained> {
    if (this.#phase === 'open') this.#phase = 'draining';
    void this.#endpoints?.then((endpoints) => endpoints.close());
    // Nobody will ask for those.
    void this.#host.runners.close();
    const { drainSessions } = await import('./drain.js');
    return drainSessions(this.#sessions, options);
  }

  /** Ends all sessions and their runners, then stops listening and removes the sockets. */
  async close(): Promise<void> {
    this.#phase = 'closing';
    const listenersClosed = this.#listeners.splice(0).map(({ http }) => closeHttp(http));
    this.#strangers.close();
    const poolClosed = this.#host.runners.close();
    await Promise.all([...this.#sessions].map((session) => session.close('the executor is shutting down')));
    await this.#upgrades.whenClosed();
    await (await this.#endpoints)?.close();
    await Promise.all([poolClosed, ...listenersClosed]);
    this.#host.users.close();
    await this.#host.tracing.source.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #createHttpServer(address: ListenAddress): Promise<HttpServer | HttpsServer> {
    return createHostListener(address, {
      host: this.#host,
      gate: this.#gate,
      authenticator: this.#authenticator,
      upgrades: this.#upgrades,
      endpoints: await this.#openEndpoints(),
      tls: address.kind === 'tcp' && address.isTls ? this.#tls : undefined,
      strangerTimeoutMs: this.#strangerTimeoutMs,
      hasClientCA: () => this.#hasClientCA,
    });
  }

  #openEndpoints(): Promise<Endpoints> {
    // A host for one compiler has nobody to ask it.
    this.#endpoints ??= import('./metrics/open-endpoints.js').then(({ openEndpoints }) =>
      openEndpoints(
        { events: this.events, stateNow: () => this.stateNow(), tryRunner: () => this.#checkRunner() },
        { counts: this.#options.metrics ?? false },
      ),
    );
    return this.#endpoints;
  }

  /** One that waits to be taken is as good as one that has been tried. */
  async #checkRunner(): Promise<void> {
    await this.#host.runners.settled();
    if (this.#host.runners.warmCount === 0) await this.tryRunner();
  }

  get #hasClientCA(): boolean {
    return this.#tls?.ca !== undefined;
  }

  #add(session: Session): void {
    this.#sessions.add(session);
    void session.ended.then(() => this.#sessions.delete(session));
  }
}

function credentialsOf(given: string | Credentials): Credentials {
  return typeof given === 'string' ? loneToken(given) : given;
}
