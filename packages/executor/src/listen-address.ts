import { isIPv4, isIPv6 } from 'node:net';
import { FarJITError } from '@farjit/protocol';

/** What `sockaddr_un` holds, less the terminating NUL. */
const MAX_SOCKET_PATH_BYTES = 107;

/** An address that an executor does not listen on. */
export class ListenAddressError extends FarJITError {
  constructor(message: string) {
    super('LISTEN_ADDRESS', message);
  }
}

/** Where to listen. */
export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'loopback'; readonly host: string; readonly port: number };

/**
 * Reads `ws+unix:PATH` or `ws://127.0.0.1:PORT` (any loopback address; port 0 takes a free one).
 * @throws {ListenAddressError} for everything else: an executor runs whatever code it is sent, so no other machine
 * may reach it.
 */
export function parseListenAddress(url: string): ListenAddress {
  if (url.startsWith('ws+unix:')) return unixAddress(url, url.slice('ws+unix:'.length));
  const match = /^ws:\/\/(\[[^\]]*\]|[^:/]*):(\d{1,5})\/?$/.exec(url);
  if (!match)
    throw new ListenAddressError(
      `${url}: expected ws+unix:PATH or ws://127.0.0.1:PORT (port 0 takes a free one)`,
    );
  const [, name = '', portText = ''] = match;
  const host = name === 'localhost' ? '127.0.0.1' : name.replace(/^\[|\]$/g, '');
  const port = Number(portText);
  if (port > 0xffff) throw new ListenAddressError(`${url}: ports end at 65535`);
  const isLoopback = (isIPv4(host) && host.startsWith('127.')) || (isIPv6(host) && host === '::1');
  if (!isLoopback)
    throw new ListenAddressError(
      `${url}: only loopback addresses are listened on; forward a port or a socket, with ssh for example, to reach ` +
        'an executor on another machine',
    );
  return { kind: 'loopback', host, port };
}

function unixAddress(url: string, written: string): ListenAddress {
  const path = written.startsWith('//') ? written.slice(2) : written;
  if (path === '') throw new ListenAddressError(`${url}: the path of the socket is missing`);
  // WebSocket clients end the socket's path at the first colon.
  if (path.includes(':')) throw new ListenAddressError(`${url}: a socket's path cannot contain a colon`);
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    throw new ListenAddressError(`${url}: a socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes`);
  return { kind: 'unix', path };
}
