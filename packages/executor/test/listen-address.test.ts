import test from 'ava';
import { ListenAddressError, parseListenAddress } from '../src/listen-address.js';

const GOOD: readonly [string, ReturnType<typeof parseListenAddress>][] = [
  ['ws+unix:/run/farjit.sock', { kind: 'unix', path: '/run/farjit.sock' }],
  ['ws+unix:///run/farjit.sock', { kind: 'unix', path: '/run/farjit.sock' }],
  ['ws+unix:farjit.sock', { kind: 'unix', path: 'farjit.sock' }],
  ['ws://127.0.0.1:9000', { kind: 'loopback', host: '127.0.0.1', port: 9000 }],
  ['ws://localhost:0/', { kind: 'loopback', host: '127.0.0.1', port: 0 }],
  ['ws://[::1]:9000', { kind: 'loopback', host: '::1', port: 9000 }],
];

for (const [url, address] of GOOD)
  test(`${url} is listened on`, (t) => {
    t.deepEqual(parseListenAddress(url), address);
  });

const BAD: readonly [string, RegExp][] = [
  ['ws://0.0.0.0:9000', /only loopback/],
  ['ws://192.168.1.2:9000', /only loopback/],
  ['ws://[::]:9000', /only loopback/],
  ['ws://127.example.com:9000', /only loopback/],
  ['ws://127.0.0.1', /expected ws\+unix:PATH/],
  ['ws://127.0.0.1:70000', /65535/],
  ['wss://127.0.0.1:1', /expected/],
  ['http://127.0.0.1:1', /expected/],
  ['ws+unix:', /path of the socket is missing/],
  ['ws+unix:/a:b', /colon/],
  [`ws+unix:/${'x'.repeat(107)}`, /at most 107/],
];

for (const [url, message] of BAD)
  test(`${url.slice(0, 40)} is refused with words`, (t) => {
    t.throws(() => parseListenAddress(url), { instanceOf: ListenAddressError, message });
  });
