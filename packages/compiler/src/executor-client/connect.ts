import type { IncomingHttpHeaders } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import {
  DEFAULT_HEARTBEAT_MS,
  FIRST_FRAME_HEADER,
  formatFirstFrame,
  joinWebSocket,
  parseReceivedCount,
  RESUMPTION_HEADERS,
  type Reopened,
  socketPathFault,
  socketPathOf,
  type Transport,
  WebSocketTransport,
} from '@farjit/protocol';
import type { ClientOptions } from 'ws';
import type { ClientTls } from './client-tls.js';
import { ConnectError, ResumeRefusedError } from './connect-errors.js';
import { connectGivenUp, type OpenedSocket, openSocket, type SocketAddress } from './open-socket.js';
import { checkSocketOwner, SocketOwnerError } from './socket-owner.js';
import { tlsClientOptions } from './tls-client-options.js';

/** One of the addresses that a host's name has. */
export interface HostAddress {
  readonly address: string;
  readonly family: number;
}

/** How an executor elsewhere is spoken to. */
export interface ConnectOptions {
  /** Bearer token; `ws:` and `wss:` need it, or a client certificate. */
  readonly token?: string;
  /** For `wss:`. */
  readonly tls?: ClientTls;
  /** How often it is pinged, in milliseconds; one that is silent three times in a row is lost. 5 s unless given. */
  readonly heartbeatMs?: number;
  /** Id of the user whose `ws+unix:` socket the token may be sent to, besides this user's and root's. */
  readonly socketOwner?: number;
  /** Of the host, where its name has several. The name stays what it is called by, and what certificates are checked for. */
  readonly address?: HostAddress;
  /** Aborting gives the attempt to connect and to open a session up; it means nothing to a session that is there. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a WebSocket to an executor.
 * @param url `ws+unix:PATH`, `ws://HOST:PORT` or `wss://HOST:PORT`.
 * @param first the frame that will be sent as the first, if it is known: it goes with the upgrade where it can.
 * @throws {ConnectError} when nobody listens, the token is refused, or the URL is not one of these.
 * @throws {AbortError} when the signal is aborted.
 */
export async function connectExecutor(
  url: string,
  { token, tls, heartbeatMs = DEFAULT_HEARTBEAT_MS, address, socketOwner, signal }: ConnectOptions = {},
  first?: Uint8Array,
): Promise<Transport> {
  checkAddress(url);
  if (signal?.aborted) throw connectGivenUp(url, signal);
  const socketPath = pathOf(url, token || undefined, socketOwner);
  const client: ClientOptions = {
    ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
    ...(address ? { lookup: alwaysTo(address) } : {}),
    ...(url.startsWith('wss:') ? await tlsOptions(url, tls) : {}),
  };
  return open({ url, socketPath, client, heartbeatMs }, first, signal);
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
  const path = socketPathOf(url);
  const fault = path === undefined ? undefined : socketPathFault(path);
  if (fault !== undefined) throw new ConnectError(`${url} is no executor address: ${fault}`);
}

/**
 * The path of a Unix socket. A token goes only to those who are expected there: whoever can make a socket at the path would
 * have it otherwise.
 */
function pathOf(url: string, token: string | undefined, owner: number | undefined): string | undefined {
  const path = socketPathOf(url);
  if (path === undefined || token === undefined) return path;
  try {
    return checkSocketOwner(path, owner);
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectError(
      cause instanceof SocketOwnerError
        ? `${url}: the token is not sent there: ${words}; farjit-executor wants none on a Unix socket`
        : `cannot reach an executor at ${url}: ${words}`,
      { cause },
    );
  }
}

async function tlsOptions(url: string, tls: ClientTls = {}): Promise<ClientOptions> {
  return tlsClientOptions(tls).catch((cause: Error) => {
    throw new ConnectError(`cannot connect to ${url}: ${cause.message}`, { cause });
  });
}

/**
 * Speaks WebSocket with the executor at the other end of a socket pair, which says with a ping that it is there.
 * Waits as long as the socket is open.
 * @throws {ConnectError} when it ends before or says something else; also when it has closed the socket already, which a
 *   socket tells only once.
 */
export async function connectSocket(socket: Socket): Promise<Transport> {
  if (!socket.readable || !socket.writable) throw new ConnectError('the other end has closed its socket');
  const webSocket = joinWebSocket(socket, 'client');
  return new Promise((resolve, reject) => {
    const fail = (words: string, cause?: Error) =>
      reject(new ConnectError(`the executor cannot be spoken to: ${words}`, { cause }));
    webSocket.once('ping', () => {
      webSocket.removeAllListeners();
      resolve(new WebSocketTransport(webSocket, { stream: socket }));
    });
    webSocket.on('error', (error) => fail(error.message, error));
    webSocket.once('close', () => fail('the other end has closed its socket'));
  });
}

/** Where an executor is, and how it is spoken to. */
interface Address extends SocketAddress {
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

  /** @param sent see `WebSocketTransportOptions`. */
  constructor({ socket, stream }: OpenedSocket, address: Address, ticket: ResumeTicket, sent?: Uint8Array) {
    super(socket, { heartbeat: { intervalMs: address.heartbeatMs, stream }, stream, sent });
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
    return openSocket({ ...this.#address, client: { ...client, headers } }, (opened) => {
      const next = ticketOf(opened.answer);
      const theirs = parseReceivedCount(opened.answer[RESUMPTION_HEADERS.received]);
      if (next?.session !== session || theirs === undefined) {
        opened.socket.terminate();
        throw new ResumeRefusedError(`${url}: another executor than before has answered`);
      }
      return { transport: new RemoteTransport(opened, this.#address, next), receivedCount: theirs };
    });
  }
}

async function open(
  address: Address,
  first: Uint8Array | undefined,
  signal: AbortSignal | undefined,
): Promise<Transport> {
  const header = first && formatFirstFrame(first);
  if (header === undefined) return openSocket(address, (opened) => transportOf(opened, address), { signal });
  const { client } = address;
  const headers = { ...client.headers, [FIRST_FRAME_HEADER]: header };
  const use = (opened: OpenedSocket) => {
    if (ticketOf(opened.answer)) return transportOf(opened, address, first);
    opened.socket.terminate();
    return undefined;
  };
  const transport = await openSocket({ ...address, client: { ...client, headers } }, use, { signal });
  // Somebody on the way takes headers out of answers: nobody knows whether the frame has come.
  return transport ?? open(address, undefined, signal);
}

/** @param first the frame that has gone with the upgrade. */
function transportOf(opened: OpenedSocket, address: Address, first?: Uint8Array): Transport {
  const { answer, socket, stream } = opened;
  const ticket = ticketOf(answer);
  const isReceived = parseReceivedCount(answer[RESUMPTION_HEADERS.received]) === 1;
  return ticket
    ? new RemoteTransport(opened, address, ticket, isReceived ? first : undefined)
    : new WebSocketTransport(socket, { heartbeat: { intervalMs: address.heartbeatMs, stream }, stream });
}

function ticketOf(headers: IncomingHttpHeaders): ResumeTicket | undefined {
  const { [RESUMPTION_HEADERS.session]: session, [RESUMPTION_HEADERS.secret]: secret } = headers;
  return typeof session === 'string' && typeof secret === 'string' ? { session, secret } : undefined;
}

/** What stands in for a look-up of the name. */
function alwaysTo({ address, family }: HostAddress): LookupFunction {
  return (_name, { all }, answer) =>
    all ? answer(null, [{ address, family }]) : answer(null, address, family);
}
