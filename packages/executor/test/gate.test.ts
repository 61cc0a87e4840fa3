import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { MAX_UNOPENED_FRAME_BYTES, WebSocketTransport } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { MAX_REQUEST_BYTES } from '../src/gate.js';
import { type RefusedUpgrade, readTlsFiles, Server, type ServerOptions } from '../src/index.js';
import { MAX_STRANGERS_PER_SECOND } from '../src/strangers.js';
import { pemOf, TestCA } from './certificates.js';
import { proxyHeaderV2 } from './proxy-header.js';
import { openOver, until } from './session-fixture.js';
import { bearer, connectTo, upgrade } from './upgrade.js';

const TOKEN = 'right';
const PROBE = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

interface Started {
  readonly server: Server;
  readonly url: string;
  readonly at: TcpNetConnectOpts;
  readonly refused: RefusedUpgrade[];
}

async function start(t: ExecutionContext, listen: string, options: ServerOptions = {}): Promise<Started> {
  const refused: RefusedUpgrade[] = [];
  const server = new Server({
    credentials: TOKEN,
    // On a machine that is so busy, nobody here is cut for being slow.
    strangerTimeoutMs: 100_000,
    ...options,
    onRefused: (event) => refused.push(event),
  });
  t.teardown(() => server.close());
  const url = await server.listen(listen);
  return { server, url, at: { host: '127.0.0.1', port: Number(new URL(url).port) }, refused };
}

/** A peer that writes, and what it gets until it is cut. */
class Peer {
  readonly socket: Socket;
  got = '';
  readonly closed: Promise<string>;

  constructor(t: ExecutionContext, socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.got += chunk.toString('latin1');
    });
    this.closed = new Promise((resolve) => socket.once('close', () => resolve(this.got)));
    t.teardown(() => socket.destroy());
  }

  get answers(): number {
    return this.got.match(/^HTTP\/1\.1/gm)?.length ?? 0;
  }
}

