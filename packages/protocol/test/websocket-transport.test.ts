import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { WebSocket, WebSocketServer } from 'ws';
import { MAX_FRAME_BYTES } from '../src/codec.js';
import { Connection } from '../src/connection.js';
import { ConnectionClosedError } from '../src/errors.js';
import { output } from '../src/messages/session.js';
import type { TransportClose } from '../src/transport.js';
import { MAX_FRAGMENTS, WEBSOCKET_OPTIONS, WebSocketTransport } from '../src/websocket-transport.js';

function temporarySocket(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-protocol-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'executor.sock');
}

/** A WebSocket over a Unix socket: the end under test, and the bare `ws` object of its peer. */
async function openWebSocket(t: ExecutionContext): Promise<{ near: WebSocket; far: WebSocket }> {
  const path = temporarySocket(t);
  const http = createHttpServer();
  const server = new WebSocketServer({ ...WEBSOCKET_OPTIONS, server: http });
  http.listen(path);
  await once(http, 'listening');
  const connected = once(server, 'connection');
  const far = new WebSocket(`ws+unix:${path}:/`, WEBSOCKET_OPTIONS);
  await once(far, 'open');
  const [near] = (await connected) as [WebSocket];
  t.teardown(() => {
    near.terminate();
    far.terminate();
    server.close();
    http.close();
  });
  return { near, far };
}

interface Received {
  readonly messages: number[][];
  readonly closed: Promise<TransportClose>;
  /** Resolves as soon as there are so many messages. */
  until(messageCount: number): Promise<void>;
}

function startRecording(transport: WebSocketTransport): Received {
  const messages: number[][] = [];
  const arrivals = new EventEmitter();
  const closed = new Promise<TransportClose>((resolve) => {
    const onMessage = (message: Uint8Array) => {
      messages.push([...message]);
      arrivals.emit('message');
    };
    transport.start({ onMessage, onClose: resolve });
  });
  const until = async (messageCount: number) => {
    while (messages.length < messageCount) await once(arrivals, 'message');
  };
  return { messages, closed, until };
}

test('binary messages pass whole, in order, both ways', async (t) => {
  const { near, far } = await openWebSocket(t);
  const transports = [new WebSocketTransport(near), new WebSocketTransport(far)] as const;
  const [atNear, atFar] = [startRecording(transports[0]), startRecording(transports[1])];
  for (const byte of [1, 2, 3]) {
    transports[0].send(Uint8Array.of(byte, byte));
    transports[1].send(Uint8Array.of(10 + byte));
  }
  transports[0].send(new Uint8Array());
  await Promise.all([atNear.until(3), atFar.until(4)]);
  transports[1].close(1000, 'bye');
  t.like(await atNear.closed, { code: 1000, reason: 'bye' });
  t.like(await atFar.closed, { code: 1000, reason: 'bye' });
  t.deepEqual(atNear.messages, [[11], [12], [13]]);
  t.deepEqual(atFar.messages, [[1, 1], [2, 2], [3, 3], []]);
});

test('what the upgrade has brought is received first, and at the other end not sent again', async (t) => {
  const { near, far } = await openWebSocket(t);
  const brought = Uint8Array.of(1, 2);
  const atNear = startRecording(new WebSocketTransport(near, { received: brought }));
  const transport = new WebSocketTransport(far, { sent: brought });
  transport.send(Uint8Array.of(1, 2));
  transport.send(Uint8Array.of(1, 2));
  transport.send(Uint8Array.of(3));
  await atNear.until(3);
  t.deepEqual(atNear.messages, [[1, 2], [1, 2], [3]]);
});

test('another first message than the upgrade has brought is a bug of ours', async (t) => {
  const { far } = await openWebSocket(t);
  const transport = new WebSocketTransport(far, { sent: Uint8Array.of(1, 2) });
  t.throws(() => transport.send(Uint8Array.of(1, 3)), {
    message: /is not the one that the upgrade has brought/,
  });
});

test('a text frame closes with 1003, and nothing after it is received', async (t) => {
  const { near, far } = await openWebSocket(t);
  const { messages, closed } = startRecording(new WebSocketTransport(near));
  far.send(Buffer.of(1));
  far.send('hello');
  far.send(Buffer.of(2));
  const [code, reason] = (await once(far, 'close')) as [number, Buffer];
  t.deepEqual([code, reason.toString()], [1003, 'binary frames only']);
  t.is((await closed).code, 1003);
  t.deepEqual(messages, [[1]]);
});

test('a frame above the limit is refused from its header, with 1009 for the sender and words for us', async (t) => {
  const { near, far } = await openWebSocket(t);
  const { messages, closed } = startRecording(new WebSocketTransport(near));
  far.send(Buffer.alloc(MAX_FRAME_BYTES + 1));
  const [code] = (await once(far, 'close')) as [number];
  t.is(code, 1009);
  t.regex((await closed).reason, /Max payload size exceeded/);
  t.deepEqual(messages, []);
});

