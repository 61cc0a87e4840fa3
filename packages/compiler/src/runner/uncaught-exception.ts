import { foreignMessage } from '@farjit/protocol/printable';
import type { UncaughtException } from '../core/errors.js';

/** A message that is longer is lost: it may be told byte by byte, and each program has this much. */
const MAX_KEPT_BYTES = 8 * 1024;

/** The last that a handler of libstdc++ writes, `__gnu_cxx::__verbose_terminate_handler`, before it calls `abort()`. */
const LAST_WORDS =
  /terminate called after throwing an instance of '([^\n]+)'\n(?: {2}what\(\): {2}([\s\S]*)\n)?$/;

/** The end of what a program has written on standard error, which says of an exception that nobody caught. */
export class LastWords {
  readonly #chunks: Uint8Array[] = [];
  #keptBytes = 0;

  add(content: Uint8Array): void {
    this.#chunks.push(content);
    this.#keptBytes += content.byteLength;
    for (let first = this.#chunks[0]; first && this.#keptBytes - first.byteLength >= MAX_KEPT_BYTES; ) {
      this.#chunks.shift();
      this.#keptBytes -= first.byteLength;
      first = this.#chunks[0];
    }
  }

  /** A claim, as all that a program writes. */
  get uncaught(): UncaughtException | undefined {
    const words = Buffer.concat(this.#chunks).toString();
    const start = words.lastIndexOf('terminate called after');
    const [, type, what] = LAST_WORDS.exec(words.slice(Math.max(0, start))) ?? [];
    if (type === undefined) return undefined;
    return { type: foreignMessage(type), ...(what === undefined ? {} : { what: foreignMessage(what) }) };
  }
}
