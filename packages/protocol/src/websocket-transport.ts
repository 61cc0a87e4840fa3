import { MAX_FRAME_BYTES } from './codec.js';
import { ConnectionClosedError } from './errors.js';
import { type Heartbeat, startHeartbeat } from './heartbeat.js';
import type { OpenWebSocket } from './open-websocket.js';
import type { Transport, TransportClose } from './transport.js';

/** WebSocket fragments one frame may come in. We send every frame whole; a proxy on the way may split it. */
export const MAX_FRAGMENTS = 1024;

/** Options both ends give to `ws`: no compression (the payload is machine code), bounded frames. */
export const WEBSOCKET_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: MAX_FRAME_BYTES,
  maxFragments: MAX_FRAGMENTS,
  skipUTF8Validation: true,
} as const;

/**
 * Gives a client's frames a mask of zeros, with which `ws` leaves them as they are: a mask costs both ends more than all else
 * that becomes of a large frame. It is there for proxies that could take a frame for HTTP (RFC 6455, 10.3), so this is for
 * connections that no proxy reads: sockets of this machine, and TLS.
 */
export const UNMASKED = {
  generateMask: (mask: Uint8Array): void => {
    mask.fill(0);
  },
} as const;

/** As a `net.Socket` does. */
export interface KeepingRunning {
  ref(): unknown;
  unref(): unknown;
}

/** How a WebSocket is used. */
export interface WebSocketTransportOptions {
  /**
   * How the peer is watched; one that is silent, or does not finish its message, is given up (close code 1006). Not at all unless
   * given: where both ends are on one machine, the system tells.
   */
  readonly heartbeat?: Heartbeat | undefined;
  /** What the WebSocket runs over, for who does not want it to keep the program running all the time. */
  readonly stream?: KeepingRunning | undefined;
  /** A message that the upgrade has brought: it is received before what comes over the WebSocket. */
  readonly received?: Uint8Array | undefined;
  /** A message that the peer has had with the upgrade. It is the first that is sent here, and goes nowhere. */
  readonly sent?: Uint8Array | undefined;
}

/** Carries a `Transport` over an open WebSocket. Text frames are a protocol error (close code 1003). */
export class WebSocketTransport implements Transport {
  readonly #socket: OpenWebSocket;
  readonly #stream: KeepingRunning | undefined;
  #handlers: Parameters<Transport['start']>[0] | undefined;
  readonly #held: Uint8Array[];
  #sent: Uint8Array | undefined;
  #close: TransportClose | undefined;
  #closing = false;
  #isPaused = true;
  /** The first error's words: 'close' always follows 'error', and its own reason is empty then. */
  #failure = '';

  constructor(socket: OpenWebSocket, { heartbeat, stream, received, sent }: WebSocketTransportOptions = {}) {
    this.#held = received ? [received] : [];
    this.#sent = sent;
    this.#socket = socket;
    this.#stream = stream;
    if (heartbeat) this.#watch(heartbeat);
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (this.#closing) return;
      if (!isBinary) this.close(1003, 'binary frames only');
      else if (this.#handlers) this.#handlers.onMessage(data);
      else this.#held.push(data);
    });
    socket.on('error', (error: Error) => {
      this.#failure ||= error.message;
    });
    socket.on('close', (code: number, reason: Buffer) => {
      this.#close = { code, reason: reason.toString() || this.#failure };
      this.#handlers?.onClose(this.#close);
    });
    // What arrives before `start` waits in the socket; what `ws` has read already is held here.
    socket.pause();
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  keepRunning(isNeeded: boolean): void {
    if (isNeeded) this.#stream?.ref();
    else this.#stream?.unref();
  }

  send(message: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN)
      throw new ConnectionClosedError('the WebSocket is not open');
    if (this.#sent) return this.#noteSent(message, this.#sent);
    this.#socket.send(message, { binary: true });
  }

  close(code: number, reason: string): void {
    this.#closing = true;
    // The peer's closing frame must be read even when nobody has called `start`.
    this.#socket.resume();
    this.#socket.close(code, clip(reason));
  }

  start(handlers: Parameters<Transport['start']>[0]): void {
    this.#handlers = handlers;
    for (const message of this.#held.splice(0)) handlers.onMessage(message);
    if (this.#close) handlers.onClose(this.#close);
    this.resume();
  }

  #noteSent(message: Uint8Array, sent: Uint8Array): void {
    this.#sent = undefined;
    if (Buffer.compare(message, sent) !== 0)
      throw new Error('the first message is not the one that the upgrade has brought');
  }

  #watch(heartbeat: Heartbeat): void {
    const watched = {
      socket: this.#socket,
      maxMessageBytes: MAX_FRAME_BYTES,
      isPaused: () => this.#isPaused,
      giveUp: (words: string) => {
        this.#failure ||= words;
        this.#socket.terminate();
      },
    };
    startHeartbeat(watched, heartbeat);
  }
}

/** A close frame's reason holds 123 bytes of UTF-8; a character cut in half is dropped. */
function clip(reason: string): string {
  const bytes = Buffer.from(reason).subarray(0, 123);
  return new TextDecoder().decode(bytes, { stream: true });
}
