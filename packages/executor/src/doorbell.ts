import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Guard } from './guard.js';
import { socketPair } from './native/libc.js';
import { BELL, BELL_BYTES } from './native/shared-layout.js';

/**
 * Bells heard before others have their turn. The dearest costs some 60 µs, so a turn is less than 5 ms; a runner has
 * no more calls than this at a time.
 */
export const BELLS_PER_TURN = 64;

/** One message of the doorbell, from the runner: any values. */
export interface Bell {
  readonly kind: number;
  readonly slot: number;
  readonly value: number;
}

export interface DoorbellOptions {
  readonly socket: Socket;
  readonly guard: Guard;
  readonly onBell: (bell: Bell) => void;
  readonly onClose: () => void;
  /** True when nothing more is to be heard. */
  readonly isDeaf: () => boolean;
}

/**
 * Both ends of a doorbell, before there is a runner. Node could make them as it starts the runner, and leaves them open
 * when it cannot for want of descriptors.
 */
export class DoorbellEnds {
  readonly socket: Socket;
  readonly runnerFd: number;

  /** @throws the system's error, and then none is open. */
  constructor() {
    const [hostFd, runnerFd] = socketPair();
    this.runnerFd = runnerFd;
    try {
      this.socket = new Socket({ fd: hostFd, readable: true, writable: true });
    } catch (error) {
      closeSync(hostFd);
      closeSync(runnerFd);
      throw error;
    }
  }

  /** The host's copy of it: while it is open the doorbell never ends. */
  closeRunnerEnd(): void {
    closeSync(this.runnerFd);
  }
}

/**
 * The host's end of a runner's doorbell. However many bells a runner rings, few are heard in one turn: the rest waits,
 * in one chunk here and then with the runner.
 */
export class Doorbell {
  readonly #options: DoorbellOptions;
  /** Received and not heard yet. */
  #waiting: Buffer = Buffer.alloc(0);
  #hasTurnToCome = false;
  #isSocketClosed = false;
  #isClosed = false;

  constructor(options: DoorbellOptions) {
    this.#options = options;
    const { socket, guard } = options;
    socket.on(
      'data',
      guard.wrap('runner.bells', (chunk: Buffer) => this.#receive(chunk)),
    );
    // A write to a runner that is gone; its exit says more.
    socket.on('error', () => {});
    socket.on(
      'close',
      guard.wrap('runner.doorbell-close', () => {
        this.#isSocketClosed = true;
        if (!this.#hasTurnToCome) this.#close();
      }),
    );
  }

  /** All that was rung has been heard, and no more will be. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  ring(kind: number, slot: number, value: number): void {
    const { socket } = this.#options;
    const bell = Buffer.alloc(BELL_BYTES);
    bell.writeUInt16LE(kind, BELL.kind);
    bell.writeUInt16LE(slot, BELL.slot);
    bell.writeUInt32LE(value, BELL.value);
    if (socket.writable) socket.write(bell);
  }

  close(): void {
    this.#options.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#waiting = this.#waiting.byteLength > 0 ? Buffer.concat([this.#waiting, chunk]) : chunk;
    this.#takeTurn();
  }

  #takeTurn(): void {
    const { socket, guard } = this.#options;
    this.#hasTurnToCome = !this.#hear();
    if (this.#hasTurnToCome) {
      socket.pause();
      guard.later('runner.bells', () => this.#takeTurn());
    } else if (this.#isSocketClosed) this.#close();
    else socket.resume();
  }

  #close(): void {
    this.#isClosed = true;
    this.#options.onClose();
  }

  /** @returns whether all that has come has been heard. */
  #hear(): boolean {
    const { onBell, isDeaf } = this.#options;
    const bytes = this.#waiting;
    const end = Math.min(bytes.byteLength, BELLS_PER_TURN * BELL_BYTES);
    let at = 0;
    for (; at + BELL_BYTES <= end; at += BELL_BYTES) {
      if (isDeaf()) {
        this.#waiting = Buffer.alloc(0);
        return true;
      }
      onBell({
        kind: bytes.readUInt16LE(at + BELL.kind),
        slot: bytes.readUInt16LE(at + BELL.slot),
        value: bytes.readUInt32LE(at + BELL.value),
      });
    }
    this.#waiting = bytes.subarray(at);
    return this.#waiting.byteLength < BELL_BYTES;
  }
}
