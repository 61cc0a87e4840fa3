import test from 'ava';
import { checkDefences, ListenAddressError, parseListenAddress } from '../src/listen-address.js';

/** 253 letters, in parts of 49. */
const LONGEST_NAME = [...Array(5).fill('a'.repeat(49)), 'abc'].join('.');

const GOOD: readonly [string, ReturnType<typeof parseListenAddress>][] = [
  ['ws+unix:/run/farjit.sock', { kind: 'unix', path: '/run/farjit.sock' }],
  ['ws+unix:///run/farjit.sock', { kind: 'unix', path: '/run/farjit.sock' }],
  ['ws+unix:farjit.sock', { kind: 'unix', path: 'farjit.sock' }],
  // Nothing in a path stands for anything else.
  ['ws+unix:/run/a b%20c#d?e/ü', { kind: 'unix', path: '/run/a b%20c#d?e/ü' }],
  ['ws://127.0.0.1:9000', { kind: 'tcp', host: '127.0.0.1', port: 9000, isTls: false, isLoopback: true }],
  ['ws://localhost:0/', { kind: 'tcp', host: '127.0.0.1', port: 0, isTls: false, isLoopback: true }],
  ['ws://[::1]:9000', { kind: 'tcp', host: '::1', port: 9000, isTls: false, isLoopback: true }],
  ['wss://0.0.0.0:9000', { kind: 'tcp', host: '0.0.0.0', port: 9000, isTls: true, isLoopback: false }],
  ['wss://[::]:9000', { kind: 'tcp', host: '::', port: 9000, isTls: true, isLoopback: false }],
  ['ws://192.168.1.2:1', { kind: 'tcp', host: '192.168.1.2', port: 1, isTls: false, isLoopback: false }],
  ['ws://h:65535', { kind: 'tcp', host: 'h', port: 65535, isTls: false, isLoopback: false }],
  [
    `ws://${'a'.repeat(63)}:1`,
    { kind: 'tcp', host: 'a'.repeat(63), port: 1, isTls: false, isLoopback: false },
  ],
  [`ws://${LONGEST_NAME}:1`, { kind: 'tcp', host: LONGEST_NAME, port: 1, isTls: false, isLoopback: false }],
  // Not a loopback address: names that begin like one are not either.
  [
    'ws://127.example.com:1',
    { kind: 'tcp', host: '127.example.com', port: 1, isTls: false, isLoopback: false },
  ],
];

for (const [url, address] of GOOD)
  test(`${url} is listened on`, (t) => {
    t.deepEqual(parseListenAddress(url), address);
  });

const BAD: readonly [string, RegExp][] = [
  ['ws://127.0.0.1', /expected ws\+unix:PATH/],
  ['ws://127.0.0.1:70000', /65535/],
  ['http://127.0.0.1:1', /expected/],
  ['wss://:1', /the host is missing/],
  ['ws://[127.0.0.1]:1', /no host/],
  ['ws://a..b:1', /no host/],
  ['ws://a_b:1', /no host/],
  ['ws://h:65536', /ports end at 65535/],
  [`ws://${'a'.repeat(64)}:1`, /no host/],
  [`ws://${LONGEST_NAME}d:1`, /no host/],
  ['ws://-a:1', /no host/],
  ['ws://a-:1', /no host/],
  ['ws://::1:1', /expected/],
  ['ws+unix:', /path of the socket is missing/],
  ['ws+unix:/a:b', /colon/],
  [`ws+unix:/${'x'.repeat(107)}`, /at most 107 bytes, and this has 108/],
  [`ws+unix:/${'ü'.repeat(54)}`, /at most 107 bytes, and this has 109/],
  ['ws+unix:/a\0b', /NUL/],
];

for (const [url, message] of BAD)
  test(`${url.slice(0, 40)} (${url.length}) is refused with words`, (t) => {
    t.throws(() => parseListenAddress(url), { instanceOf: ListenAddressError, message });
  });

const BARE = { hasCertificate: true, hasClientCA: false, hasCredentials: false, allowInsecure: false };
const DEFENDED = { ...BARE, hasCredentials: true };

for (const url of ['ws+unix:x', 'ws://127.1.2.3:0', 'wss://[::1]:0'])
  test(`${url} needs no defences: only this machine reaches it`, (t) => {
    t.is(checkDefences(url, parseListenAddress(url), BARE), undefined);
  });

for (const [url, defences, shortfall] of [
  ['ws://0.0.0.0:1', DEFENDED, 'without TLS'],
  ['wss://0.0.0.0:1', BARE, 'without tokens or a client CA'],
  ['ws://farm.example:1', BARE, 'without TLS and without tokens or a client CA'],
] as const)
  test(`${url} ${shortfall} is refused, or warned of where it is allowed`, (t) => {
    const address = parseListenAddress(url);
    const { message } = t.throws(() => checkDefences(url, address, defences), {
      instanceOf: ListenAddressError,
    }) as ListenAddressError;
    t.true(message.includes(`listened on ${shortfall}; give wss://`), message);
    t.true(message.endsWith('--allow-insecure-listen'), message);
    const warning = checkDefences(url, address, { ...defences, allowInsecure: true });
    t.is(warning, `${url} is listened on ${shortfall}: whoever can reach it or listen in can run code here`);
  });

test('another machine may reach what has TLS and tokens or a client CA', (t) => {
  const address = parseListenAddress('wss://0.0.0.0:1');
  t.is(checkDefences('wss://0.0.0.0:1', address, DEFENDED), undefined);
  t.is(checkDefences('wss://0.0.0.0:1', address, { ...BARE, hasClientCA: true }), undefined);
});

test('a client CA is no defence without TLS, and TLS needs a certificate', (t) => {
  const defences = { ...BARE, hasClientCA: true };
  t.throws(() => checkDefences('ws://0.0.0.0:1', parseListenAddress('ws://0.0.0.0:1'), defences), {
    message: /without TLS and without tokens/,
  });
  t.throws(
    () =>
      checkDefences('wss://[::1]:1', parseListenAddress('wss://[::1]:1'), {
        ...DEFENDED,
        hasCertificate: false,
      }),
    { message: 'wss://[::1]:1: wss:// needs a certificate: give --tls-cert and --tls-key' },
  );
});
