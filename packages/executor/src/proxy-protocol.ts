import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** Longest header that is read: 107 bytes of version 1; a version 2 header with addresses and what proxies add to them. */
export const MAX_PROXY_HEADER_BYTES = 2048;

const V1_START = Buffer.from('PROXY ');
const V1_MAX_BYTES = 107;
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_BYTES = 16;

/** Low and high half of byte 13 and 14 of version 2. */
const V2_LOCAL = 0x20;
const V2_PROXY = 0x21;
const V2_TCP4 = 0x11;
const V2_TCP6 = 0x21;

/**
 * What a connection from a proxy begins with (PROXY protocol, HAProxy's proxy-protocol.txt):
 * - `incomplete`: it may be a header, of which more has to come.
 * - `none`: something else, from the first byte on.
 * - `bad`: it begins as a header and is none.
 * - `header`: of so many bytes; `address` is the client's, undefined where the proxy speaks for itself.
 */
export type ProxyHeader =
  | { readonly kind: 'incomplete' | 'none' | 'bad' }
  | { readonly kind: 'header'; readonly sizeBytes: number; readonly address: string | undefined };

/** Reads a header of version 1 or 2 at the start of `bytes`. Neither TLS nor HTTP can begin like one. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  const begins = (start: Buffer) => start.subarray(0, bytes.length).equals(bytes.subarray(0, start.length));
  if (begins(V2_SIGNATURE))
    return bytes.length < V2_FIXED_BYTES ? { kind: 'incomplete' } : parseVersion2(bytes);
  if (begins(V1_START)) return parseVersion1(bytes);
  return { kind: 'none' };
}

function parseVersion1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_MAX_BYTES).indexOf('\r\n');
  if (end < 0) return { kind: bytes.length < V1_MAX_BYTES ? 'incomplete' : 'bad' };
  const sizeBytes = end + 2;
  const line = bytes.toString('latin1', 0, end);
  if (/^PROXY UNKNOWN( |$)/.test(line)) return { kind: 'header', sizeBytes, address: undefined };
  const [, family, source = '', destination = ''] =
    /^PROXY TCP([46]) (\S+) (\S+) \d{1,5} \d{1,5}$/.exec(line) ?? [];
  const isAddress = family === '4' ? isIPv4 : isIPv6;
  if (!isAddress(source) || !isAddress(destination)) return { kind: 'bad' };
  return { kind: 'header', sizeBytes, address: source };
}

function parseVersion2(bytes: Buffer): ProxyHeader {
  const [command = 0, family = 0] = bytes.subarray(12, 14);
  const sizeBytes = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if ((command !== V2_LOCAL && command !== V2_PROXY) || sizeBytes > MAX_PROXY_HEADER_BYTES)
    return { kind: 'bad' };
  if (bytes.length < sizeBytes) return { kind: 'incomplete' };
  const addresses = bytes.subarray(V2_FIXED_BYTES, sizeBytes);
  if (command === V2_LOCAL || (family !== V2_TCP4 && family !== V2_TCP6))
    return { kind: 'header', sizeBytes, address: undefined };
  // Source and destination, then two ports.
  const addressBytes = family === V2_TCP4 ? 4 : 16;
  if (addresses.length < 2 * addressBytes + 4) return { kind: 'bad' };
  const source = addresses.subarray(0, addressBytes);
  const address = family === V2_TCP4 ? [...source].join('.') : formatIPv6(source);
  return { kind: 'header', sizeBytes, address };
}

function formatIPv6(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(2 * group).toString(16)).join(':');
}

/** Whether a text is an address, or a network as in `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

/** Addresses of proxies that say for whom they connect. */
export class TrustedProxies {
  readonly #list = new BlockList();

  /** @param networks each `isNetwork`. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  /** @param address as a socket has it: also an IPv4 address that IPv6 wraps. */
  has(address: string): boolean {
    const [plain = ''] = address.split('%');
    if (isIPv4(plain)) return this.#list.check(plain, 'ipv4');
    return isIPv6(plain) && this.#list.check(plain, 'ipv6');
  }
}
