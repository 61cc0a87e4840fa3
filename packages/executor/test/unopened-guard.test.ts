import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { MAX_UNOPENED_FRAME_BYTES } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import type { WebSocket } from 'ws';
import { Guard } from '../src/guard.js';
import type { Session } from '../src/session.js';
import { guardUnopened } from '../src/unopened-guard.js';

const MOST_BYTES = MAX_UNOPENED_FRAME_BYTES + 64 * 1024;

/** A socket and a WebSocket that only say what has come. */
function prepare(t: ExecutionContext) {
  const socket = new EventEmitter();
  const happened: string[] = [];
  const webSocket = Object.assign(new EventEmitter(), { terminate: () => happened.push('terminated') });
  const session = {
    isUnopened: true,
    connection: { close: (code: number) => happened.push(`closed with ${code}`) },
  };
  const guard = new Guard({ onFault: (place, error) => t.fail(`${place}: ${error}`) });
  guardUnopened(
    socket as unknown as Socket,
    webSocket as unknown as WebSocket,
    session as unknown as Pick<Session, 'isUnopened' | 'connection'>,
    guard,
  );
  const receive = (sizeBytes: number) => socket.emit('data', Buffer.alloc(sizeBytes));
  const listeners = () => socket.listenerCount('data') + webSocket.listenerCount('message');
  return { socket, webSocket, session, happened, receive, listeners };
}

test('a message may be so long before the session is open, and a byte more ends it', (t) => {
  const { receive, happened, listeners } = prepare(t);
  receive(MOST_BYTES - 10);
  receive(10);
  t.deepEqual(happened, []);
  receive(1);
  t.deepEqual(happened, ['closed with 1009', 'terminated']);
  t.is(listeners(), 0);
});

test('each message counts for itself', (t) => {
  const { receive, webSocket, happened } = prepare(t);
  for (let i = 0; i < 3; i++) {
    receive(MOST_BYTES);
    webSocket.emit('message');
  }
  t.deepEqual(happened, []);
});

test('once the session is open nobody counts any more', (t) => {
  const { receive, session, happened, listeners } = prepare(t);
  receive(MOST_BYTES);
  session.isUnopened = false;
  receive(MOST_BYTES);
  t.deepEqual(happened, []);
  t.is(listeners(), 0);
});
