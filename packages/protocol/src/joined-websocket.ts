import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { OpenWebSocket } from './open-websocket.js';
import { UNMASKED, WEBSOCKET_OPTIONS } from './websocket-transport.js';

/** Which end of the connection: a client's frames have masks, a server's have none. */
export type WebSocketRole = 'client' | 'server';

/** Limits that ws sets by itself where there is a handshake. */
const LIMITS = { maxBufferedChunks: 256 * 1024, maxPendingAutoPongs: 60, closeTimeout: 30_000 };

/** What `WebSocketServer` and ws's client do after the handshake, which ws has no public name for. */
interface Joinable extends WebSocket {
  _isServer: boolean;
  setSocket(socket: Duplex, head: Buffer, options: object): void;
}

const JoinableWebSocket = WebSocket as unknown as new (
  address: null,
  protocols: undefined,
  options: object,
) => Joinable;

/**
 * A WebSocket over a stream whose two ends belong together from the start, such as a socket pair: frames as in RFC 6455,
 * and no handshake before them, since it would tell neither end anything. Node's HTTP is not loaded for it.
 */
export function joinWebSocket(socket: Duplex, role: WebSocketRole): OpenWebSocket {
  const options = {
    ...WEBSOCKET_OPTIONS,
    ...UNMASKED,
    ...LIMITS,
    allowSynchronousEvents: true,
    autoPong: true,
  };
  const webSocket = new JoinableWebSocket(null, undefined, options);
  webSocket._isServer = role === 'server';
  webSocket.setSocket(socket, Buffer.alloc(0), options);
  return webSocket;
}
