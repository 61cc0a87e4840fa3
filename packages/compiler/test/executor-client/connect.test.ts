import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AbortError } from '@farjit/protocol/errors';
import test, { type ExecutionContext } from 'ava';
import { WebSocketServer } from 'ws';
import { connectExecutor } from '../../src/executor-client/connect.js';
import { ConnectError } from '../../src/executor-client/connect-errors.js';

async function listening(t: ExecutionContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function refused(t: ExecutionContext, url: string, token?: string): Promise<ConnectError> {
  const connecting = connectExecutor(url, token === undefined ? {} : { token });
  return t.throwsAsync(connecting, {
    instanceOf: ConnectError,
    code: 'CONNECT_FAILED',
  }) as Promise<ConnectError>;
}

for (const url of [
  '',
  'farjit',
  'http://127.0.0.1:1',
  'unix:/tmp/x',
  'ws:/127.0.0.1',
  'ws+unix',
  'WS+UNIX:/x',
])
  test(`"${url}" is refused as an address, with words on what one looks like`, async (t) => {
    const { message } = await refused(t, url);
    t.is(message, `${url} is no executor address; use ws+unix:PATH, ws://HOST:PORT or wss://HOST:PORT`);
  });

for (const url of [
  'ws://',
  'ws://127.0.0.1:port',
  'ws+unix:',
  'ws+unix:/a:b',
  `ws+unix:/${'x'.repeat(107)}`,
  'ws://127.0.0.1:1/#part',
])
  test(`"${url.slice(0, 30)}" looks like an address and is none`, async (t) => {
    const { message } = await refused(t, url);
    t.true(message.startsWith(`${url} is no executor address: `), message);
  });

test('nobody listens', async (t) => {
  const server = createServer();
  const url = await listening(t, server);
  await new Promise((resolve) => server.close(resolve));
  const { message, cause } = await refused(t, url);
  t.regex(message, new RegExp(`^cannot reach an executor at ${url}: .*ECONNREFUSED`));
  t.true(cause instanceof Error);
});

test('there is no such socket, or the path is a file', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  t.regex((await refused(t, `ws+unix:${directory}/none`)).message, /ENOENT/);
  writeFileSync(join(directory, 'file'), '');
  t.regex((await refused(t, `ws+unix:${directory}/file`)).message, /ECONNREFUSED/);
});

test('what listens speaks HTTP, but not WebSocket', async (t) => {
  const url = await listening(
    t,
    createHttpServer((_request, response) => response.end('hello')),
  );
  t.is(
    (await refused(t, url)).message,
    `${url}: the executor answered 200; what listens there speaks HTTP, but is no executor`,
  );
});

test('what listens speaks something else', async (t) => {
  const url = await listening(
    t,
    createServer((socket) => {
      socket.on('error', () => {});
      socket.end('220 mail.example.com ESMTP\r\n');
    }),
  );
  t.regex((await refused(t, url)).message, /^cannot reach an executor at .*: Parse Error/);
});

test('the connection is closed before the handshake is over', async (t) => {
  const url = await listening(
    t,
    createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.destroy());
    }),
  );
  t.regex((await refused(t, url)).message, /: (socket hang up|read ECONNRESET)$/);
});

test('an attempt that is not answered is given up when its signal says so', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
  });
  const url = await listening(t, server);
  const stop = new AbortController();
  const connecting = connectExecutor(url, { signal: stop.signal });
  const [socket] = await once(server, 'connection');
  stop.abort();
  const givenUp = { instanceOf: AbortError, message: `${url}: the attempt to connect was given up` };
  await t.throwsAsync(connecting, givenUp);
  if (!socket.destroyed) await once(socket, 'close');
  await t.throwsAsync(connectExecutor(url, { signal: stop.signal }), givenUp);
});

