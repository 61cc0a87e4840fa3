import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  DEFAULT_HEARTBEAT_MS,
  FIRST_FRAME_HEADER,
  MAX_FIRST_FRAME_BYTES,
  type OpenWebSocket,
  parseFirstFrame,
  parseReceivedCount,
  RESUMPTION_HEADERS,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import { describeQuota, formatQuota, type Quota } from '@farjit/protocol/quotas';
import { WebSocketServer } from 'ws';
import type { Account, Accounts } from './accounts.js';
import type { Authenticator, Refusal, Via } from './authentication.js';
import type { RefusedUpgrade } from './events.js';
import type { HostResources } from './host-resources.js';
import { refuseUpgrade } from './http-listener.js';
import { describeIdentity, type Identity, isSameIdentity } from './identity.js';
import { readInTurns } from './read-in-turns.js';
import { ResumeSecrets } from './resume-secrets.js';
import { Session } from './session.js';

/** How long a session waits for its compiler when the connection is lost. */
const DEFAULT_SESSION_TTL_MS = 30_000;
/**
 * The same for a session that its upgrade has opened, while nothing has come over the WebSocket, in heartbeats: a compiler that
 * has lost the connection notices it one later at most, and comes back at once. One that has given up before it was answered
 * never does.
 */
const MAX_UNHEARD_HEARTBEATS = 2;
/** How long a peer may take to answer the closing handshake before its socket is cut, when the executor ends. */
const CLOSE_GRACE_MS = 500;
/**
 * Closed WebSockets of one identity that wait for the peer's part of the closing handshake. Their sessions have ended, or
 * gone on over another, so they count nowhere else; who answers is gone in a moment.
 */
export const MAX_LINGERING = 16;

const CLOSING: Refusal = {
  status: 503,
  reason: 'closing',
  words: 'this executor is shutting down: use another',
};

const DRAINING: Refusal = {
  status: 503,
  reason: 'draining',
  words: 'this executor is draining: use another',
  // One that has taken its place may listen there by then.
  headers: { 'Retry-After': '5' },
};

const BAD_FIRST_FRAME: Refusal = {
  status: 400,
  reason: 'bad-request',
  words: `${FIRST_FRAME_HEADER}: goes with an upgrade for a new session, once, and is base64url of 1 to ${MAX_FIRST_FRAME_BYTES} bytes`,
};

/** Whether a server takes sessions. */
export type ServerPhase = 'open' | 'draining' | 'closing';

export interface UpgradeOptions {
  /** How long a session outlives a lost connection, to be resumed; 0 for not at all. Default 30 s. */
  readonly sessionTtlMs?: number;
  /** How often each connection is pinged; one that is silent three times in a row is lost. Default 5 s. */
  readonly heartbeatMs?: number;
  readonly onRefused?: (refused: RefusedUpgrade) => void;
}

/** What upgrades are granted by, and what they lead to. */
export interface UpgradesContext {
  readonly host: HostResources;
  readonly options: UpgradeOptions;
  readonly authenticator: Authenticator;
  readonly accounts: Accounts;
  readonly sessions: ReadonlySet<Session>;
  readonly maxSessions: number;
  phase(): ServerPhase;
  add(session: Session): void;
}

/** A request to become a WebSocket. */
interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly via: Via;
  readonly identity: Identity;
  /** It has brought the first frame of a new session. */
  readonly first: Uint8Array | undefined;
}

/** How an upgrade is granted. */
interface Grant {
  /** Headers of the answer. */
  readonly answer: Readonly<Record<string, string>>;
  /** A frame that is received before what comes over the WebSocket. */
  readonly received?: Uint8Array | undefined;
}

/** Refuses requests to become a WebSocket, or gives them a new session, or the one that they resume. */
export class Upgrades {
  readonly #context: UpgradesContext;
  readonly #webSockets = new WebSocketServer({ noServer: true, clientTracking: false, ...WEBSOCKET_OPTIONS });
  /** WebSockets that are not closed, which the HTTP servers do not know any more, and whose they are; the oldest first. */
  readonly #open = new Map<OpenWebSocket, Account | undefined>();

