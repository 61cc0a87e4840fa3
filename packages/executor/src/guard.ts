/**
 * What happens to a session or its runner, one name for each handler. Handlers of such events run inside a `Guard`,
 * under their names; nothing else listens, waits or sets a timer for a session.
 */
export const GUARDED_EVENTS = [
  'runner.exit',
  'runner.bells',
  'runner.doorbell-close',
  'runner.start-timeout',
  'runner.end-timeout',
  'runner.output',
  'runner.output-resume',
  'runner.input',
  'runner.look',
  'runner.work-timeout',
  'runner.hot',
  'call.begin',
  'call.deadline',
  'call.abort',
  'callback.answer',
  'host-call.answer',
  'session.message',
  'session.close',
  'session.lost',
  'session.ttl',
  'session.resume',
  'session.unopened',
  'session.runner-lost',
  'session.drain',
  'session.observe',
  'upgrade',
] as const;
export type GuardedEvent = (typeof GUARDED_EVENTS)[number];

/**
 * Where else a fault may be: in the answer to a request, in a step of an end, which goes on with the next step, in who
 * listens to the host's events, or where a connection is looked at before there is a request.
 */
export type FaultPlace =
  | GuardedEvent
  | 'session.request'
  | 'session.end'
  | 'runner.end'
  | 'listener'
  | 'gate';

/** Told of each event before its handler runs. What it throws counts as thrown by the handler. */
export type EventProbe = (event: GuardedEvent) => void;

/** Does work, and counts the time that it takes; work inside of other work counts once. */
export type Measure = <T>(work: () => T) => T;

export interface GuardOptions {
  /** Ends what is guarded. */
  readonly onFault: (place: FaultPlace, error: unknown) => void;
  /** Counts the time that handlers take. */
  readonly measure?: Measure | undefined;
  readonly probe?: EventProbe | undefined;
}

/**
 * Runs the handlers of one session or one runner. Whatever a handler throws ends that session or runner and reaches
 * nobody else: in Node an exception that leaves a handler ends the process, and every session with it.
 */
export class Guard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Runs a handler now. @returns what it returns; undefined when it has thrown. */
  run<T>(event: GuardedEvent, handler: () => T): T | undefined {
    const { measure = atOnce, probe } = this.#options;
    return this.attempt(event, () =>
      measure(() => {
        probe?.(event);
        return handler();
      }),
    );
  }

  /** Does one step of an end: what comes after it is done whatever becomes of this. */
  attempt<T>(place: FaultPlace, step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      this.fault(place, error);
      return undefined;
    }
  }

  /** The same handler, guarded. */
  wrap<A extends readonly unknown[]>(
    event: GuardedEvent,
    handler: (...values: A) => void,
  ): (...values: A) => void {
    return (...values) => this.run(event, () => handler(...values));
  }

  /** The same for a handler that does nothing but ask for a turn, in which time is counted. */
  wrapUncounted<A extends readonly unknown[]>(
    event: GuardedEvent,
    handler: (...values: A) => void,
  ): (...values: A) => void {
    return (...values) => this.attempt(event, () => handler(...values));
  }

  /** Runs an asynchronous handler that nobody waits for. */
  spawn(event: GuardedEvent, handler: () => Promise<unknown>): void {
    this.run(event, handler)?.catch((error: unknown) => this.fault(event, error));
  }

  /** Runs a handler after a time. */
  timer(event: GuardedEvent, handler: () => void, delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.run(event, handler), delayMs);
  }

  /** Runs a handler when those that are due now have had their turn. */
  later(event: GuardedEvent, handler: () => void): void {
    setImmediate(() => this.run(event, handler));
  }

  /** A handler has failed elsewhere. Never throws. */
  fault(place: FaultPlace, error: unknown): void {
    try {
      this.#options.onFault(place, error);
    } catch (second) {
      // What ends a session failed as well: this must still not reach the others.
      process.emitWarning(second instanceof Error ? second : String(second));
    }
  }
}

/** What a fault is called in the words that end a session or a runner. */
export function faultWords(place: FaultPlace, error: unknown): string {
  return `the executor failed at ${place}: ${error instanceof Error ? error.message : String(error)}`;
}

function atOnce<T>(work: () => T): T {
  return work();
}
