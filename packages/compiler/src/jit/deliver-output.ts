import type { ExecutionSession } from '../session/execution-session.js';
import type { JITOptions } from './jit-types.js';
import { writeToProcess } from './write-to-process.js';

/** Hands on what JIT'd code prints. Who is slow holds back everything that comes from the executor. */
export function deliverOutput(
  session: ExecutionSession,
  write: NonNullable<JITOptions['onOutput']> = writeToProcess,
): void {
  session.events.subscribe((event) => {
    if (event.type !== 'output') return;
    const written = write(event.stream, event.content);
    if (written instanceof Promise) void session.executor.holdBack(written);
  });
}
