import { closeSync, readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Guard } from './guard.js';
import { socketPair } from './native/libc.js';
import { BELL, BELL_BYTES } from './native/shared-layout.js';
import type { LaneTurns } from './turns.js';

/** One message of the doorbell, from the runner: any values. */
export interface Bell {
  readonly kind: number;
  readonly slot: number;
  readonly value: number;
}

export interface DoorbellOptions {
  readonly ends: Pick<DoorbellEnds, 'socket' | 'hostFd'>;
  readonly guard: Guard;
  readonly onBell: (bell: Bell) => void;
  /** All that was rung has been heard, and no more will be. */
  readonly onClose: () => void;
}

/**
 * Both ends of a doorbell, before there is a runner. Node could make them as it starts the runner, and leaves them open
 * when it cannot for want of descriptors.
 */
export class DoorbellEnds {
  readonly socket: Socket;
  /** The socket's, until it is destroyed. */
  readonly hostFd: number;
  readonly runnerFd: number;

  /** @throws the system's error, and then none is open. */
  constructor() {
    const [hostFd, runnerFd] = socketPair();
    this.hostFd = hostFd;
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
 * The host's end of a runner's doorbell. However many bells a runner rings, they are heard in turns with what else there
 * is to do: the rest waits, in one chunk here and then with the runner.
 */
export class Doorbell {
  readonly #options: DoorbellOptions;
  /** Received and not heard yet. */
  #waiting: Buffer = Buffer.alloc(0);
  #turns: LaneTurns | undefined;
  #hasTurnToCome = false;
  #isHeld = false;
  #hasRunnerEnded = false;
  #isSocketClosed = false;
  #isClosed = false;
  #heardCount = 0;

  constructor(options: DoorbellOptions) {
    this.#options = options;
    const { ends, guard } = options;
    ends.socket.on(
      'data',
      guard.wrapUncounted('runner.bells', (chunk: Buffer) => this.#receive(chunk)),
    );
    // A write to a runner that is gone; its exit says more.
    ends.socket.on('error', () => {});
    ends.socket.on(
      'close',
      guard.wrap('runner.doorbell-close', () => {
        this.#isSocketClosed = true;
        this.#goOn();
      }),
    );
  }

  /** All that was rung has been heard, and no more will be. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bells up to now. */
  get heardCount(): number {
    return this.#heardCount;
  }

  /**
   * Whether the runner has left its end, which the system knows before there is news of it. What it has rung meanwhile
   * is heard.
   */
  isLeft(): boolean {
    const { socket, hostFd } = this.#options.ends;
    if (socket.destroyed) return true;
    const bell = Buffer.alloc(BELL_BYTES);
    const sizeBytes = readNow(hostFd, bell);
    if (sizeBytes) this.#receive(bell.subarray(0, sizeBytes));
    return sizeBytes === 0;
  }

  /** From now on bells are heard in these turns. */
  share(turns: LaneTurns): void {
    this.#turns = turns;
  }

  ring(kind: number, slot: number, value: number): void {
    const { socket, hostFd } = this.#options.ends;
    if (!socket.writable) return;
    const bell = Buffer.alloc(BELL_BYTES);
    bell.writeUInt16LE(kind, BELL.kind);
    bell.writeUInt16LE(slot, BELL.slot);
    bell.writeUInt32LE(value, BELL.value);
    // The stream would close, and lose what it has not read, when the runner is gone.
    if (socket.writableLength > 0 || !writeNow(hostFd, bell)) socket.write(bell);
  }

  /** Hears nothing more for now. */
  hold(): void {
    this.#isHeld = true;
    this.#options.ends.socket.pause();
  }

  /**
   * Hears what was rung before the runner ended, whatever else waits for a turn: it is no more than a socket holds, and
   * nothing comes after it.
   */
  hearRest(): void {
    this.#isHeld = false;
    this.#hasRunnerEnded = true;
    this.#hasTurnToCome = false;
    this.#goOn();
  }

  close(): void {
    this.#options.ends.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#waiting = this.#waiting.byteLength > 0 ? Buffer.concat([this.#waiting, chunk]) : chunk;
    this.#goOn();
  }

  /** Has the next bell heard, waits for one, or closes when there will be none. */
  #goOn(): void {
    if (this.#isHeld || this.#hasTurnToCome || this.#isClosed) return;
    const { ends, onClose } = this.#options;
    if (this.#waiting.byteLength >= BELL_BYTES) {
      this.#hasTurnToCome = true;
      this.#askForTurn();
      if (this.#hasTurnToCome) ends.socket.pause();
    } else if (this.#isSocketClosed) {
      this.#isClosed = true;
      onClose();
    } else if (ends.socket.isPaused()) ends.socket.resume();
  }

  #askForTurn(): void {
    const { guard } = this.#options;
    if (this.#turns && !this.#hasRunnerEnded)
      this.#turns.run(() => guard.run('runner.bells', () => this.#takeTurn()));
    else guard.later('runner.bells', () => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#hasTurnToCome = false;
    this.#hear();
    this.#goOn();
  }

  #hear(): void {
    const bytes = this.#waiting;
    for (let at = 0; at + BELL_BYTES <= bytes.byteLength && !this.#isHeld; at += BELL_BYTES) {
      if (at > 0 && this.#turns?.hasTimeLeft === false) return;
      // Before it is heard: what hears it may throw.
      this.#waiting = bytes.subarray(at + BELL_BYTES);
      this.#heardCount++;
      this.#options.onBell({
        kind: bytes.readUInt16LE(at + BELL.kind),
        slot: bytes.readUInt16LE(at + BELL.slot),
        value: bytes.readUInt32LE(at + BELL.value),
      });
    }
  }
}

/** @returns how many bytes were read; undefined when there are none for now. */
function readNow(fd: number, bytes: Buffer): number | undefined {
  try {
    return readSync(fd, bytes);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return undefined;
    return 0;
  }
}

/** @returns whether it was written or never can be; not while the socket is full. */
function writeNow(fd: number, bell: Buffer): boolean {
  try {
    writeSync(fd, bell);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'EAGAIN');
  }
}
