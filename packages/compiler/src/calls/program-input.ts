import { run } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import { isBytes } from '../core/arguments.js';
import { copyOf } from '../core/copy-of.js';
import { sourceIterator } from './source-iterator.js';

/**
 * What a program reads from its standard input; strings go as UTF-8, and a character may be divided between two. A
 * stream is destroyed when the program reads no more of it.
 */
export type ProgramSource =
  | string
  | Uint8Array
  | Iterable<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>;

/** Sends a piece of input. */
export type SendInput = (content: Uint8Array, isLast: boolean) => void;

/** Brings one program what it reads, as fast as the executor takes it: what it has not taken yet stays with the source. */
export class ProgramInput {
  #heldBytes = 0;
  /** Of a character that has begun: the first of its two surrogates. */
  #begun = '';
  #isOver = false;
  /** Goes on where the input waits, for credit or for the source. */
  #wake = () => {};

  /**
   * Sends all of a source; resolves when that is done, or nobody reads more. To be called once.
   * @throws what the source throws.
   */
  async sendTo(send: SendInput, source: ProgramSource): Promise<void> {
    const chunks = sourceIterator(chunksOf(source));
    try {
      for (;;) {
        const next = await this.#orOver(chunks.next());
        if (!next) return;
        if (next.done) {
          this.#checkWhole(this.#begun);
          break;
        }
        if (!(await this.#sendChunk(next.value, send))) return;
      }
      if (await this.#hasRoomFor(run.MIN_INPUT_COST_BYTES)) this.#send(new Uint8Array(), true, send);
    } finally {
      chunks.leave();
      this.#wake = () => {};
    }
  }

  /**
   * The executor holds so much less of it.
   * @param isOpen false when the program reads no more.
   * @throws {ProtocolError} for more than was sent.
   */
  taken(costBytes: number, isOpen: boolean): void {
    if (costBytes > this.#heldBytes)
      throw new ProtocolError(
        `the executor has taken ${costBytes} bytes of input, and was sent ${this.#heldBytes}`,
      );
    this.#heldBytes -= costBytes;
    if (!isOpen) this.#isOver = true;
    this.#wake();
  }

  /** The program has ended. */
  stop(): void {
    this.#isOver = true;
    this.#wake();
  }

  async #sendChunk(chunk: string | Uint8Array, send: SendInput): Promise<boolean> {
    const bytes = typeof chunk === 'string' ? this.#encode(chunk) : chunk;
    // Streams of objects give whatever they like.
    if (!isBytes(bytes)) throw new TypeError(`it has a ${typeof bytes} where bytes or a string belong`);
    if (typeof chunk !== 'string') this.#checkWhole(this.#begun);
    // Bytes may be of another realm.
    const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let start = 0; start < whole.byteLength; start += run.MAX_INPUT_BYTES) {
      const piece = whole.subarray(start, start + run.MAX_INPUT_BYTES);
      if (!(await this.#hasRoomFor(run.inputCost(piece)))) return false;
      this.#send(piece, false, send);
    }
    return true;
  }

  #encode(chunk: string): Uint8Array {
    const text = this.#begun + chunk;
    const [begun = ''] = /[\ud800-\udbff]$/.exec(text) ?? [];
    this.#begun = begun;
    const whole = text.slice(0, text.length - begun.length);
    this.#checkWhole(whole);
    return Buffer.from(whole);
  }

  #checkWhole(text: string): void {
    if (/\p{Cs}/u.test(text)) throw new TypeError('it has a lone surrogate, which UTF-8 has not');
  }

  #send(content: Uint8Array, isLast: boolean, send: SendInput): void {
    this.#heldBytes += run.inputCost(content);
    send(content, isLast);
  }

  /** Waits for credit. @returns false when nobody reads more. */
  async #hasRoomFor(costBytes: number): Promise<boolean> {
    while (!this.#isOver && this.#heldBytes + costBytes > run.MAX_HELD_INPUT_BYTES)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return !this.#isOver;
  }

  /** What comes, or undefined when nobody reads more. */
  #orOver<T>(coming: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      coming.then(resolve, reject);
      this.#wake = () => {
        if (this.#isOver) resolve(undefined);
      };
      this.#wake();
    });
  }
}

/** All of a source that is there, as far as a message holds it and it is right: a copy, of this realm. */
export function wholeInput(source: ProgramSource): Uint8Array | undefined {
  if (typeof source !== 'string') return isBytes(source) && isShort(source) ? copyOf(source) : undefined;
  // In UTF-8 it has as many bytes at least.
  if (source.length > run.MAX_INPUT_BYTES || /\p{Cs}/u.test(source)) return undefined;
  const bytes = Buffer.from(source);
  return isShort(bytes) ? bytes : undefined;
}

function isShort({ byteLength }: Uint8Array): boolean {
  return byteLength <= run.MAX_INPUT_BYTES;
}

function chunksOf(source: ProgramSource): Exclude<ProgramSource, string | Uint8Array> {
  return typeof source === 'string' || isBytes(source) ? [source] : source;
}
