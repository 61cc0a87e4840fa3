import { once } from 'node:events';
import { run, WEBSOCKET_OPTIONS, WebSocketTransport } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { type ClientOptions, WebSocket } from 'ws';
import { drainSessions } from '../src/drain.js';
import { Server } from '../src/index.js';
import type { Session } from '../src/session.js';
import { spin, storeConstant } from './machine-code.js';
import {
  callDouble,
  commitOf,
  load,
  openOver,
  reserve,
  segmentOf,
  type TestCompiler,
  until,
} from './session-fixture.js';

const HEADERS = { authorization: 'Bearer right' };

async function startServer(t: ExecutionContext) {
  const server = new Server({ credentials: 'right', poolSize: 1 });
  t.teardown(() => server.close());
  return { server, url: await server.listen('ws://127.0.0.1:0') };
}

async function open(t: ExecutionContext, url: string, options: ClientOptions = {}): Promise<TestCompiler> {
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, headers: HEADERS, ...options });
  await once(socket, 'open');
  return openOver(t, new WebSocketTransport(socket));
}

function isAlive(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}

/** A call of what does not end by itself. */
async function startSpinning(compiler: TestCompiler, deadlineMs?: number) {
  const entry = await load(compiler, spin());
  const params = { entry, block: new Uint8Array(8), commit: commitOf() };
  const ended = compiler.connection.request(run.call, params, { ...compiler.live, deadlineMs });
  ended.catch(() => {});
  return { ended };
}

test('sessions without a call are closed at once, with words; new ones are sent elsewhere', async (t) => {
  const { server, url } = await startServer(t);
  const idle = await open(t, url);
  const busy = await open(t, url);
  const { ended: spinning } = await startSpinning(busy, 60_000);
  await until(() => server.stateNow().callsInFlight === 1);
  const drained = server.drain({ timeoutMs: 60_000 });
  t.regex((await idle.connection.closed).message, /1001: the executor is draining/);
  await until(() => !isAlive(idle.opened.runner.processId));

  const refused = new WebSocket(url, { headers: HEADERS });
  refused.on('error', () => {});
  const [, response] = await once(refused, 'unexpected-response');
  t.is(response.statusCode, 503);
  t.is(response.headers['retry-after'], '5');
  t.regex(Buffer.concat(await response.toArray()).toString(), /draining: use another/);
  const readiness = await fetch(`${url.replace('ws:', 'http:')}/readyz`);
  t.is(readiness.status, 503);
  t.is(await readiness.text(), 'draining\n');
  t.is((await fetch(`${url.replace('ws:', 'http:')}/healthz`)).status, 200);
  t.is(server.stateNow().runnersWarm, 0);

  process.kill(busy.opened.runner.processId, 'SIGKILL');
  await t.throwsAsync(spinning, { code: 'RUNNER_LOST' });
  t.regex((await busy.connection.closed).message, /1001: the executor is draining/);
  t.deepEqual(await drained, { sessionsLeft: 0, because: 'empty' });
});

test('a call that is refused has what came along applied, and the one in flight goes on', async (t) => {
  const { server, url } = await startServer(t);
  const compiler = await open(t, url);
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0x4000_0000_0000_0000n))), 2);
  const address = reserve(compiler, 'code', 64);
  const { ended: spinning } = await startSpinning(compiler);
  await until(() => server.stateNow().callsInFlight === 1);
  const [session] = server.sessions;
  const before = session?.runner?.commitsApplied ?? 0;
  const drained = server.drain({ timeoutMs: 60_000 });
  const code = segmentOf(address, 'code', storeConstant(7n));
  const params = { entry: address, block: new Uint8Array(8), commit: commitOf({ segments: [code] }) };
  await t.throwsAsync(compiler.connection.request(run.call, params, compiler.live), {
    code: 'DRAINING',
    message: /draining and takes no new calls/,
  });
  t.is(session?.runner?.commitsApplied, before + 1);
  t.is(server.stateNow().callsInFlight, 1);
  process.kill(compiler.opened.runner.processId, 'SIGKILL');
  await t.throwsAsync(spinning, { code: 'RUNNER_LOST' });
  t.deepEqual(await drained, { sessionsLeft: 0, because: 'empty' });
});

