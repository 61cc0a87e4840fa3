import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { RESUMPTION_HEADERS, WebSocketTransport } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { Server } from '../src/index.js';
import { MAX_LINGERING } from '../src/upgrades.js';
import { openOver, until } from './session-fixture.js';
import { bearer } from './upgrade.js';

const TOKEN = 'right';
/** A frame that holds no message of the protocol: the other end closes. */
const NONSENSE = Buffer.from([0x82, 0x81, 0, 0, 0, 0, 0xc1]);

/** Peers who never answer the closing handshake. */
async function open(t: ExecutionContext) {
  const server = new Server({ credentials: TOKEN });
  t.teardown(() => server.close());
  const url = await server.listen('ws://127.0.0.1:0');
  const { port, hostname } = new URL(url);
  const connectOnce = async (
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ socket: Socket; answer: string }> => {
    const socket = connect(Number(port), hostname);
    t.teardown(() => socket.destroy());
    socket.on('error', () => {});
    const lines = Object.entries({ Authorization: `Bearer ${TOKEN}`, ...headers });
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    );
    const [answer] = await once(socket, 'data');
    socket.on('data', () => {});
    return { socket, answer: String(answer) };
  };
  return { server, url, connectOnce };
}

/** How many of them have been closed by the server. */
function closedCount(sockets: readonly Socket[]): number {
  return sockets.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length;
}

test.serial('of peers who do not answer the closing of their WebSocket, few are waited for', async (t) => {
  const { connectOnce } = await open(t);
  const sockets: Socket[] = [];
  for (let i = 0; i < 3 * MAX_LINGERING; i++) {
    const { socket, answer } = await connectOnce();
    t.regex(answer, /^HTTP\/1\.1 101 /);
    socket.write(NONSENSE);
    sockets.push(socket);
  }
  await until(() => closedCount(sockets) >= 2 * MAX_LINGERING - 1);
  // The others may still answer.
  t.is(closedCount(sockets.slice(-MAX_LINGERING)), 0);
});

test.serial('of the connections that a session was resumed from, few are waited for', async (t) => {
  const { server, url, connectOnce } = await open(t);
  const first = new WebSocket(url, bearer(TOKEN));
  const [[{ headers }]] = await Promise.all([once(first, 'upgrade'), once(first, 'open')]);
  await openOver(t, new WebSocketTransport(first));
  const session = headers[RESUMPTION_HEADERS.session];
  let secret = headers[RESUMPTION_HEADERS.secret];
  const sockets: Socket[] = [];
  for (let i = 0; i < 3 * MAX_LINGERING; i++) {
    const { socket, answer } = await connectOnce({
      [RESUMPTION_HEADERS.session]: session,
      [RESUMPTION_HEADERS.secret]: secret,
      [RESUMPTION_HEADERS.received]: '1',
    });
    t.regex(answer, /^HTTP\/1\.1 101 /);
    [, secret] = new RegExp(`^${RESUMPTION_HEADERS.secret}: (\\S+)`, 'm').exec(answer) ?? [];
    sockets.push(socket);
  }
  await until(() => closedCount(sockets) >= 2 * MAX_LINGERING - 1);
  t.is(server.sessions.size, 1);
});

test.serial('a server that closes waits for peers who do not answer, and then cuts them off', async (t) => {
  const { server, connectOnce } = await open(t);
  const { socket } = await connectOnce();
  const startMs = performance.now();
  await server.close();
  t.true(performance.now() - startMs >= 490);
  await Promise.race([until(() => closedCount([socket]) === 1), delay(5000)]);
  t.is(closedCount([socket]), 1);
});
