import { AsyncLocalStorage } from 'node:async_hooks';
import { hostFunctions } from '@farjit/protocol';
import { RemoteError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { untilAborted } from '../core/aborting.js';
import { ArgumentError } from '../core/argument-error.js';
import { checkArgument, executorAddr, is, isBytes, text } from '../core/arguments.js';
import { HostCallEndedError, HostDepthError } from '../core/errors.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { CValue } from './c-values.js';
import type { JITCallable } from './callable.js';
import { notCalled } from './session-calls.js';

/** Most bytes that one look at memory reads, or writes: a program says how many, and is not to be believed. */
export const MAX_RUN_BYTES = 64 * 1024 * 1024;
/** Of a text without a size, unless its reader says otherwise. */
const MAX_TEXT_BYTES = 1024 * 1024;

/** A count as code passes it: an `i64` comes as a bigint. */
export type Count = number | bigint;

/** What an executor answers that has the runner no more. */
const LOST_CODES: ReadonlySet<string> = new Set(['RUNNER_LOST', 'STALE_GENERATION']);

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
 * HostCallEndedError when the function, or its runner, has ended.
 */
export interface HostRun {
  /** Aborted when nobody waits for the function any more: its call, or the runner that it was in, has ended. */
  readonly signal: AbortSignal;
  /**
   * Calls a function of the same JIT on the thread that waits, within its call, whose deadline and signal are this one's, too. Several
   * take turns. A callable that is called without this in the function, or in what it waits for, is called so as well. Its own deadline
   * and signal, where it is given some, end the runner as ever.
   * @throws {HostDepthError} where 64 such calls are in each other, or too many are open.
   */
  call<Arguments extends readonly unknown[], Result extends CValue | undefined>(
    callable: JITCallable<Arguments, Result>,
    args: Readonly<Arguments>,
  ): Promise<Result>;
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

/** The call that a function in JavaScript was called in, for those who make calls within it. */
export interface HostCallContext {
  /** By which the executor knows it. */
  readonly id: number;
  /** How many calls its thread is in. */
  readonly depth: number;
  readonly runner: RunnerContext;
  readonly memory: RunMemory;
  /** Calls of the session's that are open. */
  openCount(): number;
}

/** In which function in JavaScript this is, however it has come here: callables are called within its call. */
export const currentRun = new AsyncLocalStorage<OpenRun>();

/** What a function in JavaScript is given. */
export class OpenRun implements HostRun {
  readonly symbol: string;
  readonly signal: AbortSignal;
  readonly context: HostCallContext;
  readonly #memory: RunMemory;
  #hasEnded = false;
  /** Settles when none of the calls within it runs or waits. */
  #turn: Promise<unknown> | undefined;

  /** @param symbol of the function. */
  constructor(symbol: string, signal: AbortSignal, context: HostCallContext) {
    this.symbol = symbol;
    this.signal = signal;
    this.context = context;
    this.#memory = context.memory;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * The function has: the thread goes on, and its memory with it.
   * @returns what to wait for before, where it works for the function: those that wait for it are not called any more.
   */
  end(): Promise<unknown> | undefined {
    this.#hasEnded = true;
    return this.#turn;
  }

  call<Arguments extends readonly unknown[], Result extends CValue | undefined>(
    callable: JITCallable<Arguments, Result>,
    args: Readonly<Arguments>,
  ): Promise<Result> {
    if (this.#hasEnded) return Promise.reject(new HostCallEndedError(this.symbol));
    return currentRun.run(this, () => callable.call(args, {}));
  }

  /**
   * Does what the thread is to do when it has done what it does now.
   * @param name of what is to be called.
   * @throws {HostDepthError | HostCallEndedError | AbortError}
   */
  async inTurn<T>(name: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const { depth, openCount } = this.context;
    const { MAX_HOST_DEPTH, MAX_ENTERED_CALLS } = hostFunctions;
    if (depth > MAX_HOST_DEPTH)
      throw new HostDepthError(name, `${MAX_HOST_DEPTH} calls of functions in JavaScript are in each other`);
    if (openCount() > MAX_ENTERED_CALLS)
      throw new HostDepthError(
        name,
        `more than ${MAX_ENTERED_CALLS} functions in JavaScript have been called and have not ended`,
      );
    const before = this.#turn;
    const mine = (async () => {
      await untilAborted(signal, notCalled(name), async () => before);
      if (this.#hasEnded) throw new HostCallEndedError(this.symbol);
      return work();
    })();
    // Whoever waits for his turn does not care what has become of those before.
    const turn: Promise<unknown> = mine.then(
      () => {},
      () => {},
    );
    this.#turn = turn;
    try {
      return await mine;
    } finally {
      if (this.#turn === turn) this.#turn = undefined;
    }
  }

  async readBytes(address: bigint, sizeBytes: Count): Promise<Uint8Array> {
    checkArgument(count, sizeBytes, 'sizeBytes');
    return this.#look(address, (at) => this.#memory.read(at, Number(sizeBytes)));
  }

  async readString(
    address: bigint,
    sizeBytes?: Count,
    { maxBytes = MAX_TEXT_BYTES }: { readonly maxBytes?: number } = {},
  ): Promise<string> {
    if (sizeBytes !== undefined) return Buffer.from(await this.readBytes(address, sizeBytes)).toString();
    checkArgument(count, maxBytes, 'maxBytes');
    const bytes = await this.#look(address, (at) => this.#memory.readText(at, maxBytes));
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
    const own = new Uint8Array(buffer, byteOffset, byteLength).slice();
    await this.#look(address, (at) => this.#memory.write(at, own));
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

  async #look<T>(address: bigint, look: (address: ExecutorAddr) => Promise<T>): Promise<T> {
    checkArgument(executorAddr, address, 'address');
    if (this.#hasEnded) throw new HostCallEndedError(this.symbol, { isLost: this.signal.aborted });
    try {
      return await look(address as ExecutorAddr);
    } catch (cause) {
      // The executor may say this before it tells of the loss.
      const isLost = cause instanceof RemoteError && LOST_CODES.has(cause.code);
      throw isLost ? new HostCallEndedError(this.symbol, { cause, isLost }) : cause;
    }
  }
}
