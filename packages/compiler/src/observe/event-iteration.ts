import { FarJITError } from '@farjit/protocol/errors';
import type { EventStream, SessionEvent } from './events.js';
import { PushedValues } from './pushed-values.js';

/** Events that wait for their reader, unless told otherwise. */
const DEFAULT_BUFFER = 16_384;

/** How events are iterated. */
export interface EventIterationOptions {
  /** Events that may wait to be asked for: 16,384 unless given. */
  readonly buffer?: number | undefined;
}

/**
 * Whoever iterates a session's events was so slow that some could not be kept: work does not wait for those who look on.
 * @remarks Read faster, take a larger `buffer`, or `subscribe` with a listener that looks at once at what it wants.
 */
export class EventsMissedError extends FarJITError {
  constructor(buffer: number) {
    super('EVENTS_MISSED', `more than ${buffer} events waited to be read, and others have come`);
  }
}

/** A session's events from now on, until it is closed. @throws {EventsMissedError} from the iteration. */
export function iterateEvents(
  events: EventStream,
  closed: Promise<unknown>,
  { buffer = DEFAULT_BUFFER }: EventIterationOptions,
): AsyncIterableIterator<SessionEvent> {
  const values = new PushedValues<SessionEvent>({ returned: () => unsubscribe() });
  const unsubscribe = events.subscribe((event) => {
    if (values.size < buffer) return values.push(event);
    values.end({ error: new EventsMissedError(buffer) });
    unsubscribe();
  });
  void closed.then(() => {
    unsubscribe();
    values.end();
  });
  return values;
}
