import { lstatSync, unlinkSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { connect, type Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { FarJITError } from '@farjit/protocol/errors';
import type { Refusal } from './authentication.js';
import { type ListenAddress, ListenAddressError } from './listen-address.js';
import type { TlsMaterial } from './tls-files.js';

/**
 * Connections that the kernel keeps until this process takes them, or as many as it allows (net.core.somaxconn). When there are
 * more it drops their first packets, which a client sends again a second later.
 */
const BACKLOG = 4096;

const STATUS_CODES: Readonly<Record<Refusal['status'], string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  410: 'Gone',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

/**
 * A socket path that another process listens on, or that is no socket.
 * @remarks Listen elsewhere, or end who listens there.
 */
export class SocketInUseError extends FarJITError {
  constructor(message: string) {
    super('SOCKET_IN_USE', message);
  }
}

/**
 * The system does not let a server listen: `cause` is what it says.
 * @remarks Do something about what the system says, or listen elsewhere.
 */
export class ListenError extends FarJITError {
  constructor(url: string, cause: unknown) {
    const words = cause instanceof Error ? cause.message : String(cause);
    super('LISTEN_FAILED', `cannot listen at ${url}: ${words}`, { cause });
  }
}

/** Waits until a server listens. @throws {ListenError}, and other errors of ours as they are. */
export async function listening(url: string, begun: Promise<void>): Promise<void> {
  try {
    await begun;
  } catch (cause) {
    throw cause instanceof FarJITError ? cause : new ListenError(url, cause);
  }
}

/** Speaks TLS, of which nothing is loaded before. */
export async function createHttpsServer(limits: object, tls: TlsMaterial): Promise<HttpsServer> {
  const [{ createServer }, { tlsOptions }] = await Promise.all([
    import('node:https'),
    import('./tls-options.js'),
  ]);
  return createServer({ ...limits, ...tlsOptions(tls) });
}

export async function listenOnPort(http: NetServer, address: { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen({ host: address.host, port: address.port, backlog: BACKLOG }, resolve);
  });
}

/**
 * For this user alone, by the socket's mode.
 * @throws {SocketInUseError}
 */
export async function listenOnSocket(http: NetServer, path: string): Promise<void> {
  await removeStaleSocket(path);
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    // `listen` binds at once, and the mode must be right from then on.
    const previous = process.umask(0o177);
    try {
      http.listen({ path, backlog: BACKLOG }, resolve);
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

/** What a client connects to, with the port that was taken. */
export function urlOf(http: NetServer, address: ListenAddress): string {
  if (address.kind === 'unix') return `ws+unix:${address.path}`;
  const bound = http.address();
  if (bound === null || typeof bound === 'string') throw new ListenAddressError('the listener has no port');
  return `${address.isTls ? 'wss' : 'ws'}://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

/** Answers an upgrade with a refusal, and closes. */
export function refuseUpgrade(socket: Duplex, { status, words, headers = {} }: Refusal): void {
  socket.on('error', () => socket.destroy());
  const body = `${words}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

export function closeHttp(http: HttpServer | HttpsServer): Promise<void> {
  return new Promise((resolve) => {
    http.close(() => resolve());
    http.closeAllConnections();
  });
}