for (const [status, advice] of [
  [
    '401 Unauthorized',
    'give the token that the executor printed or that is in its token file: --token-file, or FARJIT_TOKEN',
  ],
  ['403 Forbidden', 'give a certificate that it accepts: --tls-cert and --tls-key'],
  ['429 Too Many Requests', 'wait a little, or close sessions that are not needed'],
  ['503 Service Unavailable', 'try again later, or another executor'],
  ['500 Internal Server Error', 'what listens there speaks HTTP, but is no executor'],
] as const)
  test(`${status} is answered with what the executor says and what to do`, async (t) => {
    const server = createHttpServer();
    let more = '';
    server.on('upgrade', (_request, socket) => {
      socket.on('error', () => {});
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n${more}`);
    });
    const url = await listening(t, server);
    const statusCode = Number(status.slice(0, 3));
    more = 'Content-Length: 0\r\n\r\n';
    t.is((await refused(t, url)).message, `${url}: the executor answered ${statusCode}; ${advice}`);
    more = 'FarJIT-Quota: sessions=8\r\nContent-Length: 12\r\n\r\nno \x1b[1mroom\n';
    const error = await refused(t, url);
    t.is(error.message, `${url}: the executor answered ${statusCode} (no \\u{1b}[1mroom); ${advice}`);
    t.is(error.statusCode, statusCode);
    t.is(error.quota, 'sessions=8');
  });

test('the token travels as a bearer token', async (t) => {
  const server = createHttpServer();
  const sent: (string | undefined)[] = [];
  server.on('upgrade', (request, socket) => {
    sent.push(request.headers.authorization);
    socket.on('error', () => {});
    socket.destroy();
  });
  const url = await listening(t, server);
  await refused(t, url, 'a token');
  await refused(t, url);
  t.deepEqual(sent, ['Bearer a token', undefined]);
});

/** An executor's answers to upgrades; of each, what it brought. */
async function answering(t: ExecutionContext, answers: readonly (readonly string[])[]) {
  const http = createHttpServer();
  const server = new WebSocketServer({ noServer: true });
  const brought: (string | undefined)[] = [];
  const received: number[][] = [];
  server.on('headers', (headers) => headers.push(...(answers[brought.length - 1] ?? [])));
  http.on('upgrade', (request, socket, head) => {
    brought.push(request.headers['farjit-first-frame'] as string | undefined);
    server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('message', (data: Buffer) => received.push([...data]));
    });
  });
  t.teardown(() => {
    for (const client of server.clients) client.terminate();
  });
  return { url: await listening(t, http), brought, received };
}

const SESSION = ['FarJIT-Session: a', 'FarJIT-Resume: b'];
for (const [what, answers, sizeBytes, expected] of [
  [
    'is not sent again to who has received it',
    [[...SESSION, 'FarJIT-Received: 1']],
    3,
    { brought: [true], sent: 1 },
  ],
  ['is sent to who has not', [SESSION], 3, { brought: [true], sent: 2 }],
  [
    'is sent to who says nothing that makes sense',
    [[...SESSION, 'FarJIT-Received: x']],
    3,
    { brought: [true], sent: 2 },
  ],
  ['goes another way when the answer has lost its headers', [[], []], 3, { brought: [true, false], sent: 2 }],
  ['is not brought when it is too large', [SESSION], 1025, { brought: [false], sent: 2 }],
] as const)
  test(`a first frame that the upgrade brings ${what}`, async (t) => {
    const { url, brought, received } = await answering(t, answers);
    const first = new Uint8Array(sizeBytes);
    const transport = await connectExecutor(url, {}, first);
    transport.start({ onMessage() {}, onClose() {} });
    transport.send(first);
    transport.send(Uint8Array.of(1));
    while (received.at(-1)?.length !== 1) await new Promise(setImmediate);
    t.deepEqual({ brought: brought.map((header) => header !== undefined), sent: received.length }, expected);
    t.is(brought[0], expected.brought[0] ? 'AAAA' : undefined);
    transport.close(1000, 'done');
  });
