import { ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web';
import type { EventStream } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import type { SubscribeOptions } from './event-stream.js';

/** Events that wait for their reader, unless told otherwise. */
const DEFAULT_BUFFER = 16_384;

/** How events are iterated. */
export interface EventIterationOptions {
  /** Events that may wait to be asked for: 16,384 unless given. */
  readonly buffer?: number | undefined;
}

/** How a session's events are iterated. */
export interface SessionEventOptions extends EventIterationOptions, SubscribeOptions {}

/**
 * Whoever iterates events was so slow that some could not be kept: work does not wait for those who look on.
 * @remarks Read faster, take a larger `buffer`, or listen to them, and look at once at what is wanted.
 */
export class EventsMissedError extends FarJITError {
  constructor(buffer: number) {
    super('EVENTS_MISSED', `more than ${buffer} events waited to be read, and others have come`);
  }
}

/**
 * Events from now on, until there are no more.
 * @param missed makes an event that says how many could not be kept; without it, that ends the iteration.
 * @throws {EventsMissedError} from the iteration, after those that were kept.
 */
export function iterateEvents<Event>(
  events: Pick<EventStream<Event>, 'subscribe'>,
  closed: Promise<unknown>,
  { buffer = DEFAULT_BUFFER }: EventIterationOptions,
  missed?: (count: number) => Event,
): AsyncIterableIterator<Event> {
  let controller!: ReadableStreamDefaultController<Event>;
  let failure: EventsMissedError | undefined;
  let isOpen = true;
  const leave = () => {
    isOpen = false;
    unsubscribe();
  };
  const end = () => {
    if (!isOpen) return;
    leave();
    if (missed && missedCount > 0) controller.enqueue(missed(missedCount));
    // What waits is read all the same.
    controller.close();
  };
  const stream = new ReadableStream<Event>(
    {
      start: (given) => {
        controller = given;
      },
      cancel: leave,
    },
    { highWaterMark: buffer },
  );
  let missedCount = 0;
  const unsubscribe = events.subscribe((event) => {
    const room = controller.desiredSize ?? 0;
    if (missed && missedCount > 0 && room > 0) {
      controller.enqueue(missed(missedCount));
      missedCount = 0;
      return take(event, room - 1);
    }
    return take(event, room);
  });
  function take(event: Event, room: number): void {
    if (room > 0) return controller.enqueue(event);
    if (missed) return void missedCount++;
    failure = new EventsMissedError(buffer);
    end();
  }
  void closed.then(end);
  return failingAtLast(stream.values(), () => {
    const error = failure;
    failure = undefined;
    return error;
  });
}

/** The same values, and then, once, what there is to throw. */
function failingAtLast<T>(
  values: AsyncIterator<T, undefined>,
  takeFailure: () => Error | undefined,
): AsyncIterableIterator<T> {
  return {
    async next() {
      const result = await values.next();
      const failure = result.done ? takeFailure() : undefined;
      if (failure) throw failure;
      return result;
    },
    async return() {
      await values.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
