import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { joinWebSocket, RESUMPTION_HEADERS, WEBSOCKET_OPTIONS, WebSocketTransport } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { Accounts } from '../src/accounts.js';
import { Authenticator } from '../src/authentication.js';
import { createHostResources } from '../src/host-resources.js';
import { hashToken, type RefusedUpgrade, Server, type ServerOptions } from '../src/index.js';
import { loneToken } from '../src/tokens.js';
import { Upgrades } from '../src/upgrades.js';
import { storeConstant } from './machine-code.js';
import { callDouble, load, openOver, until } from './session-fixture.js';
import { bearer, connectTo, refusalOf } from './upgrade.js';

async function start(t: ExecutionContext, options: ServerOptions = {}) {
  const refused: RefusedUpgrade[] = [];
  const server = new Server({ credentials: 'right', ...options, onRefused: (one) => refused.push(one) });
  t.teardown(() => server.close());
  return { server, refused, url: await server.listen('ws://127.0.0.1:0') };
}

/** An open session, and what it can be resumed with. */
async function open(t: ExecutionContext, url: string) {
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...bearer('right') });
  socket.on('error', () => {});
  const [[{ headers }]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  const compiler = await openOver(t, new WebSocketTransport(socket));
  return { socket, compiler, ...resumptionOf(headers) };
}

function resumptionOf(headers: Record<string, unknown>) {
  const id = String(headers[RESUMPTION_HEADERS.session]);
  const secret = String(headers[RESUMPTION_HEADERS.secret]);
  const resuming = (received: string | undefined, more: { id?: string; secret?: string } = {}) => ({
    headers: {
      ...bearer('right').headers,
      [RESUMPTION_HEADERS.session]: more.id ?? id,
      [RESUMPTION_HEADERS.secret]: more.secret ?? secret,
      ...(received === undefined ? {} : { [RESUMPTION_HEADERS.received]: received }),
    },
  });
  return { id, secret, resuming };
}

test('each reason not to resume is told by its status and words, and leaves the session', async (t) => {
  const { server, refused, url } = await start(t);
  const { compiler, secret, resuming } = await open(t, url);
  for (const [options, status, words] of [
    [resuming('1', { id: 'another' }), 410, 'the session has ended, or its time to live has passed'],
    [resuming('1', { secret: `${secret}x` }), 403, 'the secret is wrong, or has been used'],
    [resuming('1', { secret: '' }), 403, 'the secret is wrong, or has been used'],
    // It has sent one frame, the answer.
    [resuming('2'), 410, 'the session cannot go on from there'],
    [resuming(undefined), 410, 'the session cannot go on from there'],
    [resuming('one'), 410, 'the session cannot go on from there'],
    [resuming('-1'), 410, 'the session cannot go on from there'],
  ] as const)
    t.like(await refusalOf(url, options), { status, body: `resume: ${words}\n` }, words);
  t.deepEqual(new Set(refused.map(({ reason }) => reason)), new Set(['resume']));
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0x4000_0000_0000_0000n))), 2);
  t.is(server.sessions.size, 1);
});

test('a session that is resumed says how much it has received, and hands out another secret', async (t) => {
  const { server, url } = await start(t);
  const { socket, resuming, secret, id } = await open(t, url);
  const [session] = server.sessions;
  socket.terminate();
  await until(() => session?.connection.link.isBroken === true);
  const again = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...resuming('1') });
  t.teardown(() => again.terminate());
  const [[{ headers }]] = await Promise.all([once(again, 'upgrade'), once(again, 'open')]);
  t.is(headers[RESUMPTION_HEADERS.session], id);
  t.is(headers[RESUMPTION_HEADERS.received], String(session?.connection.link.receivedCount));
  t.not(headers[RESUMPTION_HEADERS.secret], secret);
  t.is(server.sessions.size, 1);
  // The one before is good until something comes over the new connection.
  const third = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...resuming('1') });
  t.teardown(() => third.terminate());
  await once(third, 'open');
});

test('a guess at a secret is a guess: who goes on guessing is turned away', async (t) => {
  const { refused, url } = await start(t);
  const { resuming } = await open(t, url);
  await until(async () => {
    const guesses = Array.from({ length: 25 }, (_, i) => refusalOf(url, resuming('1', { secret: `${i}` })));
    return (await Promise.all(guesses)).some(({ status }) => status === 429);
  });
  t.true(refused.some(({ reason }) => reason === 'rate-limit'));
});

