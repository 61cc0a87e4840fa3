import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { run } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import type { Guard } from './guard.js';
import { close, pipe, setNonBlocking } from './native/libc.js';

/**
 * Told that input is in the pipe, or will never be: what counted as so many bytes is not held any more.
 * @param isOpen false when nobody reads what comes after it.
 */
export type InputTaken = (costBytes: number, isOpen: boolean) => void;

/**
 * Standard input of a program. What has come waits here until there is room in the pipe; a program that does not read holds
 * up nothing else.
 */
export class InputPipe {
  /** End for the runner, until `closeReadEnd`. */
  readonly readFd: number;
  readonly #writeFd: number;
  readonly #guard: Guard;
  /** Takes the descriptor over. */
  #socket: Socket | undefined;
  #taken: InputTaken = () => {};
  #isEnded = false;
  #isClosed = false;
  #heldBytes = 0;

  /** @throws {LibcError} */
  constructor(guard: Guard) {
    this.#guard = guard;
    const { readFd, writeFd } = pipe();
    this.readFd = readFd;
    this.#writeFd = writeFd;
  }

  /** The host's copy of the runner's end; while it is open nobody learns that the program has closed it. */
  closeReadEnd(): void {
    close(this.readFd);
  }

  /** A program is about to read it. */
  open(taken: InputTaken): void {
    this.#taken = taken;
    this.#socket = new Socket({ fd: this.#writeFd, readable: false, writable: true });
    // Told to whoever writes.
    this.#socket.on('error', () => {});
  }

  /** All that the program reads: at once, as far as the pipe has room for it. */
  writeAll(content: Uint8Array): void {
    setNonBlocking(this.#writeFd);
    const writtenBytes = writeNow(this.#writeFd, content);
    if (writtenBytes === content.byteLength) return this.close();
    this.open(() => {});
    this.write(content.subarray(writtenBytes), true);
  }

  /** @throws {ProtocolError} for more than a compiler may have sent. */
  write(content: Uint8Array, isLast: boolean): void {
    const costBytes = run.inputCost(content);
    if (this.#heldBytes + costBytes > run.MAX_HELD_INPUT_BYTES)
      throw new ProtocolError(
        `input that counts as more than ${run.MAX_HELD_INPUT_BYTES} bytes, and is not taken yet`,
      );
    if (!this.#socket || this.#isEnded || this.#isClosed) return this.#taken(costBytes, false);
    this.#heldBytes += costBytes;
    this.#isEnded = isLast;
    this.#socket.write(
      content,
      this.#guard.wrap('runner.input', (error) => {
        this.#heldBytes -= costBytes;
        if (this.#isClosed) return;
        // What the pipe holds by now the program still reads.
        if (error || isLast) this.close();
        this.#taken(costBytes, !this.#isClosed);
      }),
    );
  }

  /** The end of the input, or of the program. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#socket) this.#socket.destroy();
    else close(this.#writeFd);
  }
}

/** @returns how many bytes were written: none where nobody reads, either. */
function writeNow(fd: number, content: Uint8Array): number {
  try {
    return content.byteLength === 0 ? 0 : writeSync(fd, content);
  } catch {
    return 0;
  }
}
