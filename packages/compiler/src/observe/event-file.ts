import { closeSync, fchmodSync, fstatSync, openSync, writeSync } from 'node:fs';
import { FarJITError } from '@farjit/protocol/errors';
import { systemErrorWords } from '../files/system-error.js';
import type { SubscribeOptions } from './event-stream.js';
import type { SessionEvent, SessionListener } from './events.js';

/** How long events wait to be written with others: no callback waits for that. */
const DRAIN_MS = 100;
/** Events that wait at most. */
const DRAIN_COUNT = 4096;

/** What makes bytes of events. */
export interface EventEncoder {
  add(event: SessionEvent): void;
  /** Bytes that are ready: a part after which the file can be read up to there. */
  take(): Uint8Array;
  /** No more comes: what was held back is made ready. */
  end(): void;
}

/**
 * A trace or a recording cannot be written, or not any more.
 * @remarks Name a file that can be written, where there is room.
 */
export class EventFileError extends FarJITError {
  constructor(path: string, how: 'at all' | 'any more', cause: unknown) {
    const words = how === 'at all' ? `cannot write ${path}` : `${path} is not written any more`;
    super('EVENT_FILE', `${words}: ${systemErrorWords(cause)}`, { cause });
  }
}

/** Who is told of a file. */
export interface EventFileOptions {
  /** Told when the file cannot be written any more; a warning of Node's unless given. */
  readonly onError?: ((error: Error) => void) | undefined;
}

/** How a session is recorded. */
export interface RecordOptions extends EventFileOptions {
  /** Functions whose IR after each pass is kept, too: they are compiled once more when the JIT is closed. */
  readonly passes?: readonly string[] | undefined;
  /** What is run, kept in the recording: nothing unless given. */
  readonly sources?: readonly { readonly name: string; readonly content: Uint8Array }[] | undefined;
}

export function warnOfFile({ message }: Error): void {
  process.emitWarning(message, { code: 'EVENT_FILE' });
}

/** Who has events. */
export interface EventSource {
  subscribe(listener: SessionListener, options: SubscribeOptions): () => void;
}

/**
 * A file that events are written to while they happen, which only its owner can read: there are names in it, and in recordings
 * sources. Work goes on when it cannot be written any more, and whoever asked for the file is told.
 */
export class EventFile {
  readonly #path: string;
  readonly #encoder: EventEncoder;
  readonly #onError: (error: Error) => void;
  readonly #unsubscribe: () => void;
  #fd: number | undefined;
  #waiting: SessionEvent[] = [];
  #timer: NodeJS.Timeout | undefined;

  /**
   * Begins to write; what was in the file is gone.
   * @throws {EventFileError} when it cannot be opened.
   */
  constructor(
    path: string,
    source: EventSource,
    encoder: EventEncoder,
    { onError, ...options }: SubscribeOptions & { readonly onError: (error: Error) => void },
  ) {
    this.#path = path;
    this.#encoder = encoder;
    this.#onError = onError;
    this.#fd = openPrivate(path);
    this.#unsubscribe = source.subscribe((event) => this.#note(event), options);
  }

  /** Writes what waits, at a moment in which there is something to wait for. */
  flush(): void {
    if (this.#fd !== undefined) this.#drain();
  }

  /** Writes what is left. Nothing is written after that. */
  end(): void {
    if (this.#fd === undefined) return;
    this.#drain();
    this.#encoder.end();
    this.#write();
    this.#close();
  }

  #note(event: SessionEvent): void {
    if (this.#fd === undefined) return;
    this.#waiting.push(event);
    if (this.#waiting.length >= DRAIN_COUNT) this.#drain();
    this.#timer ??= setTimeout(() => this.#drain(), DRAIN_MS).unref();
  }

  #drain(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#waiting;
    this.#waiting = [];
    try {
      for (const event of events) this.#encoder.add(event);
    } catch (error) {
      return this.#giveUp(error);
    }
    this.#write();
  }

  #write(): void {
    if (this.#fd === undefined) return;
    try {
      for (let rest = this.#encoder.take(); rest.byteLength > 0; )
        rest = rest.subarray(writeSync(this.#fd, rest));
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #giveUp(error: unknown): void {
    this.#close();
    this.#onError(new EventFileError(this.#path, 'any more', error));
  }

  #close(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    this.#waiting = [];
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function openPrivate(path: string): number {
  try {
    const fd = openSync(path, 'w', 0o600);
    // One that was there has the rights that it had.
    if (fstatSync(fd).isFile()) fchmodSync(fd, 0o600);
    return fd;
  } catch (error) {
    throw new EventFileError(path, 'at all', error);
  }
}
