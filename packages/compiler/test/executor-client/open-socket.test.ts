import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { AbortError } from '@farjit/protocol/errors';
import test, { type ExecutionContext } from 'ava';
import { WebSocketServer } from 'ws';
import { ConnectError } from '../../src/executor-client/connect-errors.js';
import { openSocket } from '../../src/executor-client/open-socket.js';

const TIMEOUT_MS = 400;

/** A server that answers with `head`, and then with one more byte again and again. */
async function dripping(t: ExecutionContext, head: string, { isFlood = false } = {}): Promise<string> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(head);
      const timer = isFlood
        ? setInterval(() => socket.writableLength > 0 || socket.write('\x1b[2J'.repeat(100_000)), 1)
        : setInterval(() => socket.write('y'), TIMEOUT_MS / 20);
      socket.on('close', () => clearInterval(timer));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function failureOf(t: ExecutionContext, url: string): Promise<string> {
  const opening = openSocket({ url, client: {} }, () => t.fail(), { timeoutMs: TIMEOUT_MS });
  const error = await t.throwsAsync(opening, { instanceOf: ConnectError });
  return error?.message ?? '';
}

test('headers that come byte by byte end the attempt in time', async (t) => {
  const url = await dripping(t, 'HTTP/1.1 101 Switching Protocols\r\nX: ');
  t.is(await failureOf(t, url), `cannot reach an executor at ${url}: it has not answered within 0.4 s`);
});

test('a refusal that comes byte by byte ends the attempt in time, with the words that came', async (t) => {
  const url = await dripping(t, 'HTTP/1.1 503 No\r\nContent-Length: 100000\r\n\r\nno room today\n');
  t.is(
    await failureOf(t, url),
    `${url}: the executor answered 503 (no room today); try again later, or another executor`,
  );
});

test('a refusal without end is read for a few hundred characters, and escaped', async (t) => {
  const url = await dripping(t, 'HTTP/1.1 503 No\r\n\r\n', { isFlood: true });
  const message = await failureOf(t, url);
  t.regex(message, /answered 503 \((\\u\{1b\}\[2J)+\); try again later/);
  t.true(message.length < 2000);
});

test('headers without end are refused', async (t) => {
  const url = await dripping(t, 'HTTP/1.1 101 Switching Protocols\r\nX: ', { isFlood: true });
  t.regex(await failureOf(t, url), /^cannot reach an executor at .*: Parse Error/);
});

test('a socket that has been opened stays open after the time, and whatever is aborted later', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(() => server.close());
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const giveUp = new AbortController();
  const options = { timeoutMs: TIMEOUT_MS, signal: giveUp.signal };
  const { socket, answer } = await openSocket({ url, client: {} }, (opened) => opened, options);
  t.is(answer.upgrade, 'websocket');
  giveUp.abort();
  await delay(TIMEOUT_MS + 50);
  t.is(socket.readyState, socket.OPEN);
  socket.terminate();
});

test('an attempt that is given up, before or while, says so', async (t) => {
  const url = await dripping(t, 'HTTP/1.1 101 Switching Protocols\r\nX: ');
  const giveUp = new AbortController();
  const refused = { instanceOf: AbortError, message: `${url}: the attempt to connect was given up` };
  const opening = openSocket({ url, client: {} }, () => t.fail(), { signal: giveUp.signal });
  giveUp.abort();
  await t.throwsAsync(opening, refused);
  await t.throwsAsync(
    openSocket({ url, client: {} }, () => t.fail(), { signal: giveUp.signal }),
    refused,
  );
});
