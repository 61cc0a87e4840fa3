import { once } from 'node:events';
import {
  DeadlineExceededError,
  KaleidoscopeJIT,
  SessionClosedError,
  type SessionEvent,
} from '@farjit/compiler';
import { Server, type ServerOptions } from '@farjit/executor';
import { RESUMPTION_HEADERS } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { connectExecutor } from '#compiler/src/executor-client/connect.js';
import { ExecutorProcessControl } from '#compiler/src/executor-client/executor-process-control.js';
import { DEAF_HANDLERS } from '#compiler/test/executor-client/fake-host.js';
import { openOn } from '#executor/test/open-on.js';
import { eventually } from '../jit-fixture.js';
import { FaultProxy } from './fault-proxy.js';

const TOKEN = 'a token';

interface Far {
  readonly server: Server;
  readonly proxy: FaultProxy;
  readonly jit: KaleidoscopeJIT;
  readonly events: SessionEvent[];
}

/** A JIT whose executor is behind a proxy. */
async function openFar(t: ExecutionContext, options: ServerOptions = {}): Promise<Far> {
  const server = new Server({ credentials: TOKEN, ...options });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => proxy.close());
  const events: SessionEvent[] = [];
  const jit = await KaleidoscopeJIT.create({
    executor: { url: proxy.url, token: TOKEN },
    optLevel: 1,
    onEvent: (event) => events.push(event),
  });
  t.teardown(() => jit.close());
  return { server, proxy, jit, events };
}

function has(events: readonly SessionEvent[], type: SessionEvent['type']): () => boolean {
  return () => events.some((event) => event.type === type);
}

/** What an upgrade is answered with: its status, its first line for people, and its headers. */
async function upgrade(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; words: string; headers: Record<string, unknown> }> {
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${TOKEN}`, ...headers } });
  socket.on('error', () => {});
  let answer: Record<string, unknown> = {};
  socket.once('upgrade', (response) => {
    answer = response.headers;
  });
  const opened = once(socket, 'open').then(() => ({ status: 101, words: '', headers: answer }));
  const refused = once(socket, 'unexpected-response').then(async ([, response]) => {
    let words = '';
    for await (const chunk of response) words += chunk;
    return { status: response.statusCode as number, words: words.trim(), headers: {} };
  });
  const result = await Promise.race([opened, refused]);
  socket.terminate();
  return result;
}

/** A session that a test resumes by hand. */
async function openByHand(
  t: ExecutionContext,
  options: ServerOptions = {},
): Promise<{ server: Server; url: string; session: string; secret: string; lose: () => void }> {
  const server = new Server({ credentials: TOKEN, ...options });
  t.teardown(() => server.close());
  const url = await server.listen('ws://127.0.0.1:0');
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${TOKEN}` } });
  const upgraded = once(socket, 'upgrade');
  await once(socket, 'open');
  const [{ headers }] = await upgraded;
  const { WebSocketTransport, Connection } = await import('@farjit/protocol');
  const connection = new Connection(new WebSocketTransport(socket));
  connection.start();
  await openOn(connection);
  const id = String(headers[RESUMPTION_HEADERS.session]);
  return {
    server,
    url,
    session: id,
    secret: String(headers[RESUMPTION_HEADERS.secret]),
    lose: () => socket.terminate(),
  };
}

function resuming(session: string, secret: string, received: number | string = 1): Record<string, string> {
  return {
    [RESUMPTION_HEADERS.session]: session,
    [RESUMPTION_HEADERS.secret]: secret,
    [RESUMPTION_HEADERS.received]: String(received),
  };
}

test('a wrong secret is refused with words, and the right one still works', async (t) => {
  const { url, session, secret } = await openByHand(t);
  const wrong = await upgrade(url, resuming(session, 'guessed'));
  t.is(wrong.status, 403);
  t.is(wrong.words, 'resume: the secret is wrong, or has been used');
  const right = await upgrade(url, resuming(session, secret));
  t.is(right.status, 101);
  t.is(right.headers[RESUMPTION_HEADERS.session], session);
  t.is(right.headers[RESUMPTION_HEADERS.received], '1');
});

test('a used secret is refused', async (t) => {
  const { url, session, secret } = await openByHand(t);
  const { headers } = await upgrade(url, resuming(session, secret));
  const next = String(headers[RESUMPTION_HEADERS.secret]);
  // The next one is used, so that it has arrived.
  t.is((await upgrade(url, resuming(session, next))).status, 101);
  t.is((await upgrade(url, resuming(session, secret))).status, 403);
});

