import { monotonicMs } from '@farjit/protocol/clock';
import { RequestError } from '@farjit/protocol/errors';

/**
 * Host time that one lane may use before those that wait have theirs. Short, so that a neighbour hardly notices a turn
 * that is not its own, and long against what it costs to ask the system for news between two turns.
 */
export const TURN_MS = 0.25;

/** Bytes copied or cleared between two yields: some tens of microseconds. */
export const SLICE_BYTES = 256 * 1024;
/** Entries of a list looked at between two yields: the same. */
export const SLICE_ENTRIES = 256;

/** Work that yields where others may have their turn: at least every `SLICE_BYTES` and every `SLICE_ENTRIES`. */
export type Slices<T> = Generator<undefined, T, undefined>;

/** Whose work it is. */
export interface LaneOwner {
  /** Host time has been used, in milliseconds. */
  charge(usedMs: number): void;
  /** Work has thrown. */
  fault(error: unknown): void;
}

/**
 * The host's one thread, shared by all sessions. Work is done when it comes, as long as its lane has not used up its
 * turn. What comes after that waits: the system is asked for news, then one of the lanes that wait has its turn, and so
 * on. So whoever has done little is served at once, and the others one after the other.
 */
export class Turns {
  readonly #nowMs: () => number;
  /** Those with work that waits; the first has the next turn. */
  readonly #waiting: Lane[] = [];
  #isPassing = false;
  #passCount = 0;
  #usedMs = 0;

  /** @param nowMs a clock that never goes back. */
  constructor(nowMs: () => number = monotonicMs) {
    this.#nowMs = nowMs;
  }

  /** A lane of its own, whose work is done in order. */
  lane(owner: LaneOwner): Lane {
    return new Lane(
      {
        nowMs: this.#nowMs,
        wait: (lane) => this.#wait(lane),
        passCount: () => this.#passCount,
        usedMs: () => this.#usedMs,
      },
      {
        charge: (usedMs) => {
          this.#usedMs += usedMs;
          owner.charge(usedMs);
        },
        fault: (error) => owner.fault(error),
      },
    );
  }

  /** Host time that all lanes have used up to now, in milliseconds. */
  get usedMs(): number {
    return this.#usedMs;
  }

  #wait(lane: Lane): void {
    this.#waiting.push(lane);
    this.#passOn();
  }

  #passOn(): void {
    if (this.#isPassing || this.#waiting.length === 0) return;
    this.#isPassing = true;
    // An immediate that is asked for by an immediate comes after the next look for news.
    setImmediate(() => {
      this.#isPassing = false;
      this.#passCount++;
      this.#waiting.shift()?.takeTurn();
      this.#passOn();
    });
  }
}

/** A lane, for work of one kind that is done in its turns. */
export type LaneTurns = Pick<Lane, 'run' | 'hasTimeLeft'>;

/** What a lane needs of those that share the thread. */
interface Thread {
  readonly nowMs: () => number;
  /** Has `takeTurn` called when it is the lane's turn. */
  wait(lane: Lane): void;
  /** Counts the turns of those that waited. */
  passCount(): number;
  /** Used by all lanes up to now. */
  usedMs(): number;
}

interface WaitingWork {
  readonly work: () => void;
  readonly settle: () => void;
}

/** Work that has been begun. */
interface SlicedWork {
  /** @returns whether it has come to its end. */
  readonly goOn: () => boolean;
  readonly giveUp: (error: Error) => void;
}

/** Work of one session, done in order and in turns with that of the others. */
export class Lane {
  readonly #thread: Thread;
  readonly #owner: LaneOwner;
  readonly #queue: WaitingWork[] = [];
  /** Goes on before what is in the queue. */
  readonly #begun: SlicedWork[] = [];
  #isRunning = false;
  #isWaiting = false;
  #isClosed = false;
  /** What has been used of the turn, up to when work began or ended the last time. */
  #usedMs = 0;
  #sinceMs = 0;
  /** Of the thread, in this turn. */
  #passCount = 0;

  constructor(thread: Thread, owner: LaneOwner) {
    this.#thread = thread;
    this.#owner = owner;
  }

