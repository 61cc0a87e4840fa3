import { EventFile, type EventSource } from '../event-file.js';
import type { EventStream } from '../event-stream.js';
import { TRACED_EVENTS, TraceWriter } from './trace-writer.js';

/** Begins to write a session's trace. @throws {EventFileError} when the file cannot be opened. */
export function openTraceFile(
  path: string,
  session: EventSource & { readonly events: Pick<EventStream, 'originNs'> },
  onError: (error: Error) => void,
): EventFile {
  const options = { types: TRACED_EVENTS, host: true, onError };
  return new EventFile(path, session, new TraceWriter(session.events.originNs), options);
}