test('a frame of the largest size passes', async (t) => {
  const { near, far } = await openWebSocket(t);
  const received = new Promise<number>((resolve) => {
    new WebSocketTransport(near).start({ onMessage: ({ byteLength }) => resolve(byteLength), onClose() {} });
  });
  far.send(Buffer.alloc(MAX_FRAME_BYTES));
  t.is(await received, MAX_FRAME_BYTES);
});

test('a message in more fragments than the limit is refused', async (t) => {
  const { near, far } = await openWebSocket(t);
  const { messages, closed } = startRecording(new WebSocketTransport(near));
  for (let i = 0; i < MAX_FRAGMENTS; i++) far.send(Buffer.of(i & 0xff), { fin: i === MAX_FRAGMENTS - 1 });
  for (let i = 0; i <= MAX_FRAGMENTS; i++) far.send(Buffer.of(i & 0xff), { fin: false });
  t.regex((await closed).reason, /Too many message fragments/);
  t.deepEqual(
    messages.map(({ length }) => length),
    [MAX_FRAGMENTS],
  );
});

test('messages before start are kept', async (t) => {
  const { near, far } = await openWebSocket(t);
  const transport = new WebSocketTransport(near);
  for (const byte of [1, 2, 3]) far.send(Buffer.of(byte));
  far.ping();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { messages, closed } = startRecording(transport);
  far.close(1000);
  await closed;
  t.deepEqual(messages, [[1], [2], [3]]);
});

test('messages that come in one packet with the upgrade are kept', async (t) => {
  const path = temporarySocket(t);
  const server: Server = createServer((socket: Socket) => {
    socket.once('data', (head) => {
      const key = /^sec-websocket-key: (.*)$/im.exec(head.toString())?.[1]?.trim() ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const answer = [
        'HTTP/1.1 101 x',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${accept}`,
      ];
      // Two unmasked binary frames of one byte, and a closing frame with code 1000.
      const frames = Buffer.from([0x82, 1, 7, 0x82, 1, 8, 0x88, 2, 0x03, 0xe8]);
      socket.write(Buffer.concat([Buffer.from(`${answer.join('\r\n')}\r\n\r\n`), frames]));
      socket.on('data', () => socket.end());
    });
  });
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const socket = new WebSocket(`ws+unix:${path}:/`, WEBSOCKET_OPTIONS);
  const transport = await new Promise<WebSocketTransport>((resolve, reject) => {
    socket.once('open', () => resolve(new WebSocketTransport(socket)));
    socket.once('error', reject);
  });
  const { messages, closed } = startRecording(transport);
  t.is((await closed).code, 1000);
  t.deepEqual(messages, [[7], [8]]);
});

test('a socket that closed before start is noticed at start', async (t) => {
  const { near, far } = await openWebSocket(t);
  const transport = new WebSocketTransport(near);
  far.terminate();
  near.terminate();
  await once(near, 'close');
  t.is((await startRecording(transport).closed).code, 1006);
});

test('a peer that is killed is a close with code 1006', async (t) => {
  const { near, far } = await openWebSocket(t);
  const { closed } = startRecording(new WebSocketTransport(near));
  far.terminate();
  t.is((await closed).code, 1006);
});

test('a long reason is clipped to what a close frame holds, between characters', async (t) => {
  const { near, far } = await openWebSocket(t);
  startRecording(new WebSocketTransport(far));
  const { closed } = startRecording(new WebSocketTransport(near));
  const transport = new WebSocketTransport(far);
  transport.close(1002, `x${'€'.repeat(100)}`);
  t.deepEqual(await closed, { code: 1002, reason: `x${'€'.repeat(40)}` });
});

test('send after close throws ConnectionClosedError', async (t) => {
  const { near } = await openWebSocket(t);
  const transport = new WebSocketTransport(near);
  transport.close(1000, 'done');
  t.throws(() => transport.send(Uint8Array.of(1)), { instanceOf: ConnectionClosedError });
  t.notThrows(() => transport.close(1000, 'done'));
});

test('bufferedBytes counts what the peer has not taken', async (t) => {
  const { near, far } = await openWebSocket(t);
  const transport = new WebSocketTransport(near);
  t.is(transport.bufferedBytes, 0);
  far.pause();
  for (let i = 0; i < 64; i++) transport.send(new Uint8Array(1 << 20));
  t.true(transport.bufferedBytes > 32 << 20);
});

test('a connection over it carries a notification, and its end has the peer’s words', async (t) => {
  const { near, far } = await openWebSocket(t);
  const compiler = new Connection(new WebSocketTransport(near));
  const executor = new Connection(new WebSocketTransport(far));
  const content = new Promise<Uint8Array>((resolve) => {
    compiler.onNotification(output, (params) => resolve(params.content));
  });
  compiler.start();
  executor.start();
  executor.notify(output, { stream: 'stderr', content: Uint8Array.of(104, 105) });
  t.is(Buffer.from(await content).toString(), 'hi');
  executor.close(1001, 'going down');
  t.regex((await compiler.closed).message, /1001: going down/);
});
