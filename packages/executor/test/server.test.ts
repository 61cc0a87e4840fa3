import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  joinWebSocket,
  MAX_REFUSED_HANDSHAKES,
  session,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { type ClientOptions, WebSocket } from 'ws';
import { ListenError, Server, type ServerOptions, SocketInUseError } from '../src/index.js';
import { doubleIt, storeConstant } from './machine-code.js';
import { callDouble, load, openOver, until } from './session-fixture.js';

function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-server-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function startServer(t: ExecutionContext, options: ServerOptions = {}): Server {
  const server = new Server(options);
  t.teardown(() => server.close());
  return server;
}

async function connect(url: string, options: ClientOptions = {}): Promise<WebSocketTransport> {
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...options });
  await once(socket, 'open');
  return new WebSocketTransport(socket);
}

/** The status that an upgrade is refused with; undefined when it was accepted. */
async function refusalOf(url: string, options: ClientOptions = {}): Promise<number | undefined> {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  const status = await Promise.race([
    once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number),
    once(socket, 'open').then(() => undefined),
  ]);
  socket.terminate();
  return status;
}

test('sessions over a Unix socket that only this user may use', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const server = startServer(t);
  const url = await server.listen(`ws+unix:${path}`);
  t.is(url, `ws+unix:${path}`);
  t.is(statSync(path).mode & 0o777, 0o600);
  const compilers = await Promise.all([openOver(t, await connect(url)), openOver(t, await connect(url))]);
  t.is(server.sessions.size, 2);
  t.not(compilers[0].opened.session, compilers[1].opened.session);
  for (const compiler of compilers)
    t.is(await callDouble(compiler, await load(compiler, storeConstant(0x4000_0000_0000_0000n))), 2);
  for (const { connection } of compilers) connection.close();
  await until(() => server.sessions.size === 0);
});

test('closing the server ends sessions and removes its socket', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const server = startServer(t);
  const compiler = await openOver(t, await connect(await server.listen(`ws+unix:${path}`)));
  await server.close();
  const closed = await compiler.connection.closed;
  t.regex(closed.message, /1001: the executor is shutting down/);
  t.throws(() => process.kill(compiler.opened.runner.processId, 0), { code: 'ESRCH' });
  t.false(existsSync(path));
  t.is(server.sessions.size, 0);
});

test('a peer that answers no closing handshake does not hold the server up', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const server = startServer(t);
  const url = await server.listen(`ws+unix:${path}`);
  const socket = new WebSocket(url, WEBSOCKET_OPTIONS);
  await once(socket, 'open');
  socket.pause();
  await until(() => server.sessions.size === 1);
  await t.notThrowsAsync(server.close());
  socket.terminate();
});

test('a peer that answers the closing handshake with nonsense does not keep the server from closing', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const server = startServer(t);
  const url = await server.listen(`ws+unix:${path}`);
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, autoPong: false });
  const stream: Promise<Socket> = once(socket, 'upgrade').then(([response]) => response.socket);
  await once(socket, 'open');
  await until(() => server.sessions.size === 1);
  const raw = await stream;
  raw.removeAllListeners('data');
  raw.on('data', () => raw.write(Buffer.from([0xf2, 0x80, 0, 0, 0, 0])));
  await t.notThrowsAsync(server.close());
  t.false(existsSync(path));
  socket.terminate();
});

test('a socket that is listened on is not taken', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const first = startServer(t);
  const url = await first.listen(`ws+unix:${path}`);
  await t.throwsAsync(startServer(t).listen(url), {
    instanceOf: SocketInUseError,
    message: /another executor/,
  });
  const { opened } = await openOver(t, await connect(url));
  t.is(opened.version, 2);
});

test('a socket that was left behind is replaced', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  // A process that is killed leaves its socket.
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script]), 'exit');
  t.true(existsSync(path));
  const url = await startServer(t).listen(`ws+unix:${path}`);
  t.is((await openOver(t, await connect(url))).opened.version, 2);
});

test('a file that is no socket is left alone', async (t) => {
  const path = join(temporaryDirectory(t), 'precious.txt');
  writeFileSync(path, 'data');
  await t.throwsAsync(startServer(t).listen(`ws+unix:${path}`), { message: /is not a socket/ });
  t.true(existsSync(path));
});

