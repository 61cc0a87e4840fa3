import { once } from 'node:events';
import { request } from 'node:http';
import { RESUMPTION_HEADERS, run, session, WEBSOCKET_OPTIONS, WebSocketTransport } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { type ClientOptions, WebSocket } from 'ws';
import { Server, type ServerOptions } from '../../src/index.js';
import { Log } from '../../src/logging/log.js';
import { logEvents } from '../../src/logging/log-events.js';
import { illegalInstruction } from '../machine-code.js';
import { commitOf, load, openOver, until, WANTED } from '../session-fixture.js';

const TOKEN = 'the token that nobody may read in a log';

async function startLogged(t: ExecutionContext, options: ServerOptions = {}) {
  const lines: string[] = [];
  const server = new Server({ credentials: TOKEN, metrics: true, ...options });
  const log = new Log({ level: 'trace', format: 'json', sink: { write: (line) => void lines.push(line) } });
  logEvents(log, server.events);
  t.teardown(() => server.close());
  const url = await server.listen('ws://127.0.0.1:0');
  const logged = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { server, url, lines, logged, events: () => logged().map(({ event }) => event) };
}

async function connect(url: string, headers: ClientOptions['headers'] = {}) {
  const options = { ...WEBSOCKET_OPTIONS, headers: { authorization: `Bearer ${TOKEN}`, ...headers } };
  const socket = new WebSocket(url, options);
  const upgraded = once(socket, 'upgrade');
  await once(socket, 'open');
  const [response] = await upgraded;
  return { socket, transport: new WebSocketTransport(socket), headers: response.headers };
}

test('a session, from its opening to its end', async (t) => {
  const { url, logged, events, server } = await startLogged(t);
  const compiler = await openOver(t, (await connect(url)).transport);
  const entry = await load(compiler, illegalInstruction());
  const params = { entry, block: new Uint8Array(8), commit: commitOf() };
  await t.throwsAsync(compiler.connection.request(run.call, params, compiler.live), { code: 'RUNNER_LOST' });
  await compiler.connection.request(session.startRunner, WANTED);
  compiler.connection.close(4000, 'done \u001b[31m');
  await until(() => server.sessions.size === 0);
  t.deepEqual(events(), [
    'runner-started',
    'session-opened',
    'trap',
    'runner-started',
    'runner-ended',
    'session-closed',
  ]);
  const [, opened, trap, , ended, closed] = logged();
  const name = { session: compiler.opened.session, identity: 'token default' };
  t.like(opened, { level: 'info', ...name, client: 'test' });
  t.like(trap, { level: 'warn', ...name, generation: 1, how: 'trap', signal: 'SIGILL' });
  t.like(ended, { level: 'info', ...name, generation: 2, how: 'cancelled' });
  t.like(closed, { ...name, reason: 'connection closed (4000: done \\u{1b}[31m)' });
});

test('no token, resume secret or header of a peer is in a log or in the metrics', async (t) => {
  const { url, lines, events } = await startLogged(t);
  const { socket, headers } = await connect(url);
  const secret = String(headers[RESUMPTION_HEADERS.secret]);
  const wrong = 'a wrong guess';
  const guess = new WebSocket(url, { headers: { authorization: `Bearer ${wrong}` } });
  guess.on('error', () => {});
  await once(guess, 'unexpected-response');
  const stranger = new WebSocket(url, {
    headers: {
      authorization: `Bearer ${TOKEN}`,
      [RESUMPTION_HEADERS.session]: String(headers[RESUMPTION_HEADERS.session]),
      [RESUMPTION_HEADERS.secret]: `${secret}x`,
      [RESUMPTION_HEADERS.received]: '0',
    },
  });
  stranger.on('error', () => {});
  await once(stranger, 'unexpected-response');
  t.deepEqual(events(), ['session-refused', 'session-refused']);
  const asking = request(url.replace('ws:', 'http:').concat('/metrics'), {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  asking.end();
  const [response] = await once(asking, 'response');
  const metrics = Buffer.concat(await response.toArray()).toString();
  t.regex(metrics, /^farjit_sessions_refused_total\{reason="wrong-token"\} 1$/m);
  t.regex(metrics, /^farjit_sessions_refused_total\{reason="resume"\} 1$/m);
  for (const text of [TOKEN, secret, wrong]) t.false(`${lines.join('')}${metrics}`.includes(text));
  socket.terminate();
  stranger.terminate();
  guess.terminate();
});

test('a flood of refusals is cut, and said to have been', async (t) => {
  const { server, logged } = await startLogged(t);
  const refuse = () =>
    server.events.emit({
      type: 'session-refused',
      status: 401,
      reason: 'wrong-token',
      remoteAddress: '127.0.0.1',
    });
  for (let i = 0; i < 1000; i++) refuse();
  const writtenAtOnce = logged().length;
  t.true(writtenAtOnce >= 10 && writtenAtOnce < 1000);
  await until(() => {
    refuse();
    return logged().some(({ passedOver }) => Number(passedOver) > 0);
  });
  const [told] = logged().filter(({ passedOver }) => Number(passedOver) > 0);
  t.regex(String(told?.msg), /, after \d+ that are not shown$/);
});

test('a session that is resumed in a loop fills no log', async (t) => {
  const { server, logged } = await startLogged(t);
  const of = (name: string) => ({ id: name, identity: { kind: 'token', name, quotas: {} } }) as const;
  for (let i = 0; i < 1000; i++) {
    server.events.emit({ type: 'session-lost', session: of('restless'), reason: 'gone' });
    server.events.emit({ type: 'session-resumed', session: of('restless') });
  }
  server.events.emit({ type: 'session-resumed', session: of('another') });
  const lines = logged().filter(({ identity }) => identity === 'token restless').length;
  t.true(lines >= 20 && lines < 200, `${lines}`);
  t.is(logged().filter(({ identity }) => identity === 'token another').length, 1);
});

test('a connection that is lost and found again', async (t) => {
  const { url, events, server } = await startLogged(t);
  const { socket, transport, headers } = await connect(url);
  await openOver(t, transport);
  socket.terminate();
  await until(() => events().includes('session-lost'));
  const [received] = [...server.sessions].map(({ connection }) => connection.link.receivedCount);
  t.is(received, 1);
  const again = await connect(url, {
    [RESUMPTION_HEADERS.session]: String(headers[RESUMPTION_HEADERS.session]),
    [RESUMPTION_HEADERS.secret]: String(headers[RESUMPTION_HEADERS.secret]),
    [RESUMPTION_HEADERS.received]: '1',
  });
  await until(() => events().includes('session-resumed'));
  again.socket.terminate();
});
