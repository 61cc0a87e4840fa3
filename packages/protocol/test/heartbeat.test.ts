import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { WebSocket, WebSocketServer } from 'ws';
import { MAX_SILENT_HEARTBEATS, SLOWEST_BYTES_PER_MS, startHeartbeat } from '../src/heartbeat.js';
import type { TransportClose } from '../src/transport.js';
import { WEBSOCKET_OPTIONS, WebSocketTransport } from '../src/websocket-transport.js';
import { slowLinkTo } from './slow-link.js';

/** A busy machine must not be taken for a silent peer. */
const INTERVAL_MS = 150;

interface Ends {
  readonly near: WebSocket;
  readonly nearStream: Socket;
  readonly far: WebSocket;
  readonly farStream: Socket;
}

async function openEnds(t: ExecutionContext, isSlow = false): Promise<Ends> {
  const http = createServer();
  const server = new WebSocketServer({ ...WEBSOCKET_OPTIONS, server: http });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const farStream = connect(isSlow ? await slowLinkTo(t, port) : port, '127.0.0.1');
  const connected = once(server, 'connection');
  const far = new WebSocket(`ws://127.0.0.1:${port}`, {
    ...WEBSOCKET_OPTIONS,
    createConnection: () => farStream,
  });
  await once(far, 'open');
  const [near, request] = await connected;
  t.teardown(() => {
    near.terminate();
    far.terminate();
    server.close();
    http.close();
  });
  return { near, nearStream: request.socket, far, farStream };
}

function startTransport(socket: WebSocket, stream: Socket) {
  const transport = new WebSocketTransport(socket, { heartbeat: { intervalMs: INTERVAL_MS, stream } });
  const messages: number[] = [];
  const closed = new Promise<TransportClose>((resolve) => {
    transport.start({ onMessage: ({ byteLength }) => messages.push(byteLength), onClose: resolve });
  });
  return { transport, messages, closed };
}

test('a frame that takes longer than many heartbeats arrives, and what follows it', async (t) => {
  const { near, nearStream, far, farStream } = await openEnds(t, true);
  const receiver = startTransport(near, nearStream);
  const sender = startTransport(far, farStream);
  const startMs = performance.now();
  sender.transport.send(new Uint8Array(800_000));
  sender.transport.send(new Uint8Array(1));
  const ended = Promise.race([receiver.closed, sender.closed]).then(() => true);
  while (receiver.messages.length < 2 && !(await Promise.race([ended, delay(20, false)])));
  t.deepEqual(receiver.messages, [800_000, 1]);
  t.true(performance.now() - startMs > (MAX_SILENT_HEARTBEATS + 2) * INTERVAL_MS);
  t.is(far.readyState, far.OPEN);
});

test('a peer from which not a byte comes is lost after three heartbeats', async (t) => {
  const { near, nearStream, far } = await openEnds(t);
  const { closed } = startTransport(near, nearStream);
  far.pause();
  t.deepEqual(await closed, {
    code: 1006,
    reason: `nothing has come for ${(4 * INTERVAL_MS) / 1000} s`,
  });
});

test('while nothing is read, nobody is silent', async (t) => {
  const { near, nearStream, far } = await openEnds(t);
  const { transport, messages, closed } = startTransport(near, nearStream);
  transport.pause();
  far.pause();
  await delay((MAX_SILENT_HEARTBEATS + 3) * INTERVAL_MS);
  far.resume();
  transport.resume();
  far.send(Buffer.alloc(7));
  await Promise.race([once(near, 'message'), closed]);
  t.deepEqual(messages, [7]);
});

/** Watches for messages of up to so many bytes. */
function watch({ near, nearStream }: Ends, maxMessageBytes: number): Promise<string> {
  near.on('error', () => {});
  return new Promise((giveUp) => {
    startHeartbeat(
      { socket: near, maxMessageBytes, isPaused: () => false, giveUp },
      { intervalMs: 20, stream: nearStream },
    );
    near.once('close', () => giveUp('closed'));
  });
}

test('a message that is not finished in time is given up, whatever comes between its fragments', async (t) => {
  const ends = await openEnds(t);
  const givenUp = watch(ends, 200 * SLOWEST_BYTES_PER_MS);
  const trickle = setInterval(() => {
    ends.far.send(Buffer.alloc(1), { fin: false });
    ends.far.pong();
  }, 5);
  t.teardown(() => clearInterval(trickle));
  ends.far.send(Buffer.alloc(256 * 1024), { fin: false });
  t.regex(await givenUp, /^a message is not complete after 0\.\d+ s$/);
});

test('messages that take a while, one after the other, have their time each', async (t) => {
  const ends = await openEnds(t);
  const givenUp = watch(ends, 200 * SLOWEST_BYTES_PER_MS);
  const { far, near } = ends;
  // Three ticks each: fewer than one may take, and together more.
  for (let i = 0; i < 10; i++) {
    const finished = once(near, 'message');
    far.send(Buffer.alloc(256 * 1024), { fin: false });
    await delay(60);
    far.send(Buffer.alloc(1), { fin: true });
    const outcome = await Promise.race([givenUp, finished.then(() => 'finished')]);
    if (!t.is(outcome, 'finished')) return;
  }
});

test('a peer that only pings has no message to finish', async (t) => {
  const ends = await openEnds(t);
  const givenUp = watch(ends, 200 * SLOWEST_BYTES_PER_MS);
  const pings = setInterval(() => ends.far.ping(Buffer.alloc(125)), 1);
  t.teardown(() => clearInterval(pings));
  t.is(await Promise.race([givenUp, delay(800, 'alive')]), 'alive');
});

test('pings that came before a message leave it no more time', async (t) => {
  const ends = await openEnds(t);
  const givenUp = watch(ends, 200 * SLOWEST_BYTES_PER_MS);
  // Each of them may be half a kilobyte.
  for (let i = 0; i < 512; i++) {
    const heard = once(ends.near, 'ping');
    ends.far.ping();
    await heard;
  }
  const finished = once(ends.near, 'message');
  ends.far.send(Buffer.alloc(1));
  await finished;
  ends.far.send(Buffer.alloc(256 * 1024), { fin: false });
  const trickle = setInterval(() => ends.far.send(Buffer.alloc(1), { fin: false }), 5);
  t.teardown(() => clearInterval(trickle));
  t.regex(await givenUp, /^a message is not complete after 0\.\d+ s$/);
});
