import type { Writable } from 'node:stream';
import { StopRequest } from './stop-request.js';

/** Sees from a command's first moment on whether standard output can be written to: also what no `OutputWriter` writes. */
export class OutputWatch {
  #failure: StopRequest | undefined;

  constructor(stream: Writable) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??= StopRequest.ofOutputFailure(error);
    });
  }

  /**
   * The exit code of a command that would end with `exitCode`: what has not been written is not done.
   * @param remark called with what the user is to know; not when the command has failed, and said why.
   */
  async exitCodeOf(exitCode: number, remark: (words: string) => void): Promise<number> {
    // Streams tell of what failed just now a moment later.
    await new Promise((resolve) => setImmediate(resolve));
    if (exitCode !== 0 || !this.#failure) return exitCode;
    if (this.#failure.words !== undefined) remark(this.#failure.words);
    return this.#failure.exitCode;
  }
}
