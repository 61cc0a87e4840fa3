import type { EventEmitter } from 'node:events';

/**
 * A WebSocket of ws that is open, as far as it is used: what the packages declare needs no types of ws, which whoever
 * compiles against them may not have.
 */
export interface OpenWebSocket extends EventEmitter {
  readonly readyState: number;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
  /** Bytes that are still to be sent. */
  readonly bufferedAmount: number;
  readonly isPaused: boolean;
  send(message: Uint8Array, done?: (error?: Error) => void): void;
  send(message: Uint8Array, options: { readonly binary: boolean }): void;
  ping(): void;
  pause(): void;
  resume(): void;
  close(code?: number, reason?: string): void;
  /** Without a closing handshake. */
  terminate(): void;
}