  constructor(context: UpgradesContext) {
    this.#context = context;
  }

  /** @returns whether there is a WebSocket now. */
  handle(request: IncomingMessage, socket: Socket, head: Buffer, via: Via): boolean {
    const identity = this.#context.authenticator.authenticate(request, via);
    if ('status' in identity) return this.#refuse({ socket, via }, identity);
    const { [RESUMPTION_HEADERS.session]: resumed, [FIRST_FRAME_HEADER]: header } = request.headers;
    const first = header === undefined ? undefined : parseFirstFrame(header);
    if (header !== undefined && (first === undefined || resumed !== undefined))
      return this.#refuse({ socket, via }, BAD_FIRST_FRAME);
    const upgrade = { request, socket, head, via, identity, first };
    return resumed === undefined ? this.#serve(upgrade) : this.#resume(upgrade);
  }

  /** Somebody was turned away, here or before he came here. */
  noteRefused(refused: RefusedUpgrade): void {
    const { host, options } = this.#context;
    host.events.emit({ type: 'session-refused', ...refused });
    options.onRefused?.(refused);
  }

  /** A WebSocket that is open is waited for. */
  keep(webSocket: OpenWebSocket, account?: Account): void {
    this.#open.set(webSocket, account);
    webSocket.once('close', () => this.#open.delete(webSocket));
    if (account) this.#cutLingering(account);
  }

  /** Resolves when all WebSockets that are open now are closed, which those that linger for `graceMs` are made to be. */
  async whenClosed(graceMs = CLOSE_GRACE_MS): Promise<void> {
    const cut = setTimeout(() => {
      for (const webSocket of this.#open.keys()) webSocket.terminate();
    }, graceMs);
    // Not `once` of Node, which rejects over what a peer gets wrong meanwhile.
    await Promise.all(
      [...this.#open.keys()].map((webSocket) => new Promise((resolve) => webSocket.once('close', resolve))),
    );
    clearTimeout(cut);
  }

  #serve(upgrade: Upgrade): boolean {
    const { host, accounts, options, add } = this.#context;
    const account = accounts.of(upgrade.identity);
    const refusal = this.#refusalOfNew(account);
    if (refusal) return this.#refuse(upgrade, refusal);
    const id = randomUUID();
    const secrets = new ResumeSecrets();
    const { first } = upgrade;
    const answer = {
      [RESUMPTION_HEADERS.session]: id,
      [RESUMPTION_HEADERS.secret]: secrets.issue(),
      ...(first && { [RESUMPTION_HEADERS.received]: '1' }),
    };
    return this.#accept(upgrade, { answer, received: first }, (transport, webSocket) => {
      const { sessionTtlMs: timeToLiveMs = DEFAULT_SESSION_TTL_MS, heartbeatMs = DEFAULT_HEARTBEAT_MS } =
        options;
      const brought = { frameCount: 1, unheardMs: MAX_UNHEARD_HEARTBEATS * heartbeatMs };
      const session = new Session({
        host,
        transport,
        id,
        account,
        secrets,
        timeToLiveMs,
        ...(first && { brought }),
      });
      void session.ended.then(account.addSession());
      add(session);
      session.watchUnopened(upgrade.socket, webSocket);
    });
  }

