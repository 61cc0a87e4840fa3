import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { HostAddress } from '../executor-client/connect.js';

/** Finds all addresses of a host's name. */
export type Resolve = (hostname: string) => Promise<readonly HostAddress[]>;

/** Where one executor is. */
export interface Endpoint {
  readonly url: string;
  /** Of the host, where its name stands for several executors. */
  readonly address?: HostAddress;
}

/** The system's own look-up. */
export const resolveAll: Resolve = (hostname) => lookup(hostname, { all: true });

/** The name in a URL that may stand for several executors; undefined for addresses, sockets and this machine's own name. */
export function hostnameOf(url: string): string | undefined {
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url)) return undefined;
  const { hostname } = new URL(url);
  const isAddress = isIP(hostname) !== 0 || hostname.startsWith('[');
  // Its addresses are one machine's, of which an executor listens on one.
  return isAddress || hostname === 'localhost' || hostname === '' ? undefined : hostname;
}

/** The executors behind a URL, one for each address of the name in it. */
export async function endpointsOf(url: string, resolve: Resolve): Promise<Endpoint[]> {
  const hostname = hostnameOf(url);
  if (hostname === undefined) return [{ url }];
  const addresses = await resolve(hostname);
  // A host that has addresses of both families is one executor, reached as the system prefers to.
  const family = addresses[0]?.family;
  const known = new Map(
    addresses.filter((one) => one.family === family).map((address) => [address.address, address]),
  );
  return [...known.values()].map((address) => ({ url, address }));
}
