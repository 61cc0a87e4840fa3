import { request } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { Server, type ServerOptions } from '../../src/index.js';
import { Endpoints } from '../../src/metrics/endpoints.js';
import { RunnerCheck } from '../../src/metrics/runner-check.js';

function startServer(t: ExecutionContext, options: ServerOptions = {}): Server {
  const server = new Server({ credentials: 'right', ...options });
  t.teardown(() => server.close());
  return server;
}

interface Asked {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** @param url of a listener. */
function ask(url: string, path: string, options: { token?: string; method?: string } = {}): Promise<Asked> {
  const { token, method = 'GET' } = options;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const target = new URL(path, url.replace(/^ws:/, 'http:'));
    const asking = request(target, { method, headers, agent: false }, async (response) => {
      const body = Buffer.concat(await response.toArray()).toString();
      resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
    });
    asking.on('error', reject);
    asking.end();
  });
}

test('on a listener, health and readiness are told to anybody, and metrics to those who have a token', async (t) => {
  const server = startServer(t, { metrics: true });
  const url = await server.listen('ws://127.0.0.1:0');
  t.like(await ask(url, '/healthz'), { status: 200, body: 'ok\n' });
  t.like(await ask(url, '/readyz?verbose'), { status: 200, body: 'ready\n' });
  const refused = await ask(url, '/metrics');
  t.is(refused.status, 401);
  t.is(refused.headers['www-authenticate'], 'Bearer');
  t.is((await ask(url, '/metrics', { token: 'wrong' })).status, 401);
  const { status, headers, body } = await ask(url, '/metrics', { token: 'right' });
  t.is(status, 200);
  t.regex(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
  t.regex(body, /^farjit_sessions_open 0$/m);
  t.is((await ask(url, '/')).status, 426);
});

test('a listener of its own tells whoever asks', async (t) => {
  const server = startServer(t, { metrics: true });
  const url = await server.listenMetrics('http://127.0.0.1:0');
  t.regex(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  t.is((await ask(url, '/healthz')).status, 200);
  t.is((await ask(url, '/readyz')).status, 200);
  t.regex((await ask(url, '/metrics')).body, /^farjit_build_info\{version="[^"]+"\} 1$/m);
  t.like(await ask(url, '/elsewhere'), { status: 404, body: '/healthz, /readyz, /metrics\n' });
  const socket = new WebSocket(url.replace('http', 'ws'), { headers: { authorization: 'Bearer right' } });
  await t.throwsAsync(new Promise((_, reject) => socket.on('error', reject)));
});

test('it is loopback, unless somebody says otherwise', async (t) => {
  const server = startServer(t);
  for (const url of ['http://0.0.0.0:0', 'http://[::]:0', 'http://example.org:0'])
    await t.throwsAsync(server.listenMetrics(url), {
      code: 'LISTEN_ADDRESS',
      message: /allow-insecure-listen/,
    });
  for (const url of ['https://127.0.0.1:0', 'ws://127.0.0.1:0', '127.0.0.1:9', 'http://127.0.0.1'])
    await t.throwsAsync(server.listenMetrics(url), { code: 'LISTEN_ADDRESS', message: /http:\/\/HOST:PORT/ });
  const careless = startServer(t, { allowInsecureListen: true });
  t.regex(await careless.listenMetrics('http://0.0.0.0:0'), /^http:\/\/0\.0\.0\.0:\d+$/);
});

test('a host without metrics says so', async (t) => {
  const url = await startServer(t).listenMetrics('http://127.0.0.1:0');
  t.is((await ask(url, '/metrics')).status, 404);
  t.is((await ask(url, '/healthz')).status, 200);
});

test('only what reads is answered', async (t) => {
  const url = await startServer(t).listenMetrics('http://127.0.0.1:0');
  t.like(await ask(url, '/healthz', { method: 'HEAD' }), { status: 200, body: '' });
  const refused = await ask(url, '/healthz', { method: 'POST' });
  t.is(refused.status, 405);
  t.is(refused.headers.allow, 'GET, HEAD');
});

test('a host that cannot start a runner is not healthy, and does not say where it looked', async (t) => {
  const server = startServer(t, { runnerPath: '/nonexistent/runner' });
  const url = await server.listenMetrics('http://127.0.0.1:0');
  t.like(await ask(url, '/healthz'), { status: 503, body: 'no runner can be started\n' });
  t.is((await ask(url, '/readyz')).status, 200);
});

test('a host that has all the sessions it may have is not ready', async (t) => {
  const server = startServer(t, { maxSessions: 1 });
  const url = await server.listen('ws://127.0.0.1:0');
  const socket = new WebSocket(url, { headers: { authorization: 'Bearer right' } });
  await new Promise((resolve) => socket.once('open', resolve));
  t.like(await ask(url, '/readyz'), { status: 503, body: 'full\n' });
  t.is((await ask(url, '/healthz')).status, 200);
  socket.terminate();
});

test('guessing the token of the metrics is as slow as guessing it elsewhere', async (t) => {
  const url = await startServer(t, { metrics: true }).listen('ws://127.0.0.1:0');
  const statuses = new Set<number>();
  for (let i = 0; i < 60; i++) statuses.add((await ask(url, '/metrics', { token: `${i}` })).status);
  t.true(statuses.has(429));
  t.is((await ask(url, '/healthz')).status, 200);
});

test('from opening on it is looked whether a runner can be started, and closing waits for the one that is tried', async (t) => {
  let started = () => {};
  let tried = 0;
  const check = new RunnerCheck(() => {
    tried++;
    return new Promise((resolve) => {
      started = resolve;
    });
  });
  const endpoints = new Endpoints({
    stateNow: () => ({ isDraining: false, sessionsOpen: 0, sessionsMax: 1 }) as never,
    isWell: () => check.isWell(),
    check,
    metrics: undefined,
  });
  t.is(tried, 0);
  endpoints.open();
  t.is(tried, 1);
  let isClosed = false;
  const closing = endpoints.close().then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isClosed);
  started();
  await closing;
  t.true(isClosed);
});