  /** Why there is no room for one more. */
  #refusalOfNew({ sessionObstacle: quota }: Account): Refusal | undefined {
    const { phase, sessions, maxSessions } = this.#context;
    if (phase() === 'closing') return CLOSING;
    if (phase() === 'draining') return DRAINING;
    if (quota) return refusalOfQuota(quota);
    if (sessions.size < maxSessions) return undefined;
    const words = `this executor has ${maxSessions} sessions, as many as it may have (--max-sessions)`;
    return { status: 503, reason: 'full', words };
  }

  #resume(upgrade: Upgrade): boolean {
    const { authenticator, sessions } = this.#context;
    const { request, via, identity } = upgrade;
    const { headers } = request;
    const id = headers[RESUMPTION_HEADERS.session];
    const receivedCount = parseReceivedCount(headers[RESUMPTION_HEADERS.received]);
    const session = [...sessions].find((candidate) => candidate.id === id);
    const refuse = (status: 403 | 410, words: string) =>
      this.#refuse(upgrade, { status, reason: 'resume', words: `resume: ${words}` });
    if (!session) return refuse(410, 'the session has ended, or its time to live has passed');
    if (!isSameIdentity(session.identity, identity)) {
      authenticator.noteRefused(via);
      return refuse(403, `the session is not one of ${describeIdentity(identity)}`);
    }
    if (!session.secrets.accepts(String(headers[RESUMPTION_HEADERS.secret]))) {
      authenticator.noteRefused(via);
      return refuse(403, 'the secret is wrong, or has been used');
    }
    if (receivedCount === undefined || !session.canResume(receivedCount))
      return refuse(410, 'the session cannot go on from there');
    const { link } = session.connection;
    // From now on nothing is received over the connection before, so that the count holds.
    link.breakOff();
    const answer = {
      [RESUMPTION_HEADERS.session]: session.id,
      [RESUMPTION_HEADERS.secret]: session.secrets.issue(),
      [RESUMPTION_HEADERS.received]: String(link.receivedCount),
    };
    return this.#accept(upgrade, { answer }, (transport) => session.resume(transport, receivedCount));
  }

  #cutLingering(account: Account): void {
    const lingering = [...this.#open].filter(
      ([{ readyState, CLOSING }, owner]) => owner === account && readyState === CLOSING,
    );
    for (const [webSocket] of lingering.slice(0, -MAX_LINGERING)) webSocket.terminate();
  }

  /**
   * Completes the handshake; `use` is called with the transport before anything is received over it.
   * @returns whether there was one to complete.
   */
  #accept(
    { request, socket, head, identity }: Upgrade,
    { answer, received }: Grant,
    use: (transport: WebSocketTransport, webSocket: OpenWebSocket) => void,
  ): boolean {
    const { host, accounts, options } = this.#context;
    const { heartbeatMs = DEFAULT_HEARTBEAT_MS } = options;
    const account = accounts.of(identity);
    const lane = host.turns.lane({
      charge: (usedMs) => account.addHostTime(usedMs),
      fault: (error) => {
        host.events.emit({ type: 'internal-fault', place: 'session.message', error });
        socket.destroy();
      },
    });
    const addAnswer = (headers: string[]) => {
      for (const [name, value] of Object.entries(answer)) headers.push(`${name}: ${value}`);
    };
    // With the answer goes what is sent in the same turn: each write wakes the peer up, which takes longer than to write.
    socket.cork();
    setImmediate(() => socket.uncork());
    let isAccepted = false;
    // Both happen before `handleUpgrade` returns, or not at all.
    this.#webSockets.on('headers', addAnswer);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      isAccepted = true;
      readInTurns(socket, webSocket, lane);
      this.keep(webSocket, account);
      const heartbeat = { intervalMs: heartbeatMs, stream: socket };
      use(new WebSocketTransport(webSocket, { heartbeat, received }), webSocket);
    });
    this.#webSockets.off('headers', addAnswer);
    return isAccepted;
  }

  /** @returns false. */
  #refuse({ socket, via }: Pick<Upgrade, 'socket' | 'via'>, refusal: Refusal): boolean {
    const { status, reason } = refusal;
    this.noteRefused({ status, reason, remoteAddress: via.remoteAddress });
    refuseUpgrade(socket, refusal);
    return false;
  }
}

function refusalOfQuota(quota: Quota): Refusal {
  return {
    status: 429,
    reason: 'quota',
    words: `${describeQuota(quota)} is used up`,
    headers: { 'FarJIT-Quota': formatQuota(quota) },
  };
}
