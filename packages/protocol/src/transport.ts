import { ConnectionClosedError } from './errors.js';

/** Why a transport closed: the WebSocket close code and its words. */
export interface TransportClose {
  readonly code: number;
  readonly reason: string;
}

/**
 * An ordered, reliable channel of whole binary messages. Handlers are set once; until then a transport holds back
 * what arrives, the closing included. After `onClose` no handler is called again.
 */
export interface Transport {
  /** Queues one message. Throws `ConnectionClosedError` after close. */
  send(message: Uint8Array): void;
  /** Closes with a WebSocket close code; nothing is received after it. Closing twice does nothing. */
  close(code: number, reason: string): void;
  start(handlers: {
    onMessage: (message: Uint8Array) => void;
    onClose: (close: TransportClose) => void;
  }): void;
  /** Bytes accepted by `send` that the other end has not taken yet. */
  readonly bufferedBytes: number;
  /** Stops taking messages from the other end, which then finds its own `bufferedBytes` growing; a few may still come. */
  pause?(): void;
  /** Undoes `pause`. */
  resume?(): void;
  /** Whether it keeps the program running that has it, as it does until it is told otherwise. */
  keepRunning?(isNeeded: boolean): void;
  /**
   * Connects again after this transport was lost; absent where there is no way back.
   * @param receivedCount frames received so far.
   * @throws {FarJITError} when that cannot be done, now or ever.
   */
  reopen?(receivedCount: number): Promise<Reopened>;
}

/** What a lost transport is followed by. */
export interface Reopened {
  readonly transport: Transport;
  /** Frames that the other end has received. */
  readonly receivedCount: number;
}

type Handlers = Parameters<Transport['start']>[0];

class MemoryTransport implements Transport {
  peer: MemoryTransport | undefined;
  bufferedBytes = 0;
  #handlers: Handlers | undefined;
  #held: Uint8Array[] = [];
  #close: TransportClose | undefined;

  send(message: Uint8Array): void {
    if (this.#close) throw new ConnectionClosedError('the in-memory transport is closed');
    const copy = new Uint8Array(message);
    queueMicrotask(() => this.peer?.deliver(copy));
  }

  start(handlers: Handlers): void {
    this.#handlers = handlers;
    for (const message of this.#held.splice(0)) handlers.onMessage(message);
    if (this.#close) handlers.onClose(this.#close);
  }

  deliver(message: Uint8Array): void {
    if (this.#close) return;
    if (this.#handlers) this.#handlers.onMessage(message);
    else this.#held.push(message);
  }

  close(code: number, reason: string): void {
    this.finish({ code, reason });
    queueMicrotask(() => this.peer?.finish({ code, reason }));
  }

  finish(close: TransportClose): void {
    if (this.#close) return;
    this.#close = close;
    this.#handlers?.onClose(close);
  }
}

/** Two cross-wired ends of an in-memory channel. */
export function createMemoryTransportPair(): [Transport, Transport] {
  const a = new MemoryTransport();
  const b = new MemoryTransport();
  a.peer = b;
  b.peer = a;
  return [a, b];
}
