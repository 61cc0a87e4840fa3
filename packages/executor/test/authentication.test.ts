import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { connect as connectTcp, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  MAX_REFUSED_HANDSHAKES,
  RESUMPTION_HEADERS,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { Authenticator } from '../src/authentication.js';
import {
  type Credentials,
  hashToken,
  type RefusedUpgrade,
  readTlsFiles,
  Server,
  type ServerOptions,
} from '../src/index.js';
import { parseListenAddress } from '../src/listen-address.js';
import { pemOf, TestCA } from './certificates.js';
import { openOver, until } from './session-fixture.js';
import { bearer, connectTo, refusalOf, type UpgradeRefusal } from './upgrade.js';

function startServer(t: ExecutionContext, options: ServerOptions) {
  const refused: RefusedUpgrade[] = [];
  const server = new Server({ ...options, onRefused: (event) => refused.push(event) });
  t.teardown(() => server.close());
  return { server, refused };
}

function token(name: string, text: string, more: { expiresMs?: number } = {}) {
  return { name, sha256: hashToken(text), quotas: {}, ...more };
}

function tokens(...entries: Credentials['tokens']): Credentials {
  return { tokens: entries, certificates: [] };
}

async function identityOf(
  t: ExecutionContext,
  server: Server,
  ...[url, options]: Parameters<typeof connectTo>
) {
  const before = new Set(server.sessions);
  const { connection } = await openOver(t, await connectTo(url, options));
  const [session] = [...server.sessions].filter((session) => !before.has(session));
  connection.close();
  await session?.ended;
  return session?.identity;
}

test('each of several tokens is let in, by its name', async (t) => {
  const { server, refused } = startServer(t, {
    credentials: tokens(token('a', 'first'), token('b', 'second'), token('a', 'third')),
  });
  const url = await server.listen('ws://127.0.0.1:0');
  for (const [text, name] of [
    ['first', 'a'],
    ['second', 'b'],
    ['third', 'a'],
  ] as const)
    t.deepEqual(await identityOf(t, server, url, bearer(text)), { kind: 'token', name, quotas: {} });
  t.deepEqual(refused, []);
});

test('no token, a wrong one and an expired one are told apart, and counted', async (t) => {
  const { server, refused } = startServer(t, {
    credentials: tokens(
      token('old', 'expired', { expiresMs: Date.now() - 1 }),
      token('new', 'good', { expiresMs: Date.now() + 3_600_000 }),
    ),
  });
  const url = await server.listen('ws://127.0.0.1:0');
  t.like(await refusalOf(url), { status: 401, body: 'a token is needed, and none came\n' });
  t.like(await refusalOf(url, bearer('guess')), {
    status: 401,
    body: 'this executor does not know the token\n',
  });
  const expired = await refusalOf(url, bearer('expired'));
  t.like(expired, { status: 401, body: 'the token old has expired\n' });
  t.is(expired.headers['www-authenticate'], 'Bearer');
  t.is((await identityOf(t, server, url, bearer('good')))?.name, 'new');
  t.deepEqual(
    refused.map(({ status, reason }) => [status, reason]),
    [
      [401, 'no-credentials'],
      [401, 'wrong-token'],
      [401, 'expired'],
    ],
  );
  t.deepEqual(new Set(refused.map(({ remoteAddress }) => remoteAddress)), new Set(['127.0.0.1']));
});

test('tokens are replaced while the server runs, and who is in stays', async (t) => {
  const { server } = startServer(t, { credentials: tokens(token('a', 'first')) });
  const url = await server.listen('ws://127.0.0.1:0');
  const compiler = await openOver(t, await connectTo(url, bearer('first')));
  await server.reload({ credentials: tokens(token('a', 'first'), token('a', 'second')) });
  t.is((await identityOf(t, server, url, bearer('first')))?.name, 'a');
  await server.reload({ credentials: tokens(token('a', 'second')) });
  t.is((await refusalOf(url, bearer('first'))).status, 401);
  t.is((await identityOf(t, server, url, bearer('second')))?.name, 'a');
  t.false(compiler.connection.isClosed);
});

test('an address that guesses is turned away, others are not', async (t) => {
  const { server, refused } = startServer(t, { credentials: 'weak' });
  const url = await server.listen('ws://127.0.0.1:0');
  const from = (localAddress: string, text: string) => ({ ...bearer(text), localAddress });
  const turnedAway: UpgradeRefusal[] = [];
  // A slow machine may take more than a second for the round.
  await until(async () => {
    const guesses = Array.from({ length: MAX_REFUSED_HANDSHAKES + 1 }, (_, i) =>
      refusalOf(url, from('127.0.0.2', `guess ${i}`)),
    );
    turnedAway.push(...(await Promise.all(guesses)).filter(({ status }) => status === 429));
    return turnedAway.length > 0;
  });
  t.is(turnedAway[0]?.headers['retry-after'], '1');
  t.is(turnedAway[0]?.body, 'too many were refused from this address: try again in a second\n');
  t.deepEqual(
    new Set(refused.map(({ status, reason }) => `${status} ${reason}`)),
    new Set(['401 wrong-token', '429 rate-limit']),
  );
  t.is((await identityOf(t, server, url, from('127.0.0.3', 'weak')))?.name, 'default');
  await until(async () => {
    const transport = await connectTo(url, from('127.0.0.2', 'weak')).catch(() => undefined);
    transport?.close(1000, '');
    return transport !== undefined;
  });
});

test('a client certificate is an identity; none, one of another CA and one without a name are refused', async (t) => {
  const ca = new TestCA(t);
  const tls = readTlsFiles({ ...ca.server(), clientCA: ca.files.cert });
  const { server, refused } = startServer(t, { tls });
  const url = await server.listen('wss://127.0.0.1:0');
  t.regex(url, /^wss:\/\/127\.0\.0\.1:\d+$/);
  const trust = { ca: pemOf(ca.files).cert };
  t.deepEqual(await identityOf(t, server, url, { ...trust, ...pemOf(ca.client('/CN=build farm')) }), {
    kind: 'certificate',
    name: 'build farm',
    quotas: {},
  });
  t.like(await refusalOf(url, trust), {
    status: 401,
    body: 'a token is needed or a client certificate, and none came\n',
  });
  const stranger = await refusalOf(url, { ...trust, ...pemOf(new TestCA(t).client('/CN=build farm')) });
  t.is(stranger.status, 403);
  t.regex(stranger.body, /^the client certificate is not accepted \([A-Z_]+\): it must be signed by/);
  for (const subject of ['/O=nobody', '/CN=one/CN=two', '/CN=\x1b[1m'])
    t.like(await refusalOf(url, { ...trust, ...pemOf(ca.client(subject)) }), {
      status: 403,
      body: 'the client certificate has no common name (CN) of printable characters, or several\n',
    });
  t.deepEqual(
    refused.map(({ status, reason }) => `${status} ${reason}`),
    ['401 no-credentials', ...Array(4).fill('403 wrong-certificate')],
  );
});

test('the token file limits a client certificate by its name, and ends it', async (t) => {
  const ca = new TestCA(t);
  const tls = readTlsFiles({ ...ca.server(), clientCA: ca.files.cert });
  const certificates = [
    { name: 'limited', quotas: { calls: 3 } },
    { name: 'ended', quotas: {}, expiresMs: Date.now() - 1 },
  ];
  const { server } = startServer(t, { tls, credentials: { tokens: [token('t', 'text')], certificates } });
  const url = await server.listen('wss://127.0.0.1:0');
  const trust = { ca: pemOf(ca.files).cert };
  const limited = { ...trust, ...pemOf(ca.client('/CN=limited')) };
  t.deepEqual((await identityOf(t, server, url, limited))?.quotas, { calls: 3 });
  t.like(await refusalOf(url, { ...trust, ...pemOf(ca.client('/CN=ended')) }), {
    status: 403,
    body: "the client certificate 'ended' is not accepted any more\n",
  });
  // A token says more than a certificate, and is not forgiven for it.
  t.is((await identityOf(t, server, url, { ...limited, ...bearer('text') }))?.kind, 'token');
  t.is((await refusalOf(url, { ...limited, ...bearer('wrong') })).status, 401);
});

test('a name has an entry that has expired and one that has not, as while a certificate is replaced', async (t) => {
  const ca = new TestCA(t);
  const tls = readTlsFiles({ ...ca.server(), clientCA: ca.files.cert });
  const [past, future] = [Date.now() - 1, Date.now() + 3_600_000];
  const certificates = [
    { name: 'rolled', quotas: {}, expiresMs: past },
    { name: 'rolled', quotas: { calls: 2 }, expiresMs: future },
    { name: 'over', quotas: {}, expiresMs: past },
    { name: 'over', quotas: {}, expiresMs: past },
  ];
  const { server } = startServer(t, { tls, credentials: { tokens: [token('t', 'text')], certificates } });
  const url = await server.listen('wss://127.0.0.1:0');
  const by = (name: string) => ({ ca: pemOf(ca.files).cert, ...pemOf(ca.client(`/CN=${name}`)) });
  t.deepEqual((await identityOf(t, server, url, by('rolled')))?.quotas, { calls: 2 });
  t.is((await refusalOf(url, by('over'))).status, 403);
});

test('an entry has expired from its moment on, and not before', async (t) => {
  const expiresMs = 1_000_000;
  let nowMs = expiresMs - 1;
  const authenticator = new Authenticator(tokens(token('t', 'text', { expiresMs })), () => nowMs);
  const request = new IncomingMessage(new Socket());
  request.headers.authorization = 'Bearer text';
  const via = {
    address: parseListenAddress('ws://127.0.0.1:0'),
    hasClientCA: false,
    remoteAddress: '192.0.2.1',
  };
  t.like(authenticator.authenticate(request, via), { kind: 'token', name: 't' });
  nowMs = expiresMs;
  t.like(authenticator.authenticate(request, via), { status: 401, reason: 'expired' });
});

test('certificates are replaced while the server runs', async (t) => {
  const [first, second] = [new TestCA(t), new TestCA(t)];
  const { server } = startServer(t, { credentials: 'x', tls: readTlsFiles(first.server()) });
  const url = await server.listen('wss://127.0.0.1:0');
  const by = (ca: TestCA) => ({ ...bearer('x'), ca: pemOf(ca.files).cert });
  const compiler = await openOver(t, await connectTo(url, by(first)));
  await t.throwsAsync(connectTo(url, by(second)), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  await server.reload({ tls: readTlsFiles(second.server()) });
  t.is((await identityOf(t, server, url, by(second)))?.name, 'default');
  await t.throwsAsync(connectTo(url, by(first)), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  t.false(compiler.connection.isClosed);
});

test('TLS before 1.2 is not spoken', async (t) => {
  const ca = new TestCA(t);
  const { server } = startServer(t, { credentials: 'x', tls: readTlsFiles(ca.server()) });
  const url = await server.listen('wss://127.0.0.1:0');
  const trust = { ...bearer('x'), ca: pemOf(ca.files).cert };
  await t.throwsAsync(connectTo(url, { ...trust, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }));
  t.is((await identityOf(t, server, url, { ...trust, maxVersion: 'TLSv1.2' }))?.name, 'default');
});

test('what other machines can reach is not listened on without TLS and authentication', async (t) => {
  const ca = new TestCA(t);
  const warnings: string[] = [];
  const tls = readTlsFiles(ca.server());
  const { server } = startServer(t, { tls });
  await t.throwsAsync(server.listen('wss://0.0.0.0:0'), { message: /without tokens or a client CA/ });
  await t.throwsAsync(startServer(t, { credentials: 'x' }).server.listen('ws://0.0.0.0:0'), {
    message: /without TLS/,
  });
  const onWarning = (words: string) => void warnings.push(words);
  const { server: careless } = startServer(t, { tls, allowInsecureListen: true, onWarning });
  // An address of this machine that is not loopback would be reached by others: nothing is listened on in a test.
  await t.throwsAsync(careless.listen('ws://203.0.113.1:0'), {
    code: 'LISTEN_FAILED',
    message: /EADDRNOTAVAIL/,
  });
  t.deepEqual(warnings.length, 1);
  t.regex(warnings[0] ?? '', /without TLS and without tokens/);
});

test('a session is resumed by its own identity and no other, whoever has its secret', async (t) => {
  const { server, refused } = startServer(t, {
    credentials: tokens(token('a', 'first'), token('a', 'second'), token('b', 'other')),
  });
  const url = await server.listen('ws://127.0.0.1:0');
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...bearer('first') });
  const [[{ headers }]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  await openOver(t, new WebSocketTransport(socket));
  const resuming = (text: string) => ({
    headers: {
      ...bearer(text).headers,
      [RESUMPTION_HEADERS.session]: headers[RESUMPTION_HEADERS.session],
      [RESUMPTION_HEADERS.secret]: headers[RESUMPTION_HEADERS.secret],
      [RESUMPTION_HEADERS.received]: '1',
    },
  });
  t.like(await refusalOf(url, resuming('other')), {
    status: 403,
    body: 'resume: the session is not one of token b\n',
  });
  t.deepEqual(
    refused.map(({ status, reason }) => `${status} ${reason}`),
    ['403 resume'],
  );
  // The token has been replaced meanwhile, and the identity is the same.
  const resumed = await connectTo(url, resuming('second'));
  t.is(server.sessions.size, 1);
  resumed.close(1000, '');
});

test('a peer that does not say what it wants is cut, before and after its TLS handshake', async (t) => {
  const ca = new TestCA(t);
  const { server } = startServer(t, {
    credentials: 'x',
    tls: readTlsFiles(ca.server()),
    strangerTimeoutMs: 5000,
  });
  const [plain, secure] = await Promise.all(
    ['ws://127.0.0.1:0', 'wss://127.0.0.1:0'].map((url) => server.listen(url)),
  );
  const port = (url = '') => ({ host: '127.0.0.1', port: Number(new URL(url).port) });
  const half = connectTcp(port(plain));
  half.write('GET / HTTP/1.1\r\nUpgrade: websocket\r\n');
  const silent = connectTcp(port(secure));
  const shaken = connectTls({ ...port(secure), ca: pemOf(ca.files).cert });
  await once(shaken, 'secureConnect');
  const peers = [half, silent, shaken];
  for (const peer of peers) peer.resume().on('error', () => {});
  await Promise.all(peers.map((peer) => once(peer, 'close')));
  t.is(server.sessions.size, 0);
});
