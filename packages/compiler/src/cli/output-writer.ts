import type { Writable } from 'node:stream';

/**
 * Writes to one of the process's streams in the order asked. What a slow reader has not taken is not piled up: `write`
 * says when to go on. After a failure (EPIPE: the reader is gone) everything is dropped.
 */
export class OutputWriter {
  readonly #stream: Writable;
  #drained: Promise<void> | undefined;
  #release: () => void = () => {};
  #isWaiting = true;
  #failure: NodeJS.ErrnoException | undefined;

  /** @param onFailure called once, when the stream cannot be written to any more. */
  constructor(stream: Writable, onFailure: (error: NodeJS.ErrnoException) => void) {
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#failure) return;
      this.#failure = error;
      this.stopWaiting();
      onFailure(error);
    });
  }

  /** @returns a promise to wait for before writing more, when the reader is slower than the writer. */
  write(content: string | Uint8Array): Promise<void> | undefined {
    if (this.#failure || content.length === 0) return undefined;
    if (this.#stream.write(content) || !this.#isWaiting) return undefined;
    this.#drained ??= new Promise((resolve) => {
      this.#release = () => {
        this.#drained = undefined;
        resolve();
      };
      this.#stream.once('drain', this.#release);
    });
    return this.#drained;
  }

  /** Lets go of everyone who waits, now and from now on: the command is ending and must not hang on its reader. */
  stopWaiting(): void {
    this.#isWaiting = false;
    this.#release();
  }
}
