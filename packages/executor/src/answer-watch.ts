import { complaints } from './say-error.js';

/** Sees from a command's first moment on whether what it answers is written: a process that exits at once would not hear of it. */
export class AnswerWatch {
  #failure: { readonly name: string; readonly error: NodeJS.ErrnoException } | undefined;

  constructor() {
    for (const [name, stream] of [
      ['output', process.stdout],
      ['error', process.stderr],
    ] as const)
      stream.on('error', (error: NodeJS.ErrnoException) => {
        this.#failure ??= { name, error };
      });
  }

  /** The exit code of a command that would end with `exitCode`: what has not been written is not done. */
  async exitCodeOf(exitCode: number, json: boolean): Promise<number> {
    // Streams tell of what failed just now a moment later.
    await new Promise((resolve) => setImmediate(resolve));
    if (exitCode !== 0 || !this.#failure) return exitCode;
    const { name, error } = this.#failure;
    // Whoever reads no more wants to hear no more.
    if (error.code !== 'EPIPE')
      complaints(json).error(`cannot write to standard ${name}: ${error.message}`, 'OUTPUT');
    return 1;
  }
}
