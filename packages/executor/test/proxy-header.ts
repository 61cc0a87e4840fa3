import { isIPv4 } from 'node:net';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/**
 * A header of the PROXY protocol, version 2, for a connection from an address.
 * @param address IPv6 in eight groups.
 * @param moreBytes of values that proxies add.
 */
export function proxyHeaderV2(address: string, moreBytes: number): Buffer {
  const isFour = isIPv4(address);
  const source = isFour
    ? Buffer.from(address.split('.').map(Number))
    : Buffer.from(
        address.split(':').flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16)]),
      );
  const rest = Buffer.concat([source, Buffer.alloc(source.length), Buffer.alloc(4), Buffer.alloc(moreBytes)]);
  const fixed = Buffer.from([0x21, isFour ? 0x11 : 0x21, rest.length >> 8, rest.length & 0xff]);
  return Buffer.concat([SIGNATURE, fixed, rest]);
}
