import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { UNMASKED, WEBSOCKET_OPTIONS } from '@farjit/protocol';
import { AbortError, type FarJITError } from '@farjit/protocol/errors';
import { foreignMessage } from '@farjit/protocol/printable';
import { type ClientOptions, WebSocket } from 'ws';
import { adviseOnError, adviseOnStatus } from './connect-advice.js';
import { ConnectError, ResumeRefusedError } from './connect-errors.js';

/** How long connecting may take, all in all: a local executor needs a tenth of this when the machine is busy. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Characters of a refusal that are read. */
const MAX_REFUSAL_LENGTH = 500;
/** What a request over a Unix socket is for: it has no host. */
const UNIX_URL = 'ws://localhost/';

/** Where an executor is, and how it is spoken to. */
export interface SocketAddress {
  /** As the user writes it. */
  readonly url: string;
  /** For `ws+unix:`. */
  readonly socketPath?: string | undefined;
  readonly client: ClientOptions;
}

/** An open WebSocket. */
export interface OpenedSocket {
  readonly socket: WebSocket;
  /** Headers of the answer to its upgrade. */
  readonly answer: IncomingHttpHeaders;
  /** What it runs over. */
  readonly stream: Socket;
}

/**
 * Opens a WebSocket.
 * @param options.timeoutMs for all of it, `CONNECT_TIMEOUT_MS` unless given: whoever answers byte by byte has no longer than
 *   one who is silent.
 * @param use takes it. What comes right behind the answer to the upgrade would be lost on a socket that nobody has taken.
 * @throws {ConnectError | ResumeRefusedError}
 * @throws {AbortError} when the signal is aborted.
 */
export async function openSocket<T>(
  address: SocketAddress,
  use: (opened: OpenedSocket) => T,
  {
    signal,
    timeoutMs = CONNECT_TIMEOUT_MS,
  }: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number } = {},
): Promise<T> {
  const { url } = address;
  if (signal?.aborted) throw connectGivenUp(url, signal);
  const socket = createSocket(address);
  let giveUp = () => {};
  let timer: NodeJS.Timeout | undefined;
  return new Promise<T>((resolve, reject) => {
    giveUp = () => {
      reject(connectGivenUp(url, signal));
      socket.terminate();
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    let refusal: IncomingMessage | undefined;
    timer = setTimeout(() => {
      // What has come of it will do.
      if (refusal) return refusal.destroy();
      const words = `it has not answered within ${timeoutMs / 1000} s`;
      reject(new ConnectError(`cannot reach an executor at ${url}: ${words}`));
      socket.terminate();
    }, timeoutMs);
    let upgraded: IncomingMessage | undefined;
    socket.once('upgrade', (response) => {
      upgraded = response;
    });
    socket.once('open', () => {
      socket.removeAllListeners();
      try {
        if (!upgraded) throw new ConnectError(`${url}: no upgrade has been answered`);
        resolve(use({ socket, answer: upgraded.headers, stream: upgraded.socket }));
      } catch (error) {
        reject(error);
      }
    });
    socket.once('unexpected-response', (_request, response) => {
      refusal = response;
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
  }).finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  });
}

/** The error of whoever gives an attempt up. */
export function connectGivenUp(url: string, signal: AbortSignal | undefined): AbortError {
  return new AbortError(`${url}: the attempt to connect was given up`, signal?.reason);
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

function createSocket({ url, socketPath, client }: SocketAddress): WebSocket {
  try {
    return new WebSocket(socketPath === undefined ? url : UNIX_URL, {
      ...WEBSOCKET_OPTIONS,
      ...(url.startsWith('ws:') ? {} : UNMASKED),
      ...client,
      // Not a part of the URL, which would escape what is in it.
      ...(socketPath === undefined ? {} : { createConnection: () => connect({ path: socketPath }) }),
    });
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectError(`${url} is no executor address: ${words}`, { cause });
  }
}
