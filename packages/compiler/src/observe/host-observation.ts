import type { HostEvent } from '@farjit/protocol';
import { ClockRelation } from './clock-relation.js';
import type { EventStream } from './event-stream.js';
import type { EventStamp, SessionListener } from './events.js';

/** How often the host is asked what time it is while nothing else says it. */
const CLOCK_MS = 1000;
/** Callbacks whose times are remembered until the host has told its own of them. */
const MAX_REMEMBERED = 4096;

/** Batches that are kept until it is known what time it is there. */
const MAX_EARLY = 32;

/** What looking into the host needs of the executor. */
export interface ObservedExecutor {
  has(feature: 'observation'): boolean;
  observe(isWanted: boolean): Promise<{ readonly atNs: number; readonly processId: number }>;
  readClock(): Promise<{ readonly atNs: number }>;
}

/** When a callback came here, and when it was answered. */
interface CallbackTimes {
  readonly begunNs: number;
  answeredNs: number | undefined;
}

/**
 * What happens in the host, for as long as somebody wants it: asked for, translated to our clock, and told as events. The
 * clocks are related by every callback, and by asking where there are none.
 */
export class HostObservation {
  readonly #events: EventStream;
  readonly #executor: () => ObservedExecutor;
  readonly #clock = new ClockRelation();
  readonly #callbacks = new Map<number, CallbackTimes>();
  #wantedCount = 0;
  #hostProcessId = 0;
  #runnerProcessId = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  /** Told before the clocks are related. */
  readonly #early: { readonly told: readonly HostEvent[]; readonly droppedCount: number }[] = [];

  constructor(events: EventStream, executor: () => ObservedExecutor) {
    this.#events = events;
    this.#executor = executor;
  }

  /** By so much a time of the host's may be wrong, in nanoseconds; undefined while it is not known. */
  get clockErrorNs(): number | undefined {
    return this.#clock.isKnown ? this.#clock.errorNs : undefined;
  }

  /** @returns what ends it. An executor of a release that cannot tell is not asked: then there are no such events. */
  want(): () => void {
    if (!this.#executor().has('observation')) return () => {};
    if (this.#wantedCount++ === 0) this.#begin();
    let isWanted = true;
    return () => {
      if (!isWanted) return;
      isWanted = false;
      if (--this.#wantedCount === 0) this.#end();
    };
  }

  /** A batch of the host's has come. */
  received(told: readonly HostEvent[], droppedCount: number): void {
    if (this.#wantedCount === 0) return;
    for (const event of told) this.#relate(event);
    if (!this.#clock.isKnown) return this.#keepEarly(told, droppedCount);
    for (const early of this.#early.splice(0)) this.#tellAll(early.told, early.droppedCount);
    this.#tellAll(told, droppedCount);
  }

  /** A host that says what happens before it says what time it is has no claim to more. */
  #keepEarly(told: readonly HostEvent[], droppedCount: number): void {
    if (this.#early.length < MAX_EARLY) this.#early.push({ told, droppedCount });
    else
      this.#events.tell('events-missed', () => ({
        count: told.length + droppedCount,
        where: 'host' as const,
      }));
  }

  #begin(): void {
    const note: SessionListener = (event) => {
      if (event.type === 'callback-begun') {
        if (this.#callbacks.size < MAX_REMEMBERED)
          this.#callbacks.set(event.callback, { begunNs: event.atNs, answeredNs: undefined });
      } else if (event.type === 'callback') {
        const times = this.#callbacks.get(event.callback);
        if (times) times.answeredNs = event.atNs;
      }
    };
    this.#stopListening = this.#events.subscribe(note, { types: ['callback-begun', 'callback'] });
    void this.#askTime(async () => {
      const { atNs, processId } = await this.#executor().observe(true);
      this.#hostProcessId = processId;
      return atNs;
    });
    this.#timer = setInterval(() => {
      void this.#askTime(async () => (await this.#executor().readClock()).atNs);
    }, CLOCK_MS).unref();
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#stopListening?.();
    this.#callbacks.clear();
    this.#executor()
      .observe(false)
      .catch(() => {
        // Gone, and with it what there was to end.
      });
  }

  /** Never rejects: an executor that is gone has no time. */
  async #askTime(ask: () => Promise<number>): Promise<void> {
    const sentNs = this.#events.nowNs();
    const atNs = await ask().catch(() => undefined);
    if (atNs === undefined) return;
    this.#clock.sent(sentNs, atNs);
    this.#clock.received(atNs, this.#events.nowNs());
    if (this.#early.length > 0) this.received([], 0);
  }

  #relate(event: HostEvent): void {
    if (event.type !== 'thread-blocked' && event.type !== 'answer-received') return;
    const times = this.#callbacks.get(event.callback);
    if (!times) return;
    if (event.type === 'thread-blocked') {
      if (event.isFirst) this.#clock.received(event.atNs, times.begunNs);
      return;
    }
    if (times.answeredNs !== undefined) this.#clock.sent(times.answeredNs, event.atNs);
    this.#callbacks.delete(event.callback);
  }

  #tellAll(told: readonly HostEvent[], droppedCount: number): void {
    for (const event of told) this.#tell(event);
    if (droppedCount > 0)
      this.#events.tell('events-missed', () => ({ count: droppedCount, where: 'host' as const }));
  }

  /** What is told makes no event of a kind that is not known here: the protocol has checked it. */
  #tell(event: HostEvent): void {
    const { type, atNs, generation } = event;
    const isOfRunner = type === 'thread-landed';
    if (type === 'host-runner-started') this.#runnerProcessId = event.processId;
    const stamp: Partial<EventStamp> = {
      ...('threadId' in event && { thread: event.threadId, address: event.trampoline }),
      atNs: this.#clock.toOurs(atNs),
      errorNs: this.#clock.errorNs,
      process: isOfRunner ? 'runner' : 'host',
      processId: isOfRunner ? this.#runnerProcessId : this.#hostProcessId,
      generation,
    };
    const events = this.#events;
    switch (event.type) {
      case 'doorbell': {
        const { callback, call, rangNs } = event;
        const rang = this.#clock.toOurs(rangNs);
        return events.tell('doorbell', () => ({
          ...stamp,
          callback,
          rangNs: rang,
          call: call === 0 ? undefined : call,
        }));
      }
      case 'thread-blocked': {
        const { callback, isFirst } = event;
        return events.tell('thread-blocked', () => ({ ...stamp, callback, isFirst }));
      }
      case 'answer-received': {
        const { callback, outcome } = event;
        return events.tell('answer-received', () => ({ ...stamp, callback, outcome }));
      }
      case 'commit-written': {
        const { beganNs, sizeBytes, segmentCount, pointerCount } = event;
        const began = this.#clock.toOurs(beganNs);
        return events.tell('commit-written', () => ({
          ...stamp,
          beganNs: began,
          sizeBytes,
          segmentCount,
          pointerCount,
        }));
      }
      case 'thread-released': {
        const { callback, address } = event;
        return events.tell('thread-released', () => ({ ...stamp, callback, address }));
      }
      case 'thread-landed': {
        const { callback } = event;
        return events.tell('thread-landed', () => ({ ...stamp, callback }));
      }
      case 'host-runner-started':
        return events.tell('host-runner-started', () => ({ ...stamp, processId: event.processId }));
      case 'host-runner-ended':
        return events.tell('host-runner-ended', () => ({
          ...stamp,
          processId: event.processId,
          end: event.end,
        }));
    }
  }
}
