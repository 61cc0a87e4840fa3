import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Connection,
  encodeFirstRequest,
  FIRST_FRAME_HEADER,
  FrameKind,
  formatFirstFrame,
  MAX_FIRST_FRAME_BYTES,
  type ParamsOf,
  RESUMPTION_HEADERS,
  session,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import type { ExecutorEvent } from '../src/events.js';
import { hashToken, Server, type ServerOptions } from '../src/index.js';
import { storeConstant } from './machine-code.js';
import { callDouble, load, OPEN, openOver, until } from './session-fixture.js';
import { bearer, refusalOf } from './upgrade.js';

const OPENING = encodeFirstRequest(session.openSession, OPEN);

async function start(t: ExecutionContext, options: ServerOptions = {}) {
  const server = new Server({ credentials: 'right', poolSize: 1, ...options });
  t.teardown(() => server.close());
  const events: ExecutorEvent['type'][] = [];
  server.events.subscribe(({ type }) => events.push(type));
  const url = await server.listen('ws://127.0.0.1:0');
  await until(() => server.stateNow().runnersWarm === 1);
  return { server, events, url };
}

/** What an upgrade is asked for with. */
function bringing(header: string | undefined, more: Record<string, string> = {}) {
  return { headers: { ...bearer('right').headers, ...more, [FIRST_FRAME_HEADER]: header ?? '' } };
}

/** Opens a WebSocket with an upgrade that brings a frame. */
async function bring(t: ExecutionContext, url: string, frame: Uint8Array) {
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...bringing(formatFirstFrame(frame)) });
  socket.on('error', () => {});
  t.teardown(() => socket.terminate());
  const upgraded = once(socket, 'upgrade');
  // At once: the answer may come in one packet with that to the upgrade.
  const taken = new Promise<WebSocketTransport>((resolve) => {
    socket.once('open', () => resolve(new WebSocketTransport(socket, { sent: frame })));
  });
  const [[{ headers }], transport] = await Promise.all([upgraded, taken]);
  return { socket, transport, headers: headers as IncomingMessage['headers'] };
}

test('a session is opened by the upgrade, and goes on as if its first frame had come over the WebSocket', async (t) => {
  const { server, url } = await start(t);
  const { transport, headers } = await bring(t, url, OPENING);
  t.is(headers[RESUMPTION_HEADERS.received], '1');
  let sentCount = 0;
  const connection = new Connection(transport, {
    onFrame: (direction, kind) => {
      if (direction === 'sent' && kind !== FrameKind.Acknowledge) sentCount++;
    },
  });
  const compiler = await openOver(t, transport, connection);
  t.is(compiler.opened.session, String(headers[RESUMPTION_HEADERS.session]));
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0x4000_0000_0000_0000n))), 2);
  const [opened] = server.sessions;
  t.is(opened?.connection.link.receivedCount, sentCount);
});

test('an upgrade that brings nothing is not answered with a count', async (t) => {
  const { url } = await start(t);
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...bearer('right') });
  t.teardown(() => socket.terminate());
  const [{ headers }] = await once(socket, 'upgrade');
  t.is(headers[RESUMPTION_HEADERS.received], undefined);
});

test('what is no frame in base64url is refused with 400, and nothing is started for it', async (t) => {
  const { server, events, url } = await start(t);
  const good = formatFirstFrame(OPENING) ?? '';
  for (const header of [
    '',
    '=',
    `${good}=`,
    `${good}+`,
    `${good}, ${good}`,
    good.replace(/^./, '*'),
    Buffer.alloc(MAX_FIRST_FRAME_BYTES + 1).toString('base64url'),
    'A'.repeat(8000),
  ]) {
    const { status, body } = await refusalOf(url, bringing(header));
    t.is(status, 400, header);
    t.regex(body, /^farjit-first-frame: .* base64url of 1 to 1024 bytes\n$/);
  }
  t.is(await statusOfTwice(url, good), 400);
  t.is(server.sessions.size, 0);
  t.deepEqual(new Set(events), new Set(['session-refused']));
});

/** The status of an upgrade with the header on two lines. */
async function statusOfTwice(url: string, header: string): Promise<number | undefined> {
  const asked: ClientRequest = request(url.replace('ws:', 'http:'), {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      authorization: 'Bearer right',
      [FIRST_FRAME_HEADER]: [header, header],
    },
  });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

test('who is refused has nothing started for him, whatever the upgrade brings', async (t) => {
  const tokens = [{ name: 'a', sha256: hashToken('right'), quotas: { sessions: 1 } }];
  const { server, events, url } = await start(t, {
    credentials: { tokens, certificates: [] },
    maxSessions: 2,
  });
  const header = formatFirstFrame(OPENING) ?? '';
  t.is((await refusalOf(url, { headers: { [FIRST_FRAME_HEADER]: header } })).status, 401);
  t.is((await refusalOf(url, bringing(header, { authorization: 'Bearer wrong' }))).status, 401);
  t.is((await refusalOf(url, bringing(header, { origin: 'http://example.com' }))).status, 403);
  // No word of what is wrong with it to those who are not known.
  t.is((await refusalOf(url, bringing('*', { authorization: 'Bearer wrong' }))).status, 401);
  t.deepEqual(new Set(events), new Set(['session-refused']));
  const { transport } = await bring(t, url, OPENING);
  await openOver(t, transport);
  t.like(await refusalOf(url, bringing(header)), {
    status: 429,
    body: 'the quota sessions=1 of token a is used up\n',
  });
  t.is(server.sessions.size, 1);
  t.is(events.filter((type) => type === 'runner-started').length, 1);
});

