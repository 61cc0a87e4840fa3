import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import {
  DEFAULT_HEARTBEAT_MS,
  joinWebSocket,
  parseReceivedCount,
  RESUMPTION_HEADERS,
  type Reopened,
  type Transport,
  UNMASKED,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import { foreignMessage } from '@farjit/protocol/printable';
import { type ClientOptions, WebSocket } from 'ws';
import type { ClientTls } from './client-tls.js';
import { adviseOnError, adviseOnStatus } from './connect-advice.js';

/** No executor answers at an address, or it refused the connection. */
export class ConnectError extends FarJITError {
  /** Of the HTTP answer, where the executor refused: 429 at a limit or quota, 503 when it is full. */
  readonly statusCode: number | undefined;
  /** The quota that would have been exceeded, as `sessions=8`. */
  readonly quota: string | undefined;

  constructor(
    message: string,
    options: ErrorOptions & {
      readonly statusCode?: number | undefined;
      readonly quota?: string | undefined;
    } = {},
  ) {
    const { statusCode, quota, ...errorOptions } = options;
    super('CONNECT_FAILED', message, errorOptions);
    this.statusCode = statusCode;
    this.quota = quota;
  }
}

/** The executor does not let a lost session be resumed: it has ended, or the secret is not the right one. */
export class ResumeRefusedError extends FarJITError {
  constructor(message: string) {
    super('RESUME_REFUSED', message);
  }
}

/** One of the addresses that a host's name has. */
export interface HostAddress {
  readonly address: string;
  readonly family: number;
}

/** How long an upgrade may take: a local executor needs a tenth of this when the machine is busy. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Characters of a refusal that are read. */
const MAX_REFUSAL_LENGTH = 500;

/** How an executor elsewhere is spoken to. */
export interface ConnectOptions {
  /** Bearer token; `ws:` and `wss:` need it, or a client certificate. */
  readonly token?: string;
  /** For `wss:`. */
  readonly tls?: ClientTls;
  /** How often it is pinged, in milliseconds; one that is silent three times in a row is lost. 5 s unless given. */
  readonly heartbeatMs?: number;
  /** Of the host, where its name has several. The name stays what it is called by, and what certificates are checked for. */
  readonly address?: HostAddress;
  /** Aborting gives the attempt to connect up; it means nothing to a connection that is there. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a WebSocket to an executor.
 * @param url `ws+unix:PATH`, `ws://HOST:PORT` or `wss://HOST:PORT`.
 * @throws {ConnectError} when nobody listens, the token is refused, the URL is not one of these, or the attempt is given up.
 */
export async function connectExecutor(
  url: string,
  { token, tls, heartbeatMs = DEFAULT_HEARTBEAT_MS, address, signal }: ConnectOptions = {},
): Promise<Transport> {
  checkAddress(url);
  const client: ClientOptions = {
    ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
    ...(address ? { lookup: alwaysTo(address) } : {}),
    ...(url.startsWith('wss:') ? await tlsOptions(url, tls) : {}),
  };
  return open({ url, client, heartbeatMs }, signal);
}

/**
 * Whether an executor can be there at all.
 * @throws {ConnectError} when not.
 */
export function checkAddress(url: string): void {
  if (!/^(wss?:\/\/|ws\+unix:)/.test(url))
    throw new ConnectError(
      `${url} is no executor address; use ws+unix:PATH, ws://HOST:PORT or wss://HOST:PORT`,
    );
}

async function tlsOptions(url: string, tls: ClientTls = {}): Promise<ClientOptions> {
  const { tlsClientOptions } = await import('./client-tls.js');
  return tlsClientOptions(tls).catch((cause: Error) => {
    throw new ConnectError(`cannot connect to ${url}: ${cause.message}`, { cause });
  });
}

/**
 * Speaks WebSocket with the executor at the other end of a socket pair, which says with a ping that it is there.
 * @throws {ConnectError} when it ends before, says something else, or says nothing; also when it has closed the socket
 *   already, which a socket tells only once.
 */
export async function connectSocket(socket: Socket): Promise<Transport> {
  if (!socket.readable || !socket.writable) throw new ConnectError('the other end has closed its socket');
  const webSocket = joinWebSocket(socket, 'client');
  return new Promise((resolve, reject) => {
    const fail = (words: string, cause?: Error) => {
      clearTimeout(timer);
      reject(new ConnectError(`the executor cannot be spoken to: ${words}`, { cause }));
    };
    const timer = setTimeout(() => {
      fail(`it has not answered within ${HANDSHAKE_TIMEOUT_MS} ms`);
      webSocket.terminate();
    }, HANDSHAKE_TIMEOUT_MS);
    webSocket.once('ping', () => {
      clearTimeout(timer);
      webSocket.removeAllListeners();
      resolve(new WebSocketTransport(webSocket));
    });
    webSocket.on('error', (error) => fail(error.message, error));
    webSocket.once('close', () => fail('the other end has closed its socket'));
  });
}

/** Where an executor is, and how it is spoken to. */
interface Address {
  readonly url: string;
  readonly client: ClientOptions;
  readonly heartbeatMs: number;
}

/** What a lost session is resumed with. */
interface ResumeTicket {
  readonly session: string;
  readonly secret: string;
}

/** A WebSocket to an executor on the network, which can be opened again when it is lost. */
class RemoteTransport extends WebSocketTransport {
  readonly #address: Address;
  readonly #ticket: ResumeTicket;

  constructor(socket: WebSocket, address: Address, ticket: ResumeTicket) {
    super(socket, { heartbeatMs: address.heartbeatMs });
    this.#address = address;
    this.#ticket = ticket;
  }

  /**
   * @throws {ResumeRefusedError} when the session can never be resumed.
   * @throws {ConnectError} when the executor cannot be reached now.
   */
  async reopen(receivedCount: number): Promise<Reopened> {
    const { session, secret } = this.#ticket;
    const { url, client } = this.#address;
    const headers = {
      ...client.headers,
      [RESUMPTION_HEADERS.session]: session,
      [RESUMPTION_HEADERS.secret]: secret,
      [RESUMPTION_HEADERS.received]: String(receivedCount),
    };
    return openSocket(url, { ...client, headers }, (socket, answer) => {
      const next = ticketOf(answer);
      const theirs = parseReceivedCount(answer[RESUMPTION_HEADERS.received]);
      if (next?.session !== session || theirs === undefined) {
        socket.terminate();
        throw new ResumeRefusedError(`${url}: another executor than before has answered`);
      }
      return { transport: new RemoteTransport(socket, this.#address, next), receivedCount: theirs };
    });
  }
}

async function open(address: Address, signal: AbortSignal | undefined): Promise<Transport> {
  const use = (socket: WebSocket, answer: IncomingHttpHeaders) => {
    const ticket = ticketOf(answer);
    return ticket ? new RemoteTransport(socket, address, ticket) : new WebSocketTransport(socket);
  };
  return openSocket(address.url, address.client, use, signal);
}

function ticketOf(headers: IncomingHttpHeaders): ResumeTicket | undefined {
  const { [RESUMPTION_HEADERS.session]: session, [RESUMPTION_HEADERS.secret]: secret } = headers;
  return typeof session === 'string' && typeof secret === 'string' ? { session, secret } : undefined;
}

/**
 * @param use takes the open WebSocket, and the headers of the answer to its upgrade. What comes right behind that answer
 *   would be lost on a socket that nobody has taken.
 */
async function openSocket<T>(
  url: string,
  options: ClientOptions,
  use: (socket: WebSocket, answer: IncomingHttpHeaders) => T,
  signal?: AbortSignal,
): Promise<T> {
  const givenUp = () => new ConnectError(`${url}: the attempt to connect was given up`);
  if (signal?.aborted) throw givenUp();
  const socket = createSocket(url, options);
  let giveUp = () => {};
  return new Promise<T>((resolve, reject) => {
    giveUp = () => {
      reject(givenUp());
      socket.terminate();
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    let answer: IncomingHttpHeaders = {};
    socket.once('upgrade', (response) => {
      answer = response.headers;
    });
    socket.once('open', () => {
      socket.removeAllListeners();
      try {
        resolve(use(socket, answer));
      } catch (error) {
        reject(error);
      }
    });
    socket.once('unexpected-response', (_request, response) => {
      void refusalOf(url, response).then((error) => {
        reject(error);
        socket.terminate();
      });
    });
    // It stays: ending the attempt is reported as one more error.
    socket.on('error', (cause) => {
      const advice = adviseOnError(cause);
      const words = `${foreignMessage(cause.message).replace(/[\s:.]+$/, '')}${advice === undefined ? '' : `; ${advice}`}`;
      reject(new ConnectError(`cannot reach an executor at ${url}: ${words}`, { cause }));
    });
  }).finally(() => signal?.removeEventListener('abort', giveUp));
}

async function refusalOf(url: string, response: IncomingMessage): Promise<FarJITError> {
  const { statusCode = 0 } = response;
  const words = await readWords(response);
  if (statusCode === 410 || (statusCode === 403 && words.startsWith('resume')))
    return new ResumeRefusedError(`${url}: ${words}`);
  const said = statusCode >= 400 && words ? ` (${words})` : '';
  const quota = response.headers['farjit-quota'];
  return new ConnectError(
    `${url}: the executor answered ${statusCode}${said}; ${adviseOnStatus(statusCode)}`,
    { statusCode, quota: typeof quota === 'string' ? foreignMessage(quota) : undefined },
  );
}

/** A refusal's reason, which nobody vouches for: a line of it, escaped. */
async function readWords(response: IncomingMessage): Promise<string> {
  let text = '';
  try {
    response.setEncoding('utf8');
    for await (const chunk of response) {
      text += chunk;
      if (text.length > MAX_REFUSAL_LENGTH) break;
    }
  } catch {
    // What has come will do.
  }
  return foreignMessage(text.slice(0, MAX_REFUSAL_LENGTH).split('\n', 1)[0] ?? '');
}

/** What stands in for a look-up of the name. */
function alwaysTo({ address, family }: HostAddress): LookupFunction {
  return (_name, { all }, answer) =>
    all ? answer(null, [{ address, family }]) : answer(null, address, family);
}

function createSocket(url: string, options: ClientOptions): WebSocket {
  try {
    return new WebSocket(url, {
      ...WEBSOCKET_OPTIONS,
      ...(url.startsWith('ws:') ? {} : UNMASKED),
      ...options,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectError(`${url} is no executor address: ${words}`, { cause });
  }
}
