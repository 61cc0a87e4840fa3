import type { Socket } from 'node:net';
import type { OpenWebSocket } from '@farjit/protocol';
import type { Lane } from './turns.js';

/**
 * Bytes that a WebSocket looks at between two looks at the time. The smallest frames have six, and it takes one or two
 * milliseconds to look at so many.
 */
const PIECE_BYTES = 8 * 1024;
/** What is looked at without a look at the time: there is one such piece in a round of the event loop, or more would have come. */
const SMALL_BYTES = 1024;

/**
 * Has a WebSocket look at what comes over its socket in a lane's turns. What it does with a frame it does by itself: pings,
 * pongs and the fragments of a message are nobody's work, however many there are, and the system hands over two megabytes
 * in one go. The lane ends with the socket.
 */
export function readInTurns(socket: Socket, webSocket: OpenWebSocket, lane: Lane): void {
  const parsers = socket.listeners('data');
  socket.removeAllListeners('data');
  const pieces: Buffer[] = [];
  const parse = (piece: Buffer) => {
    for (const parser of parsers) parser.call(socket, piece);
  };
  const parseNext = () => {
    const piece = pieces.shift();
    if (piece) parse(piece);
  };
  const parseAll = () => {
    while (pieces.length > 0) parseNext();
  };
  socket.on('data', (chunk: Buffer) => {
    if (chunk.length <= SMALL_BYTES && pieces.length === 0) return parse(chunk);
    let last: Promise<void> | undefined;
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      pieces.push(chunk.subarray(at, at + PIECE_BYTES));
      last = lane.run(parseNext) ?? last;
    }
    if (!last) return;
    socket.pause();
    void last.then(() => {
      if (pieces.length === 0 && !webSocket.isPaused) socket.resume();
    });
  });
  // What has come before the end is looked at before it.
  socket.prependListener('end', parseAll);
  socket.prependListener('close', () => {
    parseAll();
    lane.close();
  });
}
