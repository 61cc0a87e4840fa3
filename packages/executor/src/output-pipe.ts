import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Guard } from './guard.js';
import { close, pipe, setNonBlocking } from './native/libc.js';
import type { LaneTurns } from './turns.js';

/** What a pipe holds by default; the runner may not change it. */
const PIPE_BYTES = 64 * 1024;
/** Output from which on a turn is over: it costs more to pass on than to read. */
const LARGE_CHUNK_BYTES = 16 * 1024;
/** How long a reader that is held back waits before it asks again. */
const HOLD_BACK_MS = 10;

/** What is read is copied before anything else is: pipes share what it is read into. */
const READ_BY_NODE = Buffer.allocUnsafeSlow(PIPE_BYTES);
const READ_NOW = Buffer.allocUnsafeSlow(PIPE_BYTES);

/** Where the output goes. */
export interface OutputSink {
  /** Takes a chunk that it may keep. */
  readonly write: (content: Uint8Array) => void;
  /** True while no more should be read: the runner then waits in `write`, which bounds what the host holds. */
  readonly isCongested: () => boolean;
}

/**
 * One output stream of a runner. It is read as it comes, and `drain` reads at once what is in the pipe, so that all
 * that was written before an event is delivered before the event is.
 */
export class OutputPipe {
  /** End for the runner, until `closeWriteEnd`. */
  readonly writeFd: number;
  readonly #readFd: number;
  readonly #socket: Socket;
  readonly #guard: Guard;
  readonly #sink: OutputSink;
  #holdBack: NodeJS.Timeout | undefined;
  #turns: LaneTurns | undefined;
  #isClosed = false;

  /** @throws {LibcError} */
  constructor(guard: Guard, sink: OutputSink) {
    this.#guard = guard;
    this.#sink = sink;
    const { readFd, writeFd } = pipe();
    this.#readFd = readFd;
    this.writeFd = writeFd;
    // `onread` delivers each chunk in the event that read it: nothing waits in a stream's buffer while `drain` reads
    // past it.
    const options = {
      fd: readFd,
      readable: true,
      writable: false,
      onread: {
        buffer: READ_BY_NODE,
        callback: (sizeBytes: number, buffer: Uint8Array) =>
          guard.run('runner.output', () => this.#take(Buffer.from(buffer.subarray(0, sizeBytes)))) ?? false,
      },
    };
    try {
      setNonBlocking(readFd);
      this.#socket = new Socket(options);
    } catch (error) {
      close(readFd);
      close(writeFd);
      throw error;
    }
    this.#socket.on('error', () => {});
  }

  /** From now on what comes is read in these turns. */
  share(turns: LaneTurns): void {
    this.#turns = turns;
  }

  /** The host's copy of the runner's end; while it is open the pipe never ends. */
  closeWriteEnd(): void {
    close(this.writeFd);
  }

  /** Delivers what the pipe holds now: at most a pipe full, so that a thread that keeps writing cannot hold it up. */
  drain(): void {
    let left = PIPE_BYTES;
    // A destroyed socket has closed the descriptor, whose number may be another file's by now.
    while (left > 0 && !this.#socket.destroyed) {
      const sizeBytes = this.#readNow(left);
      if (sizeBytes === 0) return;
      this.#sink.write(Buffer.from(READ_NOW.subarray(0, sizeBytes)));
      left -= sizeBytes;
    }
  }

  /** Delivers what is left and closes the host's end. */
  close(): void {
    this.drain();
    this.#isClosed = true;
    clearTimeout(this.#holdBack);
    this.#socket.destroy();
  }

  /** @returns whether to go on at once: after a large chunk, or when the turn is over, others have theirs first. */
  #take(content: Buffer): boolean {
    if (this.#isClosed) return true;
    this.#sink.write(content);
    if (this.#sink.isCongested()) this.#waitUntilClear();
    else if (content.byteLength >= LARGE_CHUNK_BYTES || this.#turns?.hasTimeLeft === false)
      this.#waitForTurn();
    else return true;
    return false;
  }

  #waitForTurn(): void {
    const guard = this.#guard;
    if (this.#turns) this.#turns.run(() => guard.run('runner.output-resume', () => this.#resume()));
    else guard.later('runner.output-resume', () => this.#resume());
  }

  #waitUntilClear(): void {
    this.#holdBack = this.#guard.timer('runner.output-resume', () => this.#resume(), HOLD_BACK_MS);
  }

  #resume(): void {
    if (this.#isClosed) return;
    if (this.#sink.isCongested()) this.#waitUntilClear();
    else this.#socket.resume();
  }

  #readNow(sizeBytes: number): number {
    try {
      return readSync(this.#readFd, READ_NOW, 0, sizeBytes, null);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
      throw error;
    }
  }
}
