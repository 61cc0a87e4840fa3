import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createNetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Refusal } from '../src/authentication.js';
import {
  closeHttp,
  listenOnPort,
  listenOnSocket,
  refuseUpgrade,
  SocketInUseError,
  urlOf,
} from '../src/http-listener.js';

function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-listen-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a refusal has the status in words, its headers and its length in bytes, and ends the connection', async (t) => {
  const refusals: Refusal[] = [];
  const server = createNetServer((socket) => refuseUpgrade(socket, refusals.shift() as Refusal));
  t.teardown(() => server.close());
  await listenOnPort(server, { host: '127.0.0.1', port: 0 });
  const { port } = server.address() as { port: number };
  for (const [status, words] of [
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [410, 'Gone'],
    [429, 'Too Many Requests'],
    [503, 'Service Unavailable'],
  ] as const) {
    refusals.push({ status, reason: 'full', words: 'zu spät', headers: { 'Retry-After': '1' } } as Refusal);
    const socket: Socket = connect(port, '127.0.0.1');
    t.is(
      Buffer.concat(await socket.toArray()).toString(),
      `HTTP/1.1 ${status} ${words}\r\nRetry-After: 1\r\nConnection: close\r\n` +
        'Content-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n\r\nzu spät\n',
    );
  }
});

test.serial(
  'a socket is for this user alone from the beginning, and what is made after it for whom it was',
  async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'a.sock');
    const before = process.umask(0o022);
    t.teardown(() => process.umask(before));
    const server = createServer();
    t.teardown(() => closeHttp(server));
    const listening = listenOnSocket(server, path);
    await listening;
    t.is(statSync(path).mode & 0o777, 0o600);
    t.is(process.umask(), 0o022);
    writeFileSync(join(directory, 'file'), '');
    t.is(statSync(join(directory, 'file')).mode & 0o777, 0o644);
    await t.throwsAsync(listenOnSocket(createServer(), path), {
      instanceOf: SocketInUseError,
      code: 'SOCKET_IN_USE',
      message: `${path} is in use: another executor listens there`,
    });
    await t.throwsAsync(listenOnSocket(createServer(), join(directory, 'file')), {
      instanceOf: SocketInUseError,
      message: `${join(directory, 'file')} exists and is not a socket`,
    });
    await t.throwsAsync(listenOnSocket(createServer(), join(directory, 'none', 'b.sock')));
    t.is(process.umask(), 0o022);
  },
);

test('an address in words is one to connect to', async (t) => {
  for (const [host, isTls, words] of [
    ['127.0.0.1', false, /^ws:\/\/127\.0\.0\.1:\d+$/],
    ['127.0.0.1', true, /^wss:\/\/127\.0\.0\.1:\d+$/],
    ['::1', true, /^wss:\/\/\[::1\]:\d+$/],
  ] as const) {
    const server = createServer();
    t.teardown(() => closeHttp(server));
    await listenOnPort(server, { host, port: 0 });
    t.regex(urlOf(server, { kind: 'tcp', host, port: 0, isTls } as never), words);
    await t.throwsAsync(
      listenOnPort(createServer(), { host, port: (server.address() as { port: number }).port }),
      { code: 'EADDRINUSE' },
    );
  }
  t.is(urlOf(createServer(), { kind: 'unix', path: '/x' } as never), 'ws+unix:/x');
  t.throws(() => urlOf(createServer(), { kind: 'tcp', host: 'h', port: 0, isTls: false } as never), {
    message: 'the listener has no port',
  });
});

test('closing takes the connections that are open with it', async (t) => {
  const server = createServer();
  await listenOnPort(server, { host: '127.0.0.1', port: 0 });
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  await closeHttp(server);
  await closed;
  t.false(server.listening);
});
