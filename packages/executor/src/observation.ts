import { type HostEvent, observation } from '@farjit/protocol';
import { nanosecondsSince } from '@farjit/protocol/clock';

/** How long events wait to be told with others: so that no callback pays for them. */
const BATCH_MS = 50;

/** What the observation of a session needs of it. */
export interface ObservationContext {
  notify(events: HostEvent[], droppedCount: number): void;
  /** The compiler does not read. */
  isCongested(): boolean;
  /** Runs `work` after a time; it keeps no program running. */
  later(work: () => void, ms: number): void;
}

/** What is noted of a runner while somebody looks. */
export interface Observer {
  /** Now, as events say it. */
  nowNs(): number;
  /** A time that the runner says, who may say anything: at most now. */
  runnerNs(monotonicNs: bigint): number;
  add(event: HostEvent): void;
}

/**
 * What happens in the host for one session, for a compiler that has asked: kept for a moment and told in batches. While nobody
 * looks there is no observer, and no event is made.
 */
export class Observation implements Observer {
  readonly #context: ObservationContext;
  readonly #originNs = process.hrtime.bigint();
  /** Called before a batch is told: for what has to be asked for. */
  #collect: () => void = () => {};
  #isWanted = false;
  #events: HostEvent[] = [];
  #droppedCount = 0;
  #isDue = false;

  constructor(context: ObservationContext) {
    this.#context = context;
  }

  /** Where events go; undefined while nobody looks. */
  get observer(): Observer | undefined {
    return this.#isWanted ? this : undefined;
  }

  /** @param collect called before each batch is told. */
  want(isWanted: boolean, collect: () => void): void {
    if (!isWanted) this.flush();
    this.#isWanted = isWanted;
    this.#collect = collect;
  }

  nowNs(): number {
    return nanosecondsSince(this.#originNs);
  }

  runnerNs(monotonicNs: bigint): number {
    return Math.min(Math.max(Number(monotonicNs - this.#originNs), 0), this.nowNs());
  }

  add(event: HostEvent): void {
    if (this.#events.length < observation.MAX_KEPT_HOST_EVENTS) this.#events.push(event);
    else this.#droppedCount++;
    if (this.#isDue) return;
    this.#isDue = true;
    this.#context.later(() => this.#tellSome(), BATCH_MS);
  }

  /** Tells all that is known: nothing will happen any more, or nobody will look. */
  flush(): void {
    if (!this.#isWanted) return;
    this.#collect();
    while (this.#events.length > 0 || this.#droppedCount > 0) this.#tell();
  }

  /** One batch: what is left has its own. */
  #tellSome(): void {
    this.#isDue = false;
    if (!this.#isWanted) return;
    this.#collect();
    if (!this.#context.isCongested()) this.#tell();
    if (this.#events.length === 0 || this.#isDue) return;
    this.#isDue = true;
    this.#context.later(() => this.#tellSome(), this.#context.isCongested() ? BATCH_MS : 1);
  }

  #tell(): void {
    const events = this.#events.splice(0, observation.MAX_HOST_EVENTS);
    if (events.length === 0 && this.#droppedCount === 0) return;
    const dropped = this.#droppedCount;
    this.#droppedCount = 0;
    this.#context.notify(events, dropped);
  }
}
