import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  DEFAULT_HEARTBEAT_MS,
  FarJITError,
  joinWebSocket,
  MAX_REFUSED_HANDSHAKES,
  parseReceivedCount,
  RateLimit,
  RESUMPTION_HEADERS,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { Generation } from './generation.js';
import { createHostResources, type HostOptions, type HostResources } from './host-resources.js';
import { type ListenAddress, ListenAddressError, parseListenAddress } from './listen-address.js';
import { ResumeSecrets } from './resume-secrets.js';
import { Session } from './session.js';

/** Sessions at a time; each has a process, 256 MiB of address space and a dozen descriptors. */
export const DEFAULT_MAX_SESSIONS = 64;
/** How long a peer may take to say what it wants: a handshake, on this machine. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long a session waits for its compiler when the connection is lost. */
export const DEFAULT_SESSION_TTL_MS = 30_000;
/** Sockets of a listener that are not sessions yet: with as many waiting for a handshake, further ones are cut. */
export const MAX_WAITING_SOCKETS = 256;
/** How long a peer may take to answer the closing handshake before its socket is cut. */
const CLOSE_GRACE_MS = 500;
const TOKEN_BYTES = 32;

/** A socket path that another process listens on, or that is no socket. */
export class SocketInUseError extends FarJITError {
  constructor(message: string) {
    super('SOCKET_IN_USE', message);
  }
}

export interface ServerOptions extends HostOptions {
  /** Bearer token for loopback listeners; default: a random one. */
  readonly token?: string;
  /** Default 64. */
  readonly maxSessions?: number;
  /** How long a session outlives a lost connection, to be resumed; 0 for not at all. Default 30 s. */
  readonly sessionTtlMs?: number;
  /** How often each connection is pinged; one that is silent three times in a row is lost. Default 5 s. */
  readonly heartbeatMs?: number;
}

/** A request to become a WebSocket. */
interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

interface Listener {
  readonly http: HttpServer;
  /** As a client writes it. */
  readonly url: string;
}

/** An executor host: accepts WebSocket connections, one session each. */
export class Server {
  readonly #host: HostResources;
  readonly #token: string;
  readonly #maxSessions: number;
  readonly #sessionTtlMs: number;
  readonly #heartbeatMs: number;
  readonly #listeners: Listener[] = [];
  readonly #sessions = new Set<Session>();
  /** Open WebSockets, which the HTTP servers do not know any more. */
  readonly #open = new Set<WebSocket>();
  readonly #webSockets: WebSocketServer;
  #isClosing = false;

  constructor(options: ServerOptions = {}) {
    this.#host = createHostResources(options);
    this.#host.runners.fill();
    this.#token = options.token ?? randomBytes(TOKEN_BYTES).toString('base64url');
    this.#maxSessions = options.maxSessions ?? DEFAULT_MAX_SESSIONS;
    this.#sessionTtlMs = options.sessionTtlMs ?? DEFAULT_SESSION_TTL_MS;
    this.#heartbeatMs = options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS;
    this.#webSockets = new WebSocketServer({ noServer: true, clientTracking: false, ...WEBSOCKET_OPTIONS });
  }

  /** Sessions whose connection is open or whose runner still ends. */
  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  /** What clients of loopback listeners send as `Authorization: Bearer <token>`. */
  get token(): string {
    return this.#token;
  }

  /**
   * Listens on `ws+unix:PATH` (for this user alone, by the socket's mode) or `ws://127.0.0.1:PORT` (for those who
   * have the token).
   * @returns the URL to connect to, with the port that was taken.
   * @throws {ListenAddressError | SocketInUseError} or the system's error.
   */
  async listen(url: string): Promise<string> {
    const address = parseListenAddress(url);
    const http = await this.#createHttpServer(address.kind === 'loopback');
    await (address.kind === 'unix' ? listenOnSocket(http, address.path) : listenOnPort(http, address));
    const listener = { http, url: urlOf(http, address) };
    this.#listeners.push(listener);
    return listener.url;
  }