test('an executor that is full, or drains, refuses as ever', async (t) => {
  const { server, url } = await start(t, { maxSessions: 1 });
  await openOver(t, (await bring(t, url, OPENING)).transport);
  const header = formatFirstFrame(OPENING);
  t.is((await refusalOf(url, bringing(header))).status, 503);
  void server.drain({ timeoutMs: 0 });
  t.like(await refusalOf(url, bringing(header)), {
    status: 503,
    body: 'this executor is draining: use another\n',
  });
});

test('a resume that brings a first frame is refused, and leaves the session', async (t) => {
  const { server, url } = await start(t);
  const { transport, headers } = await bring(t, url, OPENING);
  const compiler = await openOver(t, transport);
  const resuming = {
    [RESUMPTION_HEADERS.session]: String(headers[RESUMPTION_HEADERS.session]),
    [RESUMPTION_HEADERS.secret]: String(headers[RESUMPTION_HEADERS.secret]),
    [RESUMPTION_HEADERS.received]: '1',
  };
  t.is((await refusalOf(url, bringing(formatFirstFrame(OPENING), resuming))).status, 400);
  t.is(server.sessions.size, 1);
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0x4000_0000_0000_0000n))), 2);
});

test('a frame that is none closes the connection, and a request that is not openSession is refused, as over the WebSocket', async (t) => {
  const { server, url } = await start(t);
  const { transport: bad } = await bring(t, url, Buffer.from('nothing'));
  const closed = await new Promise((onClose) => bad.start({ onMessage() {}, onClose }));
  t.like(closed, { code: 1002 });
  const { transport } = await bring(t, url, encodeFirstRequest(session.terminateSession, {}));
  const connection = new Connection(transport);
  const asked = connection.request(session.terminateSession, {});
  connection.start();
  await t.throwsAsync(asked, { code: 'METHOD_NOT_ALLOWED' });
  // It can still be opened.
  t.is((await openOver(t, transport, connection)).opened.version, 2);
  await until(() => server.sessions.size === 1);
});

for (const [what, params, code] of [
  ['a version that it does not speak', { ...OPEN, versions: [1, 1] }, 'VERSION_MISMATCH'],
  [
    'a library that there is not',
    { ...OPEN, runner: { stubCount: 1, libraries: ['none'] } },
    'INVALID_PARAMS',
  ],
] as const)
  test(`${what} is answered with the error that it is answered with over the WebSocket`, async (t) => {
    const { url } = await start(t);
    const opening = params as unknown as ParamsOf<typeof session.openSession>;
    const { transport } = await bring(t, url, encodeFirstRequest(session.openSession, opening));
    const connection = new Connection(transport);
    t.teardown(() => connection.close());
    const asked = connection.request(session.openSession, opening);
    connection.start();
    await t.throwsAsync(asked, { code });
  });

test('who is gone before he has shown that he has the answer is not waited for long, and all is given back', async (t) => {
  const { server, events, url } = await start(t, { heartbeatMs: 50 });
  for (let round = 0; round < 3; round++) {
    const asked = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...bringing(formatFirstFrame(OPENING)) });
    asked.on('error', () => {});
    const [response] = (await once(asked, 'upgrade')) as [IncomingMessage];
    (response.socket as Socket).destroy();
    await until(() => server.sessions.size === 0 && server.stateNow().runnersWarm === 1);
  }
  const count = (type: ExecutorEvent['type']) => events.filter((candidate) => candidate === type).length;
  t.deepEqual([count('runner-started'), count('runner-ended')], [3, 3]);
});

test('who has acknowledged the answer is waited for, as long as he has been told', async (t) => {
  const { server, events, url } = await start(t, { heartbeatMs: 50 });
  const { socket, transport, headers } = await bring(t, url, OPENING);
  const compiler = await openOver(t, transport);
  t.is(compiler.opened.timeToLiveMs, 30_000);
  const [opened] = server.sessions;
  t.is(opened?.connection.link.timeToLiveMs, 100);
  compiler.connection.link.acknowledge();
  await until(() => opened?.connection.link.timeToLiveMs === 30_000);
  socket.terminate();
  await until(() => events.includes('session-lost'));
  await sleep(300);
  t.is(server.sessions.size, 1);
  const secret = String(headers[RESUMPTION_HEADERS.secret]);
  const again = new WebSocket(url, {
    ...WEBSOCKET_OPTIONS,
    headers: {
      ...bearer('right').headers,
      [RESUMPTION_HEADERS.session]: compiler.opened.session,
      [RESUMPTION_HEADERS.secret]: secret,
      [RESUMPTION_HEADERS.received]: '1',
    },
  });
  t.teardown(() => again.terminate());
  const [response] = await once(again, 'upgrade');
  t.is(response.headers[RESUMPTION_HEADERS.received], '1');
});
