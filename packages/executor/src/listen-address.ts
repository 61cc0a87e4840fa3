import { isIPv4, isIPv6 } from 'node:net';
import { socketPathFault, socketPathOf } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';

const MAX_HOST_LENGTH = 253;

/**
 * An address that an executor does not listen on.
 * @remarks Write the address as the message says.
 */
export class ListenAddressError extends FarJITError {
  constructor(message: string) {
    super('LISTEN_ADDRESS', message);
  }
}

/** A port of this machine. */
export interface TcpAddress {
  readonly kind: 'tcp';
  /** A literal address, or a name that the system resolves to one of this machine's. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Only this machine can reach it. */
  readonly isLoopback: boolean;
}

/** Where to listen. */
export type ListenAddress = { readonly kind: 'unix'; readonly path: string } | TcpAddress;

/** What a server has against strangers. */
export interface ListenDefences {
  /** It can speak TLS. */
  readonly hasCertificate: boolean;
  /** It lets in whom this CA vouches for. */
  readonly hasClientCA: boolean;
  /** Tokens that were chosen for it: one that is made up at the start is for trying it out. */
  readonly hasCredentials: boolean;
  /** Somebody has said that it may do without. */
  readonly allowInsecure: boolean;
}

/**
 * Reads `ws+unix:PATH`, `ws://HOST:PORT` or `wss://HOST:PORT`; port 0 takes a free one.
 * @throws {ListenAddressError} for everything else.
 */
export function parseListenAddress(url: string): ListenAddress {
  const path = socketPathOf(url);
  if (path !== undefined) {
    const fault = socketPathFault(path);
    if (fault !== undefined) throw new ListenAddressError(`${url}: ${fault}`);
    return { kind: 'unix', path };
  }
  return tcpAddress(url, /^wss?$/, 'ws+unix:PATH, ws://HOST:PORT or wss://HOST:PORT');
}

/**
 * Reads `http://HOST:PORT`, where metrics are served to whoever asks.
 * @throws {ListenAddressError} for everything else, and where other machines can reach it, unless that is allowed.
 */
export function parseMetricsAddress(
  url: string,
  { allowInsecure }: Pick<ListenDefences, 'allowInsecure'>,
): TcpAddress {
  const address = tcpAddress(url, /^http$/, 'http://HOST:PORT');
  if (address.isLoopback || allowInsecure) return address;
  throw new ListenAddressError(
    `${url}: other machines can reach this address, where metrics are told to whoever asks; ` +
      'give one of 127.0.0.1, or say --allow-insecure-listen',
  );
}

/** @param schemes matches those that are taken. */
function tcpAddress(url: string, schemes: RegExp, expected: string): TcpAddress {
  const [, scheme = '', name = '', portText = ''] =
    /^(\w+):\/\/(\[[^\]]*\]|[^:/]*):(\d{1,5})\/?$/.exec(url) ?? [];
  if (!schemes.test(scheme))
    throw new ListenAddressError(`${url}: expected ${expected} (port 0 takes a free one)`);
  const host = name === 'localhost' ? '127.0.0.1' : name.replace(/^\[|\]$/g, '');
  const port = Number(portText);
  if (port > 0xffff) throw new ListenAddressError(`${url}: ports end at 65535`);
  if (!isHost(host, name.startsWith('[')))
    throw new ListenAddressError(
      `${url}: ${host === '' ? 'the host is missing' : 'this is no host'}; ` +
        '0.0.0.0 is every IPv4 address of this machine, [::] every address',
    );
  const isLoopback = (isIPv4(host) && host.startsWith('127.')) || host === '::1';
  return { kind: 'tcp', host, port, isTls: scheme === 'wss', isLoopback };
}

/**
 * Sees whether an address may be listened on: an executor runs whatever code it is sent, so other machines reach it over
 * TLS and authenticated, or somebody says out loud that they need not.
 * @returns a warning, where it was said.
 * @throws {ListenAddressError} where it was not, and for `wss://` without a certificate.
 */
export function checkDefences(
  url: string,
  address: ListenAddress,
  { hasCertificate, hasClientCA, hasCredentials, allowInsecure }: ListenDefences,
): string | undefined {
  if (address.kind === 'unix') return undefined;
  if (address.isTls && !hasCertificate)
    throw new ListenAddressError(`${url}: wss:// needs a certificate: give --tls-cert and --tls-key`);
  if (address.isLoopback) return undefined;
  const shortfall = [
    ...(address.isTls ? [] : ['without TLS']),
    ...(hasCredentials || (address.isTls && hasClientCA) ? [] : ['without tokens or a client CA']),
  ].join(' and ');
  if (shortfall === '') return undefined;
  if (allowInsecure)
    return `${url} is listened on ${shortfall}: whoever can reach it or listen in can run code here`;
  throw new ListenAddressError(
    `${url}: other machines can reach this address, and it would be listened on ${shortfall}; ` +
      'give wss:// with --tls-cert and --tls-key, and --token-file or --client-ca, or say --allow-insecure-listen',
  );
}

/** Names are left to the system; what could not be one is refused here, where the words are better. */
function isHost(host: string, isBracketed: boolean): boolean {
  if (isBracketed) return isIPv6(host);
  if (isIPv4(host)) return true;
  const label = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
  return host.length <= MAX_HOST_LENGTH && new RegExp(`^${label}(\\.${label})*$`).test(host);
}
