import type { EventStream } from '../observe/events.js';
import { PushedValues } from '../observe/pushed-values.js';
import type { JITOptions } from './jit-types.js';
import { writeToProcess } from './write-to-process.js';

/** Output that may wait to be asked for before the program is held back. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** A piece of what JIT'd code prints. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly content: Uint8Array;
}

/** What output needs of a session. */
interface PrintingSession {
  readonly events: EventStream;
  readonly executor: { holdBack(until: Promise<unknown>): Promise<void>; readonly closed: Promise<unknown> };
}

/** Hands on what JIT'd code prints. Who is slow holds back everything that comes from the executor. */
export class OutputDelivery {
  readonly #session: PrintingSession;
  readonly #write: NonNullable<JITOptions['onOutput']>;
  /** Takes it in place of `onOutput`. */
  #reader: ((chunk: OutputChunk) => Promise<void> | undefined) | undefined;

  constructor(session: PrintingSession, write: NonNullable<JITOptions['onOutput']> = writeToProcess) {
    this.#session = session;
    this.#write = write;
    session.events.subscribe((event) => {
      if (event.type !== 'output') return;
      const { stream, content } = event;
      const written = this.#reader ? this.#reader({ stream, content }) : this.#write(stream, content);
      if (written instanceof Promise) void session.executor.holdBack(written);
    });
  }

  /** See `JIT.output`. */
  iterate(): AsyncIterableIterator<OutputChunk> {
    let waitingBytes = 0;
    const held: (() => void)[] = [];
    const goOn = () => {
      for (const resolve of held.splice(0)) resolve();
    };
    const values = new PushedValues<OutputChunk>({
      taken: ({ content }) => {
        waitingBytes -= content.byteLength;
        if (waitingBytes <= MAX_WAITING_BYTES) goOn();
      },
      returned: () => {
        if (this.#reader === reader) this.#reader = undefined;
      },
    });
    const reader = (chunk: OutputChunk) => {
      waitingBytes += chunk.content.byteLength;
      values.push(chunk);
      if (waitingBytes <= MAX_WAITING_BYTES) return undefined;
      return new Promise<void>((resolve) => void held.push(resolve));
    };
    this.#reader = reader;
    void this.#session.executor.closed.then(() => {
      values.end();
      goOn();
    });
    return values;
  }
}
