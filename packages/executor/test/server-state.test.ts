import { run, session } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { type Credentials, hashToken, readTlsFiles, Server, type ServerOptions } from '../src/index.js';
import { TestCA } from './certificates.js';
import { spin } from './machine-code.js';
import { commitOf, load, openOver, until } from './session-fixture.js';
import { bearer, connectTo, upgrade } from './upgrade.js';

function startServer(t: ExecutionContext, options: ServerOptions = {}): Server {
  const server = new Server({ credentials: 'right', ...options });
  t.teardown(() => server.close());
  return server;
}

const tokens = (...entries: readonly [text: string, calls?: number][]): Credentials => ({
  tokens: entries.map(([text, calls]) => ({
    name: 'a',
    sha256: hashToken(text),
    quotas: calls === undefined ? {} : { calls },
  })),
  certificates: [],
});

test('what is under way is counted over all sessions', async (t) => {
  const server = startServer(t, { maxSessions: 5, poolSize: 1 });
  await until(() => server.stateNow().runnersWarm === 1);
  t.like(server.stateNow(), {
    sessionsOpen: 0,
    sessionsMax: 5,
    callsInFlight: 0,
    callsWaiting: 0,
    threadsBlocked: 0,
    hostCallsOpen: 0,
    runnersMemoryBytes: 0,
    isDraining: false,
  });
  const url = await server.listen('ws://127.0.0.1:0');
  for (let count = 1; count <= 2; count++) {
    const compiler = await openOver(t, await connectTo(url, bearer('right')));
    const entry = await load(compiler, spin());
    const params = { entry, block: new Uint8Array(8), commit: commitOf() };
    compiler.connection.request(run.call, params, compiler.live).catch(() => {});
    await until(() => server.stateNow().callsInFlight === count);
    t.is(server.stateNow().sessionsOpen, count);
  }
  await until(() => server.stateNow().runnersMemoryBytes > 0);
  t.true(server.stateNow().sessionSeconds > 0);
  t.is(server.stateNow().callsWaiting, 0);
  await server.close();
  t.like(server.stateNow(), { sessionsOpen: 0, callsInFlight: 0, runnersWarm: 0, isDraining: true });
});

test('draining ends the runners that wait, and lasts', async (t) => {
  const server = startServer(t, { poolSize: 2 });
  await until(() => server.stateNow().runnersWarm === 2);
  t.deepEqual(await server.drain({ timeoutMs: 1000 }), { sessionsLeft: 0, because: 'empty' });
  await until(() => server.stateNow().runnersWarm === 0);
  t.true(server.stateNow().isDraining);
});

test('a runner that is only tried has no session, and one that cannot be started says why', async (t) => {
  const server = startServer(t, { poolSize: 0 });
  await server.tryRunner();
  t.is(server.sessions.size, 0);
  const broken = startServer(t, { poolSize: 0, runnerPath: '/nonexistent/runner' });
  await t.throwsAsync(broken.tryRunner(), { code: 'RUNNER_START_FAILED' });
});

test('of what is read again, all counts or nothing', async (t) => {
  const tls = readTlsFiles(new TestCA(t).server());
  const server = startServer(t, { tls, credentials: tokens(['old']) });
  const url = await server.listen('ws://127.0.0.1:0');
  await server.listen('wss://127.0.0.1:0');
  const wrong = { ...tls, key: 'no key' } as unknown as typeof tls;
  await t.throwsAsync(server.reload({ tls: wrong, credentials: tokens(['new']) }));
  t.is(await admitted(url, 'new'), 401);
  t.is(await admitted(url, 'old'), undefined);
  await server.reload({ tls, credentials: tokens(['new']) });
  t.is(await admitted(url, 'old'), 401);
  t.is(await admitted(url, 'new'), undefined);
  await server.reload({});
  t.is(await admitted(url, 'new'), undefined);
});

test('quotas that are read again hold for sessions that are open', async (t) => {
  const server = startServer(t, { credentials: tokens(['one']) });
  const compiler = await openOver(t, await connectTo(await server.listen('ws://127.0.0.1:0'), bearer('one')));
  const entry = await load(compiler, spin());
  const params = { entry, block: new Uint8Array(8), commit: commitOf() };
  const call = () => compiler.connection.request(run.call, params, compiler.live);
  const running = call().catch(() => {});
  await until(() => server.stateNow().callsInFlight === 1);
  await server.reload({ credentials: tokens(['one', 1]) });
  await t.throwsAsync(call(), { code: 'QUOTA_EXCEEDED' });
  await server.reload({ credentials: tokens(['one', 2]) });
  const second = call().catch(() => {});
  await until(() => server.stateNow().callsInFlight === 2);
  await compiler.connection.request(session.terminateSession, {});
  await Promise.all([running, second]);
});

/** The status that a token is refused with, if it is. */
async function admitted(url: string, token: string): Promise<number | undefined> {
  const answer = await upgrade(url, bearer(token));
  if (!(answer instanceof WebSocket)) return answer.status;
  answer.terminate();
  return undefined;
}
