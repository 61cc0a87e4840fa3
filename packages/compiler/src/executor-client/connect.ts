import type { Socket } from 'node:net';
import {
  FarJITError,
  joinWebSocket,
  type Transport,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import { type ClientOptions, WebSocket } from 'ws';

/** No executor answers at an address, or it refused the connection. */
export class ConnectError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('CONNECT_FAILED', message, options);
  }
}

/** How long an upgrade may take: a local executor needs a tenth of this when the machine is busy. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Opens a WebSocket to an executor.
 * @param url `ws+unix:PATH` or `ws://HOST:PORT`.
 * @param token bearer token; needed for `ws:`.
 * @throws {ConnectError} when nobody listens, the token is refused, or the URL is not one of these.
 */
export async function connectExecutor(url: string, token?: string): Promise<Transport> {
  if (!/^(wss?:\/\/|ws\+unix:)/.test(url))
    throw new ConnectError(`${url} is no executor address; use ws+unix:PATH or ws://127.0.0.1:PORT`);
  return open(url, token ? { headers: { authorization: `Bearer ${token}` } } : {});
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

async function open(url: string, options: ClientOptions): Promise<Transport> {
  const socket = createSocket(url, options);
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.removeAllListeners();
      resolve(new WebSocketTransport(socket));
    });
    socket.once('unexpected-response', (_request, { statusCode = 0 }) => {
      reject(new ConnectError(`${url}: the executor answered ${statusCode}; ${hintFor(statusCode)}`));
      socket.terminate();
    });
    // It stays: ending the attempt is reported as one more error.
    socket.on('error', (cause) => {
      reject(new ConnectError(`cannot reach an executor at ${url}: ${cause.message}`, { cause }));
    });
  });
}

function createSocket(url: string, options: ClientOptions): WebSocket {
  try {
    return new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...options, handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectError(`${url} is no executor address: ${words}`, { cause });
  }
}

function hintFor(statusCode: number): string {
  if (statusCode === 401) return 'set FARJIT_TOKEN to the token that the executor printed';
  if (statusCode === 503)
    return 'it is shutting down or has as many sessions as it may have, try again later';
  return 'what listens there speaks HTTP, but is no executor';
}