test('calls in flight go on to their deadlines', async (t) => {
  const { server, url } = await startServer(t);
  const compiler = await open(t, url);
  const { ended } = await startSpinning(compiler, 2000);
  await until(() => server.stateNow().callsInFlight === 1);
  const drained = server.drain({ timeoutMs: 60_000 });
  const error = await t.throwsAsync(ended, { code: 'RUNNER_LOST' });
  t.like(error, { data: { end: { kind: 'deadline', deadlineMs: 2000 }, own: true } });
  t.deepEqual(await drained, { sessionsLeft: 0, because: 'empty' });
});

test('it waits no longer than it was told to', async (t) => {
  const { server, url } = await startServer(t);
  const compiler = await open(t, url);
  await startSpinning(compiler);
  await until(() => server.stateNow().callsInFlight === 1);
  t.deepEqual(await server.drain({ timeoutMs: 10 }), { sessionsLeft: 1, because: 'timeout' });
  t.is(server.sessions.size, 1);
});

test('nor than it is allowed to', async (t) => {
  const { server, url } = await startServer(t);
  const compiler = await open(t, url);
  await startSpinning(compiler);
  await until(() => server.stateNow().callsInFlight === 1);
  const hurry = new AbortController();
  const drained = server.drain({ timeoutMs: 60_000, signal: hurry.signal });
  hurry.abort();
  t.deepEqual(await drained, { sessionsLeft: 1, because: 'hurried' });
  t.deepEqual(await server.drain({ timeoutMs: 60_000, signal: hurry.signal }), {
    sessionsLeft: 1,
    because: 'hurried',
  });
});

test('a session whose connection is lost is waited for, so that it gets the answer', async (t) => {
  const { server, url } = await startServer(t);
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, headers: HEADERS });
  await once(socket, 'open');
  const compiler = await openOver(t, new WebSocketTransport(socket));
  await startSpinning(compiler);
  await until(() => server.stateNow().callsInFlight === 1);
  const drained = server.drain({ timeoutMs: 60_000 });
  socket.terminate();
  await until(() => [...server.sessions][0]?.connection.link.isBroken === true);
  process.kill(compiler.opened.runner.processId, 'SIGKILL');
  await until(() => server.stateNow().callsInFlight === 0);
  const [session] = server.sessions;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.true(session?.connection.link.isBroken);
  // Nobody comes.
  await session?.close('the test is over');
  t.deepEqual(await drained, { sessionsLeft: 0, because: 'empty' });
});

test('a session whose connection was lost before is waited for, too: its last answer may not have arrived', async (t) => {
  const { server, url } = await startServer(t);
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, headers: HEADERS });
  await once(socket, 'open');
  const compiler = await openOver(t, new WebSocketTransport(socket));
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0x4000_0000_0000_0000n))), 2);
  const [session] = server.sessions;
  socket.terminate();
  await until(() => session?.connection.link.isBroken === true);
  const drained = server.drain({ timeoutMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.true(session?.connection.link.isBroken);
  await session?.close('the test is over');
  t.deepEqual(await drained, { sessionsLeft: 0, because: 'empty' });
});

test('a host without sessions has drained', async (t) => {
  const { server } = await startServer(t);
  t.deepEqual(await server.drain({ timeoutMs: 60_000 }), { sessionsLeft: 0, because: 'empty' });
});

/** A session that ends when the test says so. */
function fakeSession() {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { session: { drain: () => {}, ended } as unknown as Session, end };
}

const timerCount = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('whatever ends the draining, its timer does not stay', async (t) => {
  const before = timerCount();
  t.deepEqual(await drainSessions([], { timeoutMs: 60_000 }), { sessionsLeft: 0, because: 'empty' });
  t.is(timerCount(), before);
  const [one, other] = [fakeSession(), fakeSession()];
  const hurry = new AbortController();
  const draining = drainSessions([one.session, other.session], { timeoutMs: 60_000, signal: hurry.signal });
  t.is(timerCount(), before + 1);
  one.end();
  await one.session.ended;
  hurry.abort();
  t.deepEqual(await draining, { sessionsLeft: 1, because: 'hurried' });
  t.is(timerCount(), before);
  t.deepEqual(await drainSessions([other.session], { timeoutMs: 60_000, signal: hurry.signal }), {
    sessionsLeft: 1,
    because: 'hurried',
  });
  t.deepEqual(await drainSessions([other.session], { timeoutMs: 1 }), {
    sessionsLeft: 1,
    because: 'timeout',
  });
});