  /**
   * Does `work` after all that came before it: now, or when it is the lane's turn. What it throws, the owner is told.
   * @returns undefined when it has been done, otherwise a promise that resolves when it has, or never will be.
   */
  run(work: () => void): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    if (!this.#isRunning && !this.#hasBacklog && this.#beginsWithTimeLeft()) {
      this.measure(() => this.#guard(work));
      return undefined;
    }
    const done = new Promise<void>((settle) => {
      this.#queue.push({ work, settle });
    });
    this.#wait();
    return done;
  }

  /**
   * Does work in slices: as many as the turn has time for now, the others in the lane's next turns. What comes after it
   * in the lane waits until it is done, and until whoever awaits it has been told.
   * @returns the result, or a promise of it, which rejects with what the work throws, or CANCELLED when the lane is closed.
   */
  runSlices<T>(slices: Slices<T>): T | Promise<T> {
    if (this.#isClosed) throw closedError();
    if (this.#begun.length === 0) {
      const first = this.measure(() => this.#goOn(slices));
      if (first.done) return first.value;
    }
    return new Promise((resolve, reject) => {
      let isGoingOn = false;
      // What it holds it gives back then: nothing else would.
      const abandon = () => this.#guard(() => slices.return(undefined as T));
      this.#begun.push({
        goOn: () => {
          try {
            isGoingOn = true;
            const next = this.#goOn(slices);
            isGoingOn = false;
            if (next.done) resolve(next.value);
            else if (this.#isClosed) abandon();
            return next.done === true;
          } catch (error) {
            reject(error);
            return true;
          }
        },
        giveUp: (error) => {
          reject(error);
          if (!isGoingOn) abandon();
        },
      });
      this.#wait();
    });
  }

  /** Does at once what cannot wait, and counts its time, without that of other lanes' work inside of it. */
  measure<T>(work: () => T): T {
    if (this.#isRunning) return work();
    this.#beginsWithTimeLeft();
    this.#isRunning = true;
    const usedBeforeMs = this.#thread.usedMs();
    try {
      return work();
    } finally {
      const elapsedMs = this.#thread.nowMs() - this.#sinceMs;
      const usedMs = elapsedMs - (this.#thread.usedMs() - usedBeforeMs);
      this.#isRunning = false;
      this.#usedMs += usedMs;
      this.#sinceMs += elapsedMs;
      this.#owner.charge(usedMs);
    }
  }

  /** Its turn, for which it has waited. */
  takeTurn(): void {
    this.#isWaiting = false;
    this.measure(() => {
      const [sliced] = this.#begun;
      if (!sliced) return this.#workOff();
      if (sliced.goOn()) this.#begun.shift();
    });
    if (this.#hasBacklog) this.#wait();
  }

  /** Drops what waits. Nothing is done in it any more. */
  close(): void {
    this.#isClosed = true;
    for (const { settle } of this.#queue.splice(0)) settle();
    for (const { giveUp } of this.#begun.splice(0)) giveUp(closedError());
  }

  /** Whether work that is under way may go on before others have their turn. */
  get hasTimeLeft(): boolean {
    return this.#usedMs + this.#thread.nowMs() - this.#sinceMs < TURN_MS;
  }

  get #hasBacklog(): boolean {
    return this.#begun.length + this.#queue.length > 0;
  }

  #workOff(): void {
    do {
      const next = this.#queue.shift();
      if (!next) return;
      this.#guard(next.work);
      next.settle();
    } while (this.#begun.length === 0 && this.hasTimeLeft);
  }

  #goOn<T>(slices: Slices<T>): IteratorResult<undefined, T> {
    let next = slices.next();
    while (!next.done && this.hasTimeLeft) next = slices.next();
    return next;
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#owner.fault(error);
    }
  }

  #wait(): void {
    if (this.#isWaiting || this.#isClosed) return;
    this.#isWaiting = true;
    this.#thread.wait(this);
  }

  /** Begins to count, in a new turn where others could have had theirs meanwhile. */
  #beginsWithTimeLeft(): boolean {
    const nowMs = this.#thread.nowMs();
    const passCount = this.#thread.passCount();
    // Nothing that has come in one go is so far apart.
    if (passCount !== this.#passCount || nowMs - this.#sinceMs >= TURN_MS) this.#usedMs = 0;
    this.#passCount = passCount;
    this.#sinceMs = nowMs;
    return this.#usedMs < TURN_MS;
  }
}

function closedError(): RequestError {
  return new RequestError('CANCELLED', 'the session has ended');
}
