import type { Socket } from 'node:net';
import { type Connection, MAX_UNOPENED_FRAME_BYTES, type OpenWebSocket } from '@farjit/protocol';
import type { Guard } from './guard.js';

/** What is read of a socket at a time: the end of one message may come together with the beginning of the next. */
const READ_BYTES = 64 * 1024;

/** Of a session, what tells whether its peer is still to be bounded, and cuts it off. */
interface UnopenedSession {
  readonly isUnopened: boolean;
  readonly connection: Connection;
}

/**
 * Cuts a peer off whose message is larger than one may be before the session is open, when so much of it has come: a WebSocket
 * keeps the fragments of a message that has no end.
 */
export function guardUnopened(
  socket: Socket,
  webSocket: OpenWebSocket,
  session: UnopenedSession,
  guard: Guard,
): void {
  let unfinishedBytes = 0;
  const onMessage = guard.wrap('session.unopened', () => {
    unfinishedBytes = 0;
  });
  const onData = guard.wrap('session.unopened', (chunk: Buffer) => {
    unfinishedBytes += chunk.length;
    const isTooMuch = unfinishedBytes > MAX_UNOPENED_FRAME_BYTES + READ_BYTES;
    if (session.isUnopened && !isTooMuch) return;
    webSocket.off('message', onMessage);
    socket.off('data', onData);
    if (!session.isUnopened) return;
    const words = `a message of more than ${MAX_UNOPENED_FRAME_BYTES} bytes before the session is open`;
    session.connection.close(1009, words);
    // It would go on reading until the peer has closed, too.
    webSocket.terminate();
  });
  webSocket.on('message', onMessage);
  socket.on('data', onData);
}
