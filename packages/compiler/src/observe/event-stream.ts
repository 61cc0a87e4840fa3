import { nanosecondsSince } from '@farjit/protocol/clock';
import { Artefacts } from './artefacts.js';
import type { EventBody, EventStamp, SessionEvent, SessionListener } from './events.js';
import { Statistics } from './statistics.js';

type EventType = SessionEvent['type'];

/** What is said of an event besides its type: what it is about, and where it was. */
type EventFacts<Type extends EventType> = Omit<Extract<EventBody, { type: Type }>, 'type'> &
  Partial<Omit<EventStamp, 'session'>>;

/** Which events a listener hears. */
export interface ListeningOptions {
  /** Events of these types alone: all of them unless given. */
  readonly types?: readonly EventType[] | undefined;
}

/** What a listener hears, and what is done for it. */
export interface SubscribeOptions extends ListeningOptions {
  /** Also what happens in the host and the runner, which the executor is asked for: false unless given. */
  readonly host?: boolean | undefined;
  /** Keeps what compilations have and make, for `JIT.artefact`; events name it: false unless given. */
  readonly artefacts?: boolean | undefined;
}

interface Listening {
  readonly listener: SessionListener;
  readonly types: ReadonlySet<EventType> | undefined;
}

/**
 * What happens in a session: counted whoever listens, and told to those who do. An event is made when somebody hears its
 * type. Listeners are called at once, in the order in which they came. What one throws does not reach the work that is told
 * of, which must not be left half done: it comes up as an uncaught exception.
 */
export class EventStream {
  readonly statistics = new Statistics();
  readonly artefacts = new Artefacts();
  /** When `atNs` is 0, in nanoseconds of the system's monotonic clock (`process.hrtime.bigint()`). */
  readonly originNs = process.hrtime.bigint();
  /** As the executor calls it; empty before it is open. */
  session = '';
  readonly #listening = new Set<Listening>();
  #madeCount = 0;

  /** Events made up to now. */
  get madeCount(): number {
    return this.#madeCount;
  }

  /** Now, as events say it. */
  nowNs(): number {
    return nanosecondsSince(this.originNs);
  }

  /** Whether anybody hears events of a type: what has to be worked out for them is for nobody otherwise. */
  hears(type: EventType): boolean {
    for (const { types } of this.#listening) if (!types || types.has(type)) return true;
    return false;
  }

  /** @returns a function that ends the subscription. */
  subscribe(listener: SessionListener, { types }: ListeningOptions = {}): () => void {
    const listening = { listener, types: types && new Set(types) };
    this.#listening.add(listening);
    return () => this.#listening.delete(listening);
  }

  /** Tells of an event. @param facts called when somebody hears it. */
  tell<Type extends EventType>(type: Type, facts: () => EventFacts<Type>): void {
    let event: SessionEvent | undefined;
    for (const { listener, types } of this.#listening) {
      if (types && !types.has(type)) continue;
      event ??= this.event(type, facts());
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** An event of now, for who tells of it otherwise. */
  event<Type extends EventType>(type: Type, facts: EventFacts<Type>): SessionEvent {
    this.#madeCount++;
    const stamp = {
      atNs: this.nowNs(),
      errorNs: 0,
      process: 'compiler',
      processId: process.pid,
      session: this.session,
      ...('name' in facts && { symbol: facts.name }),
    };
    return { type, ...stamp, ...facts } as unknown as SessionEvent;
  }
}
