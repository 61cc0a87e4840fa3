import type { RawData, WebSocket } from 'ws';
import { ConnectionClosedError } from './errors.js';
import type { Transport } from './transport.js';

/** Largest frame either end accepts: a link of a few hundred functions with room to spare. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** Options both ends give to `ws`: no compression (the payload is machine code), bounded frames. */
export const WEBSOCKET_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: MAX_FRAME_BYTES,
  skipUTF8Validation: true,
} as const;

/** Carries a `Transport` over an open WebSocket. Text frames are a protocol error (close code 1003). */
export class WebSocketTransport implements Transport {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    // Messages that arrive before `start` wait in the socket.
    socket.pause();
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN)
      throw new ConnectionClosedError('the WebSocket is not open');
    this.#socket.send(message, { binary: true });
  }

  close(code: number, reason: string): void {
    // A close frame's reason holds 123 bytes of UTF-8.
    this.#socket.close(
      code,
      Buffer.from(reason)
        .subarray(0, 120)
        .toString()
        .replace(/\ufffd+$/, ''),
    );
  }

  start(handlers: Parameters<Transport['start']>[0]): void {
    const socket = this.#socket;
    let failure = '';
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (!isBinary) socket.close(1003, 'binary frames only');
      else handlers.onMessage(data as Buffer);
    });
    // 'close' always follows 'error'; the error's words are what the user needs.
    socket.on('error', (error) => {
      failure = error.message;
    });
    socket.on('close', (code, reason) => {
      handlers.onClose({ code, reason: reason.toString() || failure });
    });
    socket.resume();
  }
}