test('to ask for a session that has ended is no guess', async (t) => {
  const { url } = await start(t);
  const { resuming } = await open(t, url);
  const asked = Array.from({ length: 40 }, () => refusalOf(url, resuming('1', { id: 'gone' })));
  t.deepEqual(new Set((await Promise.all(asked)).map(({ status }) => status)), new Set([410]));
});

test('so many sessions of one identity, and of the host, and none while it drains', async (t) => {
  const tokens = ['a', 'b', 'c'].map((name) => ({
    name,
    sha256: hashToken(name),
    quotas: name === 'a' ? { sessions: 1 } : {},
  }));
  const { server, refused, url } = await start(t, {
    credentials: { tokens, certificates: [] },
    maxSessions: 2,
  });
  const first = await openOver(t, await connectTo(url, bearer('a')));
  const quota = await refusalOf(url, bearer('a'));
  t.like(quota, { status: 429, body: 'the quota sessions=1 of token a is used up\n' });
  t.is(quota.headers['farjit-quota'], 'sessions=1');
  await openOver(t, await connectTo(url, bearer('b')));
  const full = await refusalOf(url, bearer('c'));
  t.like(full, {
    status: 503,
    body: 'this executor has 2 sessions, as many as it may have (--max-sessions)\n',
  });
  t.is(full.headers['retry-after'], undefined);
  first.connection.close();
  await until(() => server.sessions.size === 1);
  await openOver(t, await connectTo(url, bearer('a')));
  void server.drain({ timeoutMs: 0 });
  const draining = await refusalOf(url, bearer('c'));
  t.like(draining, { status: 503, body: 'this executor is draining: use another\n' });
  t.is(draining.headers['retry-after'], '5');
  t.deepEqual(
    refused.map(({ status, reason }) => `${status} ${reason}`),
    ['429 quota', '503 full', '503 draining'],
  );
});

test('a session that nobody has opened is not resumed, and goes with its connection', async (t) => {
  const { server, url } = await start(t);
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...bearer('right') });
  const [[{ headers }]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  const { resuming } = resumptionOf(headers);
  t.like(await refusalOf(url, resuming('0')), { status: 410 });
  socket.terminate();
  await until(() => server.sessions.size === 0);
});

/** A WebSocket that upgrades wait for, and the other end of its socket, which reads nothing until it is resumed. */
async function keepOne(t: ExecutionContext) {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.teardown(() => listener.close());
  const peerSocket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(listener, 'connection')) as [Socket];
  const webSocket = joinWebSocket(socket, 'server');
  const peer = joinWebSocket(peerSocket, 'client');
  peer.pause();
  t.teardown(() => {
    webSocket.terminate();
    peer.terminate();
  });
  const upgrades = new Upgrades({
    host: createHostResources(),
    options: {},
    authenticator: new Authenticator(loneToken('right')),
    accounts: new Accounts(),
    sessions: new Set(),
    maxSessions: 1,
    phase: () => 'closing',
    add: () => t.fail('nobody asks for a session'),
  });
  upgrades.keep(webSocket);
  webSocket.close(1001);
  return { upgrades, webSocket, peer };
}

test('the end waits for WebSockets that are open, until the peer has answered the closing handshake', async (t) => {
  const { upgrades, webSocket, peer } = await keepOne(t);
  let isOver = false;
  const over = upgrades.whenClosed(60_000).then(() => {
    isOver = true;
  });
  for (let round = 0; round < 20; round++) await new Promise(setImmediate);
  t.false(isOver);
  t.is(webSocket.readyState, webSocket.CLOSING);
  const codes = Promise.all([once(webSocket, 'close'), once(peer, 'close')]);
  peer.resume();
  await over;
  t.is(webSocket.readyState, webSocket.CLOSED);
  t.deepEqual(
    (await codes).map(([code]) => code),
    [1001, 1001],
  );
});

test('the end does not wait for a peer who never answers the closing handshake', async (t) => {
  const { upgrades, webSocket } = await keepOne(t);
  const cut = once(webSocket, 'close');
  // By itself, ws gives up a peer after 30 seconds.
  const tooLong = new AbortController();
  const isOver = await Promise.race([
    upgrades.whenClosed().then(() => true),
    delay(10_000, false, { signal: tooLong.signal }),
  ]);
  tooLong.abort();
  t.true(isOver);
  t.is(webSocket.readyState, webSocket.CLOSED);
  t.is((await cut)[0], 1006);
});