/** The ways to connect: what strangers may do is the same with TLS and without. */
for (const scheme of ['ws', 'wss'] as const) {
  const open = async (t: ExecutionContext, options: ServerOptions = {}) => {
    const ca = new TestCA(t);
    const tls = scheme === 'wss' ? { tls: readTlsFiles(ca.server()) } : {};
    const started = await start(t, `${scheme}://127.0.0.1:0`, { ...tls, ...options });
    const trust = { ca: pemOf(ca.files).cert };
    const peer = async () => {
      const socket = scheme === 'ws' ? connect(started.at) : connectTls({ ...started.at, ...trust } as never);
      const opened = new Peer(t, socket);
      await once(socket, scheme === 'ws' ? 'connect' : 'secureConnect');
      return opened;
    };
    const known = () => upgrade(started.url, { ...bearer(TOKEN), ...trust });
    return { ...started, peer, known };
  };

  test.serial(`${scheme}: a probe is answered once, and its connection closed`, async (t) => {
    const { peer } = await open(t);
    const one = await peer();
    one.socket.write(PROBE);
    const got = await one.closed;
    t.regex(got, /^HTTP\/1\.1 200 OK\r\n/);
    t.regex(got, /^connection: close\r$/im);
    t.is(one.answers, 1);
  });

  test.serial(`${scheme}: a request in pieces is one`, async (t) => {
    const { peer } = await open(t);
    const one = await peer();
    one.socket.setNoDelay(true);
    for (let at = 0; at < PROBE.length; at += 7) {
      one.socket.write(PROBE.slice(at, at + 7));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    t.regex(await one.closed, /^HTTP\/1\.1 200 OK\r\n/);
  });

  test.serial(`${scheme}: requests behind each other are refused, none of them looked at`, async (t) => {
    const { peer, refused } = await open(t);
    const one = await peer();
    one.socket.write(PROBE.repeat(1000));
    t.regex(await one.closed, /^HTTP\/1\.1 400 /);
    t.is(one.answers, 1);
    t.deepEqual(
      refused.map(({ status, reason, remoteAddress }) => [status, reason, remoteAddress]),
      [[undefined, 'bad-request', '127.0.0.1']],
    );
  });

  test.serial(`${scheme}: requests that come one after the other get one answer`, async (t) => {
    const { peer } = await open(t);
    const one = await peer();
    const more = setInterval(() => one.socket.writable && one.socket.write(PROBE), 0);
    t.teardown(() => clearInterval(more));
    await one.closed;
    t.true(one.answers <= 1, one.got);
  });

  test.serial(`${scheme}: headers without end are cut off`, async (t) => {
    const { peer, refused } = await open(t);
    const one = await peer();
    one.socket.write('GET / HTTP/1.1\r\n');
    let sentBytes = 0;
    const more = setInterval(() => {
      if (!one.socket.writable) return;
      one.socket.write(`X-${sentBytes}: ${'x'.repeat(500)}\r\n`);
      sentBytes += 500;
    }, 1);
    t.teardown(() => clearInterval(more));
    t.regex(await one.closed, /^(HTTP\/1\.1 400 .*)?$/s);
    t.true(sentBytes >= MAX_REQUEST_BYTES);
    t.is(refused[0]?.reason, 'bad-request');
  });

  test.serial(`${scheme}: a peer that leaves before it has said all is forgotten`, async (t) => {
    const { peer } = await open(t);
    const one = await peer();
    one.socket.end('GET / HT');
    t.is(await one.closed, '');
  });

  test.serial(
    `${scheme}: an address asks so often in a second, and its clients with a token are let in all the same`,
    async (t) => {
      const { peer, known } = await open(t);
      const count = MAX_STRANGERS_PER_SECOND + 20;
      const startMs = performance.now();
      const peers = await Promise.all(Array.from({ length: count }, () => peer()));
      for (const { socket } of peers) socket.write(PROBE);
      await Promise.all(peers.map(({ closed }) => closed));
      t.true(performance.now() - startMs > 900);
      t.deepEqual(new Set(peers.map(({ answers }) => answers)), new Set([1]));
      for (let i = 0; i < 3; i++) {
        const answer = await known();
        t.true(answer instanceof WebSocket);
        if (answer instanceof WebSocket) answer.terminate();
      }
    },
  );

  for (const state of ['unopened', 'open'] as const)
    test.serial(
      `${scheme}: fragments without end, when a session is ${state}, ${state === 'open' ? 'may be a large message' : 'are cut off'}`,
      async (t) => {
        const { server, known } = await open(t);
        const socket = await known();
        if (!(socket instanceof WebSocket)) return t.fail();
        t.teardown(() => socket.terminate());
        socket.on('error', () => {});
        if (state === 'open') await openOver(t, new WebSocketTransport(socket));
        let sentBytes = 0;
        const piece = Buffer.alloc(16 * 1024);
        const most = 16 * MAX_UNOPENED_FRAME_BYTES;
        while (socket.readyState === socket.OPEN && sentBytes < most) {
          socket.send(piece, { fin: false });
          socket.pong();
          sentBytes += piece.length;
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        if (state === 'open') return t.is(server.sessions.size, 1);
        await until(() => socket.readyState === socket.CLOSED);
        await until(() => server.sessions.size === 0);
        t.true(sentBytes < most, `${sentBytes}`);
      },
    );
}

test.serial('nothing is started for who asks how the host is', async (t) => {
  const { server, at } = await start(t, 'ws://127.0.0.1:0');
  let started = 0;
  const tryRunner = server.tryRunner.bind(server);
  server.tryRunner = () => {
    started++;
    return tryRunner();
  };
  const ask = async () => {
    const peer = new Peer(t, connect(at));
    peer.socket.write(PROBE);
    return peer.closed;
  };
  t.regex(await ask(), /200 OK/);
  for (let i = 0; i < 20; i++) await ask();
  t.is(started, 0);
});

test.serial('a Unix socket has no strangers: as many come as like to', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-gate-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const server = new Server();
  t.teardown(() => server.close());
  await server.listen(`ws+unix:${folder}/s`);
  const peers = Array.from(
    { length: 2 * MAX_STRANGERS_PER_SECOND },
    () => new Peer(t, connect(`${folder}/s`)),
  );
  for (const { socket } of peers) socket.write(PROBE);
  for (const { closed } of peers) t.regex(await closed, /200 OK/);
});

/** One who connects through a proxy, which is this machine. */
async function asked(t: ExecutionContext, at: TcpNetConnectOpts, header: Buffer | string, token = 'wrong') {
  const peer = new Peer(t, connect(at));
  peer.socket.write(header);
  peer.socket.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  );
  const status = await Promise.race([
    peer.closed.then(() => peer.got),
    until(() => peer.got.includes('\r\n\r\n')).then(() => peer.got),
  ]);
  return Number(/^HTTP\/1\.1 (\d+)/.exec(status)?.[1]);
}

test.serial('behind a proxy that is named, an address is the one that it tells', async (t) => {
  const { at, refused } = await start(t, 'ws://127.0.0.1:0', { proxyProtocol: ['127.0.0.0/8'] });
  t.is(await asked(t, at, proxyHeaderV2('192.0.2.1', 0)), 401);
  t.is(await asked(t, at, 'PROXY TCP6 2001:db8::1 ::1 1 2\r\n'), 401);
  t.is(await asked(t, at, ''), 401);
  t.deepEqual(
    refused.map(({ remoteAddress }) => remoteAddress),
    ['192.0.2.1', '2001:db8::1', '127.0.0.1'],
  );
});