test('loopback needs the token', async (t) => {
  const server = startServer(t, { credentials: 'correct horse' });
  const url = await server.listen('ws://127.0.0.1:0');
  t.regex(url, /^ws:\/\/127\.0\.0\.1:\d+$/);
  t.is(await refusalOf(url), 401);
  for (const authorization of [
    'Bearer correct',
    'Bearer correct horse!',
    'Basic correct horse',
    'correct horse',
  ])
    t.is(await refusalOf(url, { headers: { authorization } }), 401);
  t.is(server.sessions.size, 0);
  const compiler = await openOver(
    t,
    await connect(url, { headers: { authorization: 'Bearer correct horse' } }),
  );
  const entry = await load(compiler, doubleIt());
  t.truthy(entry);
});

test('after so many wrong tokens in a second nobody gets in, and a second later the right one does', async (t) => {
  const server = startServer(t, { credentials: 'weak' });
  const url = await server.listen('ws://127.0.0.1:0');
  const right = { headers: { authorization: 'Bearer weak' } };
  const guesses = () =>
    Promise.all(
      Array.from({ length: MAX_REFUSED_HANDSHAKES }, (_, i) =>
        refusalOf(url, { headers: { authorization: `Bearer ${i}` } }),
      ),
    );
  // A slow machine may take more than a second for the round.
  let turnedAway: number | undefined;
  await until(async () => {
    t.deepEqual(new Set((await guesses()).filter((status) => status !== 429)), new Set([401]));
    const status = await refusalOf(url, right);
    turnedAway = status;
    return status === 429;
  });
  t.is(turnedAway, 429);
  await until(async () => (await refusalOf(url, right)) === undefined);
});

test('a token that was made up is long, and another each time', (t) => {
  const tokens = [new Server().token, new Server().token];
  t.not(tokens[0], tokens[1]);
  t.true(Buffer.from(tokens[0] ?? '', 'base64url').byteLength >= 32);
});

test('web pages are refused, with or without the token', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const server = startServer(t);
  const unix = await server.listen(`ws+unix:${path}`);
  const loopback = await server.listen('ws://127.0.0.1:0');
  const headers = { authorization: `Bearer ${server.token}` };
  t.is(await refusalOf(unix, { origin: 'http://127.0.0.1' }), 403);
  t.is(await refusalOf(loopback, { origin: 'null', headers }), 403);
  t.is(await refusalOf(unix, { headers: { origin: '' } }), 403);
  t.is(server.sessions.size, 0);
});

test('more sessions than allowed are refused', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const server = startServer(t, { maxSessions: 1 });
  const url = await server.listen(`ws+unix:${path}`);
  const { connection } = await openOver(t, await connect(url));
  t.is(await refusalOf(url), 503);
  connection.close();
  await until(() => server.sessions.size === 0);
  t.is((await openOver(t, await connect(url))).opened.version, 2);
});

test('plain HTTP is answered with what this is', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  await startServer(t).listen(`ws+unix:${path}`);
  const request = httpRequest({ socketPath: path, path: '/' });
  request.end();
  const [response] = await once(request, 'response');
  t.is(response.statusCode, 426);
  response.resume();
});

test('frames that are not of the protocol close the connection and end the runner', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const server = startServer(t);
  const url = await server.listen(`ws+unix:${path}`);
  const socket = new WebSocket(url, WEBSOCKET_OPTIONS);
  await once(socket, 'open');
  socket.send(Buffer.from('not a frame'));
  const [code] = await once(socket, 'close');
  t.is(code, 1002);
  await until(() => server.sessions.size === 0);
});

test('an address that is taken is an error with the words of the system', async (t) => {
  const blocker = createServer();
  blocker.listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  t.teardown(() => blocker.close());
  const address = blocker.address() as { port: number };
  await t.throwsAsync(startServer(t).listen(`ws://127.0.0.1:${address.port}`), {
    instanceOf: ListenError,
    message: /^cannot listen at ws:.*EADDRINUSE/,
  });
});

test('one connection over an inherited socket, then the end', async (t) => {
  const script = `
    import { Server } from ${JSON.stringify(new URL('../src/index.js', import.meta.url).href)};
    await new Server().serveInherited(3);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const exited = once(child, 'exit');
  const socket = child.stdio[3] as Socket;
  const webSocket = joinWebSocket(socket, 'client');
  // Before anything is asked of it.
  await once(webSocket, 'ping');
  const compiler = await openOver(t, new WebSocketTransport(webSocket));
  const status = await compiler.connection.request(session.sessionStatus, {});
  t.is(status.processId, compiler.opened.runner.processId);
  compiler.connection.close();
  t.deepEqual(await exited, [0, null]);
  t.throws(() => process.kill(status.processId, 0), { code: 'ESRCH' });
});
