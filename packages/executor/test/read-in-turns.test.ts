import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type WebSocket, WebSocketServer } from 'ws';
import { readInTurns } from '../src/read-in-turns.js';
import { Turns } from '../src/turns.js';
import { until } from './session-fixture.js';

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
/** What is read of a socket at a time. */
const CHUNK_BYTES = 65_536;
/** A pong and a fragment of nothing: header and mask. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const BEGINNING = Buffer.from([0x02, 0x80, 0, 0, 0, 0]);
const FRAGMENT = Buffer.from([0x00, 0x80, 0, 0, 0, 0]);
const LAST = Buffer.from([0x80, 0x80, 0, 0, 0, 0]);

/** A frame of a client, with a mask of zeros. */
function binaryFrame(content: Buffer): Buffer {
  const header = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(content.length, 6);
  return Buffer.concat([header, content]);
}

interface Opened {
  readonly webSocket: WebSocket;
  /** Under the WebSocket. */
  readonly socket: Socket;
  readonly peer: Socket;
  readonly charged: number[];
}

/** A WebSocket that is read in turns, and the other end of its socket. */
async function open(t: ExecutionContext, turns = new Turns()): Promise<Opened> {
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const charged: number[] = [];
  const lane = turns.lane({
    charge: (usedMs) => charged.push(usedMs),
    fault: (error) => t.fail(`${error}`),
  });
  const opened = new Promise<Pick<Opened, 'webSocket' | 'socket'>>((resolve) => {
    http.on('upgrade', (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        readInTurns(socket as Socket, webSocket, lane);
        resolve({ webSocket, socket: socket as Socket });
      }),
    );
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.teardown(() => http.close());
  const peer = connect((http.address() as AddressInfo).port, '127.0.0.1');
  peer.on('error', () => {});
  t.teardown(() => peer.destroy());
  peer.write(UPGRADE);
  const { webSocket, socket } = await opened;
  t.teardown(() => webSocket.terminate());
  return { webSocket, socket, peer, charged };
}

/** The most that a count grows by between two looks of the event loop. */
function mostAtOnce(count: () => number): { stop(): number } {
  let [before, most, isOver] = [count(), 0, false];
  const look = () => {
    most = Math.max(most, count() - before);
    before = count();
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  return {
    stop() {
      isOver = true;
      return most;
    },
  };
}

test.serial('pongs without end are looked at in turns', async (t) => {
  const { webSocket, peer, charged } = await open(t);
  let pongs = 0;
  webSocket.on('pong', () => pongs++);
  const most = mostAtOnce(() => pongs);
  const sent = 400_000;
  peer.write(Buffer.concat(Array(sent).fill(PONG)));
  await until(() => pongs === sent);
  t.true(most.stop() <= CHUNK_BYTES / PONG.length, `${most.stop()}`);
  t.true(charged.reduce((sum, usedMs) => sum + usedMs, 0) > 0);
});

test.serial('fragments without end are looked at in turns', async (t) => {
  const { webSocket, peer } = await open(t);
  let messages = 0;
  webSocket.on('message', () => messages++);
  const most = mostAtOnce(() => messages);
  const message = Buffer.concat([BEGINNING, ...Array(998).fill(FRAGMENT), LAST]);
  const sent = 400;
  peer.write(Buffer.concat(Array(sent).fill(message)));
  await until(() => messages === sent);
  t.true(most.stop() <= Math.ceil(CHUNK_BYTES / message.length), `${most.stop()}`);
});

test.serial('messages come whole and in order, and all of them before the end', async (t) => {
  const { webSocket, peer } = await open(t);
  const came: Buffer[] = [];
  webSocket.on('message', (data) => came.push(data as Buffer));
  const sent = [3_000_000, 1, 70_000, 65_536, 8192].map((sizeBytes, i) => Buffer.alloc(sizeBytes, i + 1));
  peer.end(Buffer.concat(sent.map(binaryFrame)));
  const [code] = await once(webSocket, 'close');
  t.is(code, 1006);
  t.deepEqual(
    came.map((message) => [message.length, message[0], message.at(-1)]),
    sent.map((message) => [message.length, message[0], message.at(-1)]),
  );
});

test.serial('one who is paused is not read on', async (t) => {
  const { webSocket, peer } = await open(t);
  let messages = 0;
  webSocket.on('message', () => {
    messages++;
    webSocket.pause();
  });
  peer.write(Buffer.concat(Array(40).fill(binaryFrame(Buffer.alloc(200_000)))));
  await until(() => messages > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.true(messages <= 2, `${messages}`);
  const more = setInterval(() => webSocket.resume(), 1);
  t.teardown(() => clearInterval(more));
  await until(() => messages === 40);
  t.pass();
});

test.serial(
  'one who is paused while pieces wait for their turn stays so, and gets nothing new',
  async (t) => {
    // A message uses up the turn, so that all pieces after the first wait.
    let messages = 0;
    const { webSocket, socket, peer } = await open(t, new Turns(() => messages));
    webSocket.on('message', () => {
      if (messages++ === 0) webSocket.pause();
    });
    const sent = 4 * CHUNK_BYTES;
    peer.write(Buffer.concat(Array(sent / 64).fill(binaryFrame(Buffer.alloc(50)))));
    await until(() => messages > 0);
    // More than all pieces need.
    for (let round = 0; round < 100; round++) await new Promise(setImmediate);
    t.true(socket.isPaused());
    // What had been read is looked at, and no more is read.
    t.true(messages <= CHUNK_BYTES / 64, `${messages}`);
    webSocket.resume();
    await until(() => messages === sent / 64);
  },
);