test('a secret stays good while the answer to its use may have been lost', async (t) => {
  const { url, session, secret } = await openByHand(t);
  for (let i = 0; i < 3; i++) t.is((await upgrade(url, resuming(session, secret))).status, 101);
});

test('a session that is not there, or has ended, is refused with words', async (t) => {
  const { server, url, session, secret, lose } = await openByHand(t, { sessionTtlMs: 30 });
  const words = 'resume: the session has ended, or its time to live has passed';
  const unknown = await upgrade(url, resuming('00000000-0000-0000-0000-000000000000', secret));
  t.deepEqual([unknown.status, unknown.words], [410, words]);
  lose();
  await eventually(() => server.sessions.size === 0, 'the session ends after its time to live');
  const late = await upgrade(url, resuming(session, secret));
  t.deepEqual([late.status, late.words], [410, words]);
});

for (const received of ['', '-1', '1e3', '99', '18446744073709551616'])
  test(`"${received}" frames received is refused, and the session stays`, async (t) => {
    const { server, url, session, secret } = await openByHand(t);
    t.is((await upgrade(url, resuming(session, secret, received))).status, 410);
    t.is(server.sessions.size, 1);
    t.is((await upgrade(url, resuming(session, secret))).status, 101);
  });

test('a resume needs the token too', async (t) => {
  const { url, session, secret } = await openByHand(t);
  const { status } = await upgrade(url, { ...resuming(session, secret), authorization: 'Bearer wrong' });
  t.is(status, 401);
});

test('guessing secrets is slowed down like guessing tokens', async (t) => {
  const { url, session } = await openByHand(t);
  const statuses = new Set<number>();
  for (let i = 0; i < 60; i++) statuses.add((await upgrade(url, resuming(session, `guess ${i}`))).status);
  t.true(statuses.has(403) && statuses.has(429));
});

test('a call that is asked for while there is no network is made once there is one', async (t) => {
  const { server, proxy, jit, events } = await openFar(t);
  await jit.addSource('def twice(x) x * 2;');
  const twice = await jit.lookup('twice');
  t.is(await twice(1), 2);
  proxy.isDown = true;
  proxy.cutAll();
  await eventually(has(events, 'connection-lost'), 'the loss is noticed');
  const answer = twice(21);
  await eventually(has(events, 'resume-failed'), 'an attempt fails');
  proxy.isDown = false;
  t.is(await answer, 42);
  t.is([...server.sessions][0]?.runner?.callsStarted, 2);
});

test('a session in which nothing has been done yet is waited for as others are', async (t) => {
  const { server, proxy, jit } = await openFar(t, { heartbeatMs: 50 });
  const [session] = server.sessions;
  await eventually(() => session?.connection.link.timeToLiveMs === 30_000, 'the answer is acknowledged');
  proxy.isDown = true;
  proxy.cutAll();
  await new Promise((resolve) => setTimeout(resolve, 300));
  proxy.isDown = false;
  t.deepEqual(await jit.addSource('1 + 1;'), [{ status: 'fulfilled', value: 2 }]);
});

test('a thread in a compile callback waits for the network', async (t) => {
  const { proxy, jit, events } = await openFar(t);
  await jit.addSource('def inner(x) x + 1; def outer(x) if x < 1 then 0 else inner(x);');
  const outer = await jit.lookup('outer');
  const unsubscribe = jit.subscribe((event) => {
    if (event.type !== 'frame' || event.direction !== 'received' || event.method !== 'reenter') return;
    unsubscribe();
    // The answer has nowhere to go.
    proxy.isDown = true;
    proxy.cutAll();
  });
  const answer = outer(5);
  await eventually(has(events, 'resume-failed'), 'an attempt fails');
  proxy.isDown = false;
  t.is(await answer, 6);
  t.is(jit.statistics().functionsCompiled, 2);
});

test("a call's deadline passes while there is no network", async (t) => {
  const { server, proxy, jit, events } = await openFar(t);
  await jit.addSource('def endless(x) for i = 0, 0 < 1 in x;');
  const endless = await jit.lookup('endless');
  const call = endless.call([1], { deadlineMs: 400 });
  await eventually(
    () => server.sessions.size === 1 && [...server.sessions][0]?.runner?.callsInFlight === 1,
    'it runs',
  );
  proxy.isDown = true;
  proxy.cutAll();
  await eventually(() => [...server.sessions][0]?.runner === undefined, 'the deadline ends the runner');
  proxy.isDown = false;
  await t.throwsAsync(call, { instanceOf: DeadlineExceededError });
  t.true(has(events, 'connection-resumed')());
  t.deepEqual(await jit.addSource('1 + 1;'), [{ status: 'fulfilled', value: 2 }]);
});