  /**
   * Starts a runner and ends it, to see that one can be started.
   * @throws {RunnerStartError} with the reason.
   */
  async tryRunner(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const events = {
        compile: () => Promise.reject(new Error('nothing was asked to run')),
        onOutput: () => {},
        isCongested: () => false,
        onLimit: () => {},
        onHot: () => {},
        onEnd: () => resolve(),
      };
      Generation.start(1, this.#host, events).then((runner) => runner.kill({ kind: 'cancelled' }), reject);
    });
  }

  /**
   * Serves exactly one connection over an open socket that was inherited from the parent process: no file, no port,
   * no token, because nobody else can reach it. Resolves when the session has ended.
   */
  async serveInherited(fd: number): Promise<void> {
    const socket = new Socket({ fd, readable: true, writable: true });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const webSocket = joinWebSocket(socket, 'server');
    // Says that there is somebody here.
    webSocket.ping();
    this.#keep(webSocket);
    this.#add(
      new Session({ host: this.#host, transport: new WebSocketTransport(webSocket), startAhead: true }),
    );
    await closed;
    await Promise.all([...this.#sessions].map((session) => session.ended));
  }

  /** Ends all sessions and their runners, then stops listening and removes the sockets. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const listenersClosed = this.#listeners.splice(0).map(({ http }) => closeHttp(http));
    const poolClosed = this.#host.runners.close();
    await Promise.all([...this.#sessions].map((session) => session.close('the executor is shutting down')));
    const cut = setTimeout(() => {
      for (const webSocket of this.#open) webSocket.terminate();
    }, CLOSE_GRACE_MS);
    await Promise.all([...this.#open].map((webSocket) => once(webSocket, 'close')));
    clearTimeout(cut);
    await Promise.all([poolClosed, ...listenersClosed]);
  }

  async #createHttpServer(needsToken: boolean): Promise<HttpServer> {
    // A host for one compiler does without it.
    const { createServer } = await import('node:http');
    const http = createServer({ headersTimeout: HANDSHAKE_TIMEOUT_MS, requestTimeout: HANDSHAKE_TIMEOUT_MS });
    http.maxConnections = this.#maxSessions + MAX_WAITING_SOCKETS;
    const refusals = new RateLimit(MAX_REFUSED_HANDSHAKES);
    http.on('request', (_request, response) => {
      response.writeHead(426, { Connection: 'close', Upgrade: 'websocket', 'Content-Type': 'text/plain' });
      response.end('This is a FarJIT executor: it speaks WebSocket.\n');
    });
    http.on('upgrade', (request, socket, head) => {
      const refusal = this.#refusalOf(request, needsToken ? refusals : undefined);
      if (refusal) return refuseUpgrade(socket, refusal);
      const upgrade = { request, socket, head };
      if (request.headers[RESUMPTION_HEADERS.session] === undefined) this.#serve(upgrade);
      else this.#resume(upgrade, refusals);
    });
    return http;
  }

  /** @param refusals of wrong tokens, where a token is needed. */
  #refusalOf(request: IncomingMessage, refusals: RateLimit | undefined): string | undefined {
    // Browsers send Origin with every WebSocket, and nothing else does: no web page may reach an executor.
    if (request.headers.origin !== undefined) return '403 Forbidden';
    if (refusals) {
      // A right token is turned away too: otherwise guessing would go on as fast as before.
      if (refusals.isExhausted) return '429 Too Many Requests';
      if (!this.#hasToken(request)) {
        refusals.take();
        return '401 Unauthorized';
      }
    }
    if (this.#isClosing || this.#sessions.size >= this.#maxSessions) return '503 Service Unavailable';
    return undefined;
  }

  #hasToken({ headers }: IncomingMessage): boolean {
    const given = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    // Digests have one length, so that comparing takes one time.
    return timingSafeEqual(sha256(given), sha256(this.#token));
  }

  #serve(upgrade: Upgrade): void {
    const id = randomUUID();
    const secrets = new ResumeSecrets();
    const answer = { [RESUMPTION_HEADERS.session]: id, [RESUMPTION_HEADERS.secret]: secrets.issue() };
    this.#accept(upgrade, answer, (transport) =>
      this.#add(new Session({ host: this.#host, transport, id, secrets, timeToLiveMs: this.#sessionTtlMs })),
    );
  }

  /** @param refusals of wrong secrets. */
  #resume(upgrade: Upgrade, refusals: RateLimit): void {
    const { headers } = upgrade.request;
    const id = headers[RESUMPTION_HEADERS.session];
    const receivedCount = parseReceivedCount(headers[RESUMPTION_HEADERS.received]);
    const session = [...this.#sessions].find((candidate) => candidate.id === id);
    if (!session)
      return refuseUpgrade(
        upgrade.socket,
        '410 Gone',
        'resume: the session has ended, or its time to live has passed',
      );
    if (!session.secrets.accepts(String(headers[RESUMPTION_HEADERS.secret]))) {
      refusals.take();
      return refuseUpgrade(upgrade.socket, '403 Forbidden', 'resume: the secret is wrong, or has been used');
    }
    if (receivedCount === undefined || !session.canResume(receivedCount))
      return refuseUpgrade(upgrade.socket, '410 Gone', 'resume: the session cannot go on from there');
    const { link } = session.connection;
    // From now on nothing is received over the connection before, so that the count holds.
    link.breakOff();
    const answer = {
      [RESUMPTION_HEADERS.session]: session.id,
      [RESUMPTION_HEADERS.secret]: session.secrets.issue(),
      [RESUMPTION_HEADERS.received]: String(link.receivedCount),
    };
    this.#accept(upgrade, answer, (transport) => link.resume(transport, receivedCount));
  }

  /** Completes the handshake; `use` is called with the transport before anything is received over it. */
  #accept(
    { request, socket, head }: Upgrade,
    answer: Readonly<Record<string, string>>,
    use: (transport: WebSocketTransport) => void,
  ): void {
    const addAnswer = (headers: string[]) => {
      for (const [name, value] of Object.entries(answer)) headers.push(`${name}: ${value}`);
    };
    // Both happen before `handleUpgrade` returns, or not at all.
    this.#webSockets.on('headers', addAnswer);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#keep(webSocket);
      use(new WebSocketTransport(webSocket, { heartbeatMs: this.#heartbeatMs }));
    });
    this.#webSockets.off('headers', addAnswer);
  }

  #keep(webSocket: WebSocket): void {
    this.#open.add(webSocket);
    webSocket.once('close', () => this.#open.delete(webSocket));
  }

  #add(session: Session): void {
    this.#sessions.add(session);
    void session.ended.then(() => this.#sessions.delete(session));
  }
}

async function listenOnPort(http: HttpServer, address: { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen({ host: address.host, port: address.port }, resolve);
  });
}

