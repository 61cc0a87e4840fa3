import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { ArgumentError } from '../core/argument-error.js';
import { checkArgument, executorAddr, is, isBytes, text } from '../core/arguments.js';
import { HostCallEndedError } from '../core/errors.js';

/** Most bytes that one look at memory reads, or writes: a program says how many, and is not to be believed. */
export const MAX_RUN_BYTES = 64 * 1024 * 1024;
/** Of a text without a size, unless its reader says otherwise. */
const MAX_TEXT_BYTES = 1024 * 1024;

/** A count as code passes it: an `i64` comes as a bigint. */
export type Count = number | bigint;

/** `Float64Array` and its kin. */
export interface ArrayType<Numbers extends ArrayBufferView> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): Numbers;
}

/**
 * The call that a function in JavaScript was called in, as long as the function has not ended: what the thread that waits for it
 * has in its memory. All that a pointer can lead to is read and written, each in a round trip of its own; what the program itself could
 * not read or write is refused.
 *
 * All of it rejects with ArgumentError for what is none, with RemoteError `INVALID_ADDRESS` for memory that is not there, and with
 * HostCallEndedError when the function has ended.
 */
export interface HostRun {
  /** Aborted when nobody waits for the function any more: its call, or the runner that it was in, has ended. */
  readonly signal: AbortSignal;
  /** A copy of what is at an address. */
  readBytes(address: bigint, sizeBytes: Count): Promise<Uint8Array>;
  /**
   * A text in UTF-8.
   * @param sizeBytes its length; up to its NUL unless given, which is to be in the first `maxBytes`, a megabyte unless given.
   */
  readString(address: bigint, sizeBytes?: Count, options?: { readonly maxBytes?: number }): Promise<string>;
  /** A copy of numbers, as `readArray(Float64Array, address, count)`. */
  readArray<Numbers extends ArrayBufferView>(
    type: ArrayType<Numbers>,
    address: bigint,
    length: Count,
  ): Promise<Numbers>;
  /** Writes bytes, or what any other view of an `ArrayBuffer` has. */
  write(address: bigint, content: ArrayBufferView): Promise<void>;
  /**
   * Writes a text in UTF-8, and a NUL.
   * @param roomBytes of the buffer that it is to fit in, with its NUL.
   * @throws {ArgumentError} when it does not: then nothing is written.
   */
  writeString(address: bigint, text: string, roomBytes: Count): Promise<void>;
}

/** Memory of the runner that a call is in. */
export interface RunMemory {
  read(address: ExecutorAddr, sizeBytes: number): Promise<Uint8Array>;
  /** Up to the first zero byte, which is not in it; `maxBytes` of it where there is none. */
  readText(address: ExecutorAddr, maxBytes: number): Promise<Uint8Array>;
  write(address: ExecutorAddr, content: Uint8Array): Promise<void>;
}

const count = is<Count>((value) => {
  const isWhole = typeof value === 'bigint' || Number.isInteger(value);
  return isWhole && (value as Count) >= 0 && (value as Count) <= MAX_RUN_BYTES;
}, `a whole number from 0 to ${MAX_RUN_BYTES}`);
const view = is<ArrayBufferView>(
  (value) => ArrayBuffer.isView(value) || isBytes(value),
  'a view of an ArrayBuffer',
);
const arrayType = is<ArrayType<ArrayBufferView>>(
  (value) =>
    typeof value === 'function' && Number((value as { BYTES_PER_ELEMENT?: unknown }).BYTES_PER_ELEMENT) > 0,
  'Float64Array, Int32Array, or another of that kind',
);

/** What a function in JavaScript is given. */
export class OpenRun implements HostRun {
  readonly symbol: string;
  readonly signal: AbortSignal;
  readonly #memory: RunMemory;
  #hasEnded = false;

  /** @param symbol of the function. */
  constructor(symbol: string, signal: AbortSignal, memory: RunMemory) {
    this.symbol = symbol;
    this.signal = signal;
    this.#memory = memory;
  }

  /** The function has: the thread goes on, and its memory with it. */
  end(): void {
    this.#hasEnded = true;
  }

  async readBytes(address: bigint, sizeBytes: Count): Promise<Uint8Array> {
    checkArgument(count, sizeBytes, 'sizeBytes');
    return this.#memory.read(this.#checked(address), Number(sizeBytes));
  }

  async readString(
    address: bigint,
    sizeBytes?: Count,
    { maxBytes = MAX_TEXT_BYTES }: { readonly maxBytes?: number } = {},
  ): Promise<string> {
    if (sizeBytes !== undefined) return Buffer.from(await this.readBytes(address, sizeBytes)).toString();
    checkArgument(count, maxBytes, 'maxBytes');
    const bytes = await this.#memory.readText(this.#checked(address), maxBytes);
    if (bytes.byteLength >= maxBytes)
      throw new ArgumentError(`address is of a text without an end in its first ${maxBytes} bytes`);
    return Buffer.from(bytes).toString();
  }

  async readArray<Numbers extends ArrayBufferView>(
    type: ArrayType<Numbers>,
    address: bigint,
    length: Count,
  ): Promise<Numbers> {
    checkArgument(arrayType, type, 'type');
    checkArgument(count, length, 'length');
    const bytes = await this.readBytes(address, Number(length) * type.BYTES_PER_ELEMENT);
    // Numbers begin at multiples of their size.
    const { buffer } = Uint8Array.from(bytes);
    return new type(buffer);
  }

  async write(address: bigint, content: ArrayBufferView): Promise<void> {
    checkArgument(view, content, 'content');
    checkArgument(count, content.byteLength, 'the size of content');
    const { buffer, byteOffset, byteLength } = content;
    await this.#memory.write(this.#checked(address), new Uint8Array(buffer, byteOffset, byteLength).slice());
  }

  async writeString(address: bigint, content: string, roomBytes: Count): Promise<void> {
    checkArgument(text, content, 'text');
    checkArgument(count, roomBytes, 'roomBytes');
    const bytes = Buffer.from(`${content}\0`);
    if (bytes.byteLength > Number(roomBytes))
      throw new ArgumentError(
        `text takes ${bytes.byteLength} bytes with its NUL, and there is room for ${roomBytes}`,
      );
    await this.write(address, bytes);
  }

  #checked(address: bigint): ExecutorAddr {
    checkArgument(executorAddr, address, 'address');
    if (this.#hasEnded) throw new HostCallEndedError(this.symbol);
    return address as ExecutorAddr;
  }
}
