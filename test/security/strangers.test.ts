import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { MAX_STRANGERS } from '#executor/src/strangers.js';
import { type ExecutorProcess, startExecutor } from '../executor-process.js';

const STRANGERS = 1000;
/** More than there are places for. */
const TOO_MANY = 1500;
/** Good clients whose time is taken: one may be unlucky. */
const CLIENTS = 15;
const MAX_DELAY_MS = 100;
const LOOPBACK = '127.0.0.1';

/** Opens sockets to a port and says something over them; with `again`, another one for each that closes, without end. */
const CROWD = `
  const { connect } = require('node:net');
  const [port, count, text, localAddress, again] = process.argv.slice(1);
  let openCount = 0;
  const open = () => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress }, () => {
      socket.write(text);
      if (++openCount === Number(count)) process.stdout.write('open');
    });
    socket.on('error', () => {});
    if (again) socket.on('close', open);
  };
  for (let i = 0; i < Number(count); i++) open();
`;

/** Sockets of another process, for as long as the test. */
async function crowd(
  t: ExecutionContext,
  { url }: ExecutorProcess,
  {
    count,
    text,
    from = LOOPBACK,
    again = '',
  }: { count: number; text: string; from?: string; again?: string },
) {
  const { port } = new URL(url);
  const child = spawn(process.execPath, ['-e', CROWD, port, String(count), text, from, again], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
}

/** How long a client with the token takes to be let in: the median of some, one after the other. */
async function connectMs({ url, token }: ExecutorProcess): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const startMs = performance.now();
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
    // One whose place was taken comes again, as a compiler of a pool does.
    const isIn = await Promise.race([
      once(socket, 'open').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.on('error', () => {});
    times.push(isIn ? performance.now() - startMs : Number.POSITIVE_INFINITY);
    socket.terminate();
  }
  return times.sort((a, b) => a - b)[Math.floor(CLIENTS / 2)] ?? Number.NaN;
}

/** Refusals of a kind, as the executor counts them. */
async function refusedCount({ url, token }: ExecutorProcess, reason: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const text = await (await fetch(url.replace('ws:', 'http:').concat('/metrics'), { headers })).text();
  return Number(new RegExp(`refused_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
}

for (const [what, count, text] of [
  ['say nothing', STRANGERS, ''],
  ['say nothing', TOO_MANY, ''],
  ['begin a request', STRANGERS, 'GET / HTTP/1.1\r\nUpgrade: web'],
] as const)
  test.serial(`${count} sockets that ${what} keep nobody waiting, from the same address`, async (t) => {
    const executor = await startExecutor(t, 'ws://127.0.0.1:0');
    const aloneMs = await connectMs(executor);
    await crowd(t, executor, { count, text });
    const amongMs = await connectMs(executor);
    t.log(`median of ${CLIENTS}: ${aloneMs.toFixed(1)} ms alone, ${amongMs.toFixed(1)} ms among ${count}`);
    t.true(amongMs - aloneMs <= MAX_DELAY_MS, `${aloneMs} ms alone, ${amongMs} ms among them`);
    // Only where places ran out.
    t.is((await refusedCount(executor, 'crowded')) > 0, count > MAX_STRANGERS);
  });

const PROBE = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
const GUESS =
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer x\r\n\r\n';

for (const [what, text] of [
  ['probes', PROBE],
  ['probes behind each other', PROBE.repeat(100)],
  ['wrong tokens', GUESS],
] as const)
  test.serial(
    `${what} without end, over 64 connections from another address, keep nobody waiting`,
    async (t) => {
      const executor = await startExecutor(t, 'ws://127.0.0.1:0');
      const aloneMs = await connectMs(executor);
      await crowd(t, executor, { count: 64, text, from: '127.0.0.2', again: 'again' });
      const amongMs = await connectMs(executor);
      t.log(`median of ${CLIENTS}: ${aloneMs.toFixed(1)} ms alone, ${amongMs.toFixed(1)} ms among them`);
      t.true(amongMs - aloneMs <= MAX_DELAY_MS, `${aloneMs} ms alone, ${amongMs} ms among them`);
    },
  );