test.serial('one that guesses behind a proxy is turned away, others behind it are not', async (t) => {
  const { at } = await start(t, 'ws://127.0.0.1:0', { proxyProtocol: ['127.0.0.1'] });
  await until(async () => {
    const guesses = Array.from({ length: 30 }, () => asked(t, at, proxyHeaderV2('192.0.2.1', 0)));
    return (await Promise.all(guesses)).includes(429);
  });
  t.is(await asked(t, at, proxyHeaderV2('192.0.2.2', 0), TOKEN), 101);
});

test.serial('behind a proxy that writes IPv4 as IPv6, one that guesses is alone with it, too', async (t) => {
  const { at } = await start(t, 'ws://127.0.0.1:0', { proxyProtocol: ['127.0.0.1'] });
  const wrapped = (last: string) => proxyHeaderV2(`0:0:0:0:0:ffff:c000:${last}`, 0);
  await until(async () => {
    const guesses = Array.from({ length: 30 }, () => asked(t, at, wrapped('201')));
    return (await Promise.all(guesses)).includes(429);
  });
  t.is(await asked(t, at, wrapped('202'), TOKEN), 101);
});

test.serial('a proxy that is not named tells nothing', async (t) => {
  const { at } = await start(t, 'ws://127.0.0.1:0', { proxyProtocol: ['10.0.0.0/8'] });
  const peer = new Peer(t, connect(at));
  peer.socket.write(`PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${PROBE}`);
  t.regex(await peer.closed, /^HTTP\/1\.1 400 /);
});

test.serial('what is no TLS where TLS is spoken is not waited for', async (t) => {
  const tls = readTlsFiles(new TestCA(t).server());
  const { at, refused } = await start(t, 'wss://127.0.0.1:0', { tls });
  const peer = new Peer(t, connect(at));
  peer.socket.write(PROBE);
  await peer.closed;
  t.false(refused.some(({ reason }) => reason === 'slow'));
});

test.serial('a header that is none is refused', async (t) => {
  const { at, refused } = await start(t, 'ws://127.0.0.1:0', { proxyProtocol: ['127.0.0.1'] });
  for (const text of ['PROXY TCP4 nonsense\r\n', `PROXY UNKNOWN ${'x'.repeat(200)}`]) {
    const peer = new Peer(t, connect(at));
    peer.socket.write(text + PROBE);
    t.regex(await peer.closed, /^HTTP\/1\.1 400 /);
  }
  t.deepEqual(
    refused.map(({ reason }) => reason),
    ['bad-request', 'bad-request'],
  );
});

test.serial('a proxy may speak TLS behind its header', async (t) => {
  const ca = new TestCA(t);
  const tls = readTlsFiles(ca.server());
  const { at, url, refused } = await start(t, 'wss://127.0.0.1:0', { tls, proxyProtocol: ['127.0.0.1'] });
  const raw = connect(at);
  raw.write(proxyHeaderV2('192.0.2.9', 12));
  const peer = new Peer(t, connectTls({ socket: raw, host: 'localhost', ca: pemOf(ca.files).cert }));
  peer.socket.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  t.regex(await peer.closed, /^HTTP\/1\.1 401 /);
  t.deepEqual(
    refused.map(({ remoteAddress }) => remoteAddress),
    ['192.0.2.9'],
  );
  // Whoever comes without one is let in as himself.
  const transport = await connectTo(url, { ...bearer(TOKEN), ca: pemOf(ca.files).cert });
  transport.close(1000, '');
});

test.serial('a request may be so long without an end, and not a byte longer', async (t) => {
  const { at, refused } = await start(t, 'ws://127.0.0.1:0');
  const start16 = 'GET / HTTP/1.1\r\n';
  const peer = new Peer(t, connect(at));
  peer.socket.write(start16 + 'x'.repeat(MAX_REQUEST_BYTES - start16.length - 1));
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.is(peer.got, '');
  t.deepEqual(refused, []);
  peer.socket.write('x');
  t.regex(await peer.closed, /^HTTP\/1\.1 400 /);
  t.is(refused.length, 1);
});

test.serial('one that comes whole may not have a byte behind it', async (t) => {
  const { at } = await start(t, 'ws://127.0.0.1:0');
  const peer = new Peer(t, connect(at));
  peer.socket.write(`${PROBE}x`);
  t.regex(await peer.closed, /^HTTP\/1\.1 400 /);
});
