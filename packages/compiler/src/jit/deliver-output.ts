import type { EventStream } from '../observe/event-stream.js';
import type { SessionEvent } from '../observe/events.js';
import { OutputIterations } from '../observe/output-iteration.js';
import type { JITOptions } from './jit-types.js';
import { writeToProcess } from './write-to-process.js';

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
  readonly iterations = new OutputIterations<OutputChunk>();

  constructor(session: PrintingSession, write: NonNullable<JITOptions['onOutput']> = writeToProcess) {
    const { events, executor } = session;
    const deliver = (event: SessionEvent) => {
      if (event.type !== 'output') return;
      const { stream, content } = event;
      const iteration = this.iterations.current;
      const written = iteration ? iteration.take({ stream, content }) : write(stream, content);
      if (written instanceof Promise) void executor.holdBack(written);
    };
    events.subscribe(deliver, { types: ['output'] });
    void executor.closed.then(() => this.iterations.endAll());
  }
}