test('a session that is not resumed in time ends on both sides, with words', async (t) => {
  const { server, proxy, jit, events } = await openFar(t, { sessionTtlMs: 1500 });
  await jit.addSource('def endless(x) for i = 0, 0 < 1 in x;');
  const endless = await jit.lookup('endless');
  const call = endless(1);
  await eventually(() => [...server.sessions][0]?.runner?.callsInFlight === 1, 'it runs');
  proxy.isDown = true;
  proxy.cutAll();
  const error = await t.throwsAsync(call);
  t.regex(error?.message ?? '', /not resumed within 1\.5 s: cannot reach an executor at ws:/);
  await t.throwsAsync(jit.lookup('endless'), { instanceOf: SessionClosedError });
  await eventually(() => server.sessions.size === 0, 'the runner is gone');
  t.true(has(events, 'connection-lost')());
});

test('an executor that has been started anew refuses, and the session ends with its words', async (t) => {
  const { server, proxy, jit } = await openFar(t);
  await jit.addSource('def twice(x) x * 2;');
  const twice = await jit.lookup('twice');
  t.is(await twice(2), 4);
  // What a client meets behind an address whose process has been replaced.
  const [session] = server.sessions;
  proxy.isDown = true;
  proxy.cutAll();
  await session?.close('gone');
  proxy.isDown = false;
  await t.throwsAsync(twice(3), { message: /the session has ended, or its time to live has passed/ });
});

test('a session without a time to live ends with its connection', async (t) => {
  const { server, proxy, jit } = await openFar(t, { sessionTtlMs: 0 });
  proxy.cutAll();
  await eventually(() => server.sessions.size === 0, 'the session ends');
  await t.throwsAsync(jit.lookup('sin'), { instanceOf: SessionClosedError });
});

test('with 20 ms each way, one round trip opens a session, and k callbacks and their call take k and one', async (t) => {
  const count = 12;
  // No heartbeat is among the frames that are counted.
  const heartbeatMs = 600_000;
  const server = new Server({ credentials: TOKEN, heartbeatMs });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'), { delayMs: 20 });
  t.teardown(() => proxy.close());
  const exchangesOf = async (
    speculate: 'off' | 'auto',
  ): Promise<{ exchanges: number; callbacks: number }> => {
    proxy.exchanges = 0;
    const jit = await KaleidoscopeJIT.create({
      executor: { url: proxy.url, token: TOKEN, heartbeatMs },
      optLevel: 1,
      speculate,
    });
    // The upgrade asks for the session, and what answers both comes together or one right after the other.
    t.is(proxy.exchanges, 1);
    const chain = Array.from(
      { length: count },
      (_, i) => `def f${i}(x) ${i + 1 < count ? `f${i + 1}(x)` : 'x'} + 1;`,
    );
    await jit.addSource(chain.join('\n'));
    proxy.exchanges = 0;
    t.deepEqual(await jit.addSource('f0(0);'), [{ status: 'fulfilled', value: count }]);
    const { exchanges } = proxy;
    const { compileCallbacks: callbacks } = jit.statistics();
    await jit.close();
    return { exchanges, callbacks };
  };
  t.deepEqual(await exchangesOf('off'), { exchanges: count + 1, callbacks: count });
  const guessed = await exchangesOf('auto');
  t.true(guessed.callbacks < count);
  t.true(
    guessed.exchanges <= guessed.callbacks + 1,
    `${guessed.exchanges} exchanges, ${guessed.callbacks} callbacks`,
  );
});

test('a connection that is lost before the session is open is the end of it', async (t) => {
  const server = new Server({ credentials: TOKEN });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => proxy.close());
  const transport = await connectExecutor(proxy.url, { token: TOKEN });
  proxy.isDown = true;
  const opening = ExecutorProcessControl.open(transport, DEAF_HANDLERS);
  proxy.cutAll();
  await t.throwsAsync(opening, { code: 'CONNECTION_CLOSED' });
  await eventually(() => server.sessions.size === 0, 'nothing is left of it');
});
