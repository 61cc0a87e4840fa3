import test from 'ava';
import fc from 'fast-check';
import {
  isNetwork,
  MAX_PROXY_HEADER_BYTES,
  type ProxyHeader,
  parseProxyHeader,
  TrustedProxies,
} from '../src/proxy-protocol.js';
import { proxyHeaderV2 } from './proxy-header.js';

const REST = Buffer.from('GET / HTTP/1.1\r\n');

/** Given whole, with something behind it, and byte by byte. */
function parsed(t: { is(a: unknown, b: unknown, c?: string): void }, header: Buffer): ProxyHeader {
  const whole = parseProxyHeader(Buffer.concat([header, REST]));
  for (let length = 0; length < header.length; length++) {
    const { kind } = parseProxyHeader(header.subarray(0, length));
    if (whole.kind === 'header') t.is(kind, 'incomplete', `${length} bytes`);
  }
  return whole;
}

for (const [line, address] of [
  ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 443', '192.0.2.1'],
  ['PROXY TCP6 2001:db8::1 ::1 56324 443', '2001:db8::1'],
  [
    'PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ],
  ['PROXY UNKNOWN', undefined],
  ['PROXY UNKNOWN ffff::1 ffff::2 65535 65535', undefined],
] as const)
  test(`version 1: ${line}`, (t) => {
    const header = Buffer.from(`${line}\r\n`);
    t.deepEqual(parsed(t, header), { kind: 'header', sizeBytes: header.length, address });
  });

for (const line of [
  'PROXY TCP4 2001:db8::1 ::1 1 2',
  'PROXY TCP6 192.0.2.1 192.0.2.2 1 2',
  'PROXY TCP4 192.0.2.256 192.0.2.2 1 2',
  'PROXY TCP4 192.0.2.1 192.0.2.2 1',
  'PROXY TCP4  192.0.2.1 192.0.2.2 1 2',
  'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 ',
  'PROXY UDP4 192.0.2.1 192.0.2.2 1 2',
  'PROXY ',
])
  test(`version 1: "${line}" is none`, (t) => {
    t.deepEqual(parseProxyHeader(Buffer.from(`${line}\r\n`)), { kind: 'bad' });
  });

test('version 1: a line without end is none after 107 bytes', (t) => {
  const line = Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`);
  t.is(parseProxyHeader(line.subarray(0, 106)).kind, 'incomplete');
  t.is(parseProxyHeader(line.subarray(0, 107)).kind, 'bad');
});

test('version 2, with and without what proxies add', (t) => {
  for (const more of [0, 3, 84]) {
    const four = proxyHeaderV2('192.0.2.1', more);
    t.deepEqual(parsed(t, four), { kind: 'header', sizeBytes: four.length, address: '192.0.2.1' });
    const six = proxyHeaderV2('2001:db8:0:0:0:0:0:1', more);
    t.deepEqual(parsed(t, six), { kind: 'header', sizeBytes: six.length, address: '2001:db8:0:0:0:0:0:1' });
  }
});

test('version 2: a proxy that speaks for itself, and families without such addresses', (t) => {
  for (const [command, family] of [
    [0x20, 0x00],
    [0x20, 0x11],
    [0x21, 0x00],
    [0x21, 0x31],
  ] as const) {
    const header = proxyHeaderV2('192.0.2.1', 0);
    header[12] = command;
    header[13] = family;
    t.deepEqual(parsed(t, header), { kind: 'header', sizeBytes: header.length, address: undefined });
  }
});

test('version 2: other versions and commands, and addresses that are cut short, are none', (t) => {
  for (const [offset, value] of [
    [12, 0x22],
    [12, 0x11],
    [15, 11],
  ] as const) {
    const header = proxyHeaderV2('192.0.2.1', 0);
    header[offset] = value;
    t.is(parseProxyHeader(header).kind, 'bad');
  }
  const long = proxyHeaderV2('192.0.2.1', MAX_PROXY_HEADER_BYTES);
  t.is(parseProxyHeader(long.subarray(0, 16)).kind, 'bad');
});

test('what a client sends is no header, from its first byte on', (t) => {
  for (const text of ['GET / HTTP/1.1\r\n', '\x16\x03\x01\x02\x00', 'POST /', 'PRI * HTTP/2.0', '\r\nGET'])
    t.deepEqual(parseProxyHeader(Buffer.from(text, 'latin1')), { kind: 'none' });
  t.deepEqual(parseProxyHeader(Buffer.alloc(0)), { kind: 'incomplete' });
});

test('proxies are trusted by address and network, however a socket writes it', (t) => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', 'fd12::1', 'fd12::1%eth0'])
    t.true(proxies.has(address), address);
  for (const address of ['11.0.0.1', '192.0.2.8', '::ffff:11.0.0.1', 'fe80::1', '', 'unix'])
    t.false(proxies.has(address), address);
  t.false(new TrustedProxies([]).has('127.0.0.1'));
});

test('networks', (t) => {
  for (const text of ['10.0.0.0/8', '0.0.0.0/0', '::/0', 'fd00::/128', '127.0.0.1', '::1'])
    t.true(isNetwork(text));
  for (const text of [
    '',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0/8',
    'proxy',
    '10.0.0.0/-1',
  ])
    t.false(isNetwork(text), text);
});

test('whatever bytes there are, reading them ends, takes no more than there is, and more bytes change no verdict', (t) => {
  const piece = fc.oneof(
    fc.constantFrom(
      'PROXY ',
      'TCP4 192.0.2.1 192.0.2.2 1 2',
      'UNKNOWN',
      '\r\n',
      '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c',
    ),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  const input = fc.array(piece, { maxLength: 6 }).map((pieces) => Buffer.from(pieces.join(''), 'latin1'));
  t.notThrows(() =>
    fc.assert(
      fc.property(input, fc.nat(200), (bytes, length) => {
        const before = parseProxyHeader(bytes.subarray(0, length));
        const all = parseProxyHeader(bytes);
        if (all.kind === 'header' && all.sizeBytes > bytes.length) return false;
        return before.kind === 'incomplete' || JSON.stringify(before) === JSON.stringify(all);
      }),
      { numRuns: 2000 },
    ),
  );
});