async function listenOnSocket(http: HttpServer, path: string): Promise<void> {
  await removeStaleSocket(path);
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    // `listen` binds at once, and the mode must be right from then on.
    const previous = process.umask(0o177);
    try {
      http.listen({ path }, resolve);
    } finally {
      process.umask(previous);
    }
  });
}

/** @throws {SocketInUseError} when the path is taken by something alive, or by something that is not a socket. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new SocketInUseError(`${path} exists and is not a socket`);
  const isAlive = await new Promise<boolean>((resolve, reject) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
  if (isAlive) throw new SocketInUseError(`${path} is in use: another executor listens there`);
  unlinkSync(path);
}

function urlOf(http: HttpServer, address: ListenAddress): string {
  if (address.kind === 'unix') return `ws+unix:${address.path}`;
  const bound = http.address();
  if (bound === null || typeof bound === 'string') throw new ListenAddressError('the listener has no port');
  return `ws://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

/** @param words in a line of the body, for people. */
function refuseUpgrade(socket: Duplex, status: string, words = ''): void {
  socket.on('error', () => socket.destroy());
  const challenge = status.startsWith('401')
    ? 'WWW-Authenticate: Bearer\r\n'
    : status.startsWith('429')
      ? 'Retry-After: 1\r\n'
      : '';
  const body = words && `${words}\n`;
  const headers = `Connection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  socket.end(`HTTP/1.1 ${status}\r\n${challenge}${headers}\r\n${body}`, () => socket.destroy());
}

function closeHttp(http: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    http.close(() => resolve());
    http.closeAllConnections();
  });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
