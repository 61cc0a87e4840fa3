import { type Commit, type CommitPart, memory, parseValue, run } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { RequestError } from '@farjit/protocol/errors';
import { clipped } from '@farjit/protocol/printable';
import type { ExecutorEvents } from './events.js';
import type { SessionMemory } from './memory.js';
import type { Observer } from './observation.js';
import type { Publisher, WrittenCommit } from './publisher.js';
import { StagedCommit, type WholeCommit } from './staged-commit.js';
import type { Lane, Slices } from './turns.js';

/** Whether a request whose body has not been checked comes with a commit that changes something. */
export function mayCarryCommit(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || !('commit' in body)) return false;
  const parsed = parseValue(memory.commit, body.commit);
  return !parsed.success || parsed.output.stagedParts > 0 || !memory.isEmptyCommit(parsed.output);
}

/** Does what a commit takes inside its span. */
type InSpan = <T>(apply: () => T) => T;

/** What commits of one runner need. */
export interface CommitsContext {
  readonly memory: SessionMemory;
  readonly publisher: Publisher;
  /** In which commits come, and are written in slices. */
  readonly lane: Lane;
  readonly events: ExecutorEvents;
  readonly generation: number;
  /** While somebody looks. */
  observer(): Observer | undefined;
  /** Ends the runner. */
  fault(message: string): void;
}

const NOTHING: WrittenCommit = { syncCore: false, threadUnits: new Set(), connect: () => {} };

/** Commits of one runner: completed by what was staged for them, checked, written, and then made reachable. */
export class Commits {
  readonly #memory: SessionMemory;
  readonly #publisher: Publisher;
  readonly #lane: Lane;
  readonly #events: ExecutorEvents;
  readonly #fault: (message: string) => void;
  readonly #observe: <T>(commit: WholeCommit, reach: () => T) => () => T;
  readonly #staged = new StagedCommit();
  #count = 0;
  #spentMs = 0;
  /** What those behind a refused commit are refused with. */
  #refusal: RequestError | undefined;

  constructor({ memory, publisher, lane, events, fault, ...observed }: CommitsContext) {
    this.#memory = memory;
    this.#publisher = publisher;
    this.#lane = lane;
    this.#events = events;
    this.#fault = fault;
    this.#observe = (commit, reach) => observedCommit(commit, reach, observed);
  }

  /** How many have changed something. */
  get count(): number {
    return this.#count;
  }

  /** Milliseconds spent checking and writing. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /** A part of the next commit. */
  stage(part: CommitPart): void {
    this.#staged.add(part);
  }

  /**
   * Applies a commit: all of it, or nothing, and then the runner ends: those behind it were sent counting on it, and so
   * nothing of them is applied either.
   * @param reach called when its code, and that of all commits before it, can be reached.
   * @returns what `reach` returns, in a promise where it had to wait, which rejects when the runner is gone.
   * @throws {RequestError} as `SessionMemory.apply` and `StagedCommit.complete`, RUNNER_LOST after one that was refused; or it
   *   rejects with that.
   */
  apply<T>(commit: Commit, inSpan: InSpan, reach: () => T | Promise<T>): T | Promise<T> {
    const whole = this.#complete(commit);
    // Most calls bring nothing along: then there is nothing to apply, nor to trace.
    if (memory.isEmptyCommit(whole)) return this.whenReachable(reach);
    const reached = this.#observe(whole, reach);
    const written = inSpan(() => this.#lane.runSlices(this.#write(whole)));
    if (!(written instanceof Promise)) return this.#publisher.publish(written, reached);
    return written.then((commit) => this.#publisher.publish(commit, reached));
  }

  /** Calls `reach` when the code of all commits up to now can be reached. */
  whenReachable<T>(reach: () => T | Promise<T>): T | Promise<T> {
    return this.#publisher.isBusy ? this.#publisher.publish(NOTHING, reach) : reach();
  }

  /** One was refused, here or before it came here: the compiler counts on code that is not there. */
  refuse(error: unknown): void {
    if (this.#refusal) return;
    const words = error instanceof Error ? error.message : String(error);
    const message = clipped(`a commit was refused: ${words}`, run.MAX_END_MESSAGE_LENGTH);
    this.#refusal = new RequestError('RUNNER_LOST', `the runner is gone: ${message}`, {
      end: { kind: 'fault', message },
      own: false,
    });
    this.#fault(message);
  }

  #complete(commit: Commit): WholeCommit {
    if (this.#refusal) throw this.#refusal;
    try {
      return this.#staged.complete(commit);
    } catch (error) {
      this.refuse(error);
      throw error;
    }
  }

  *#write(commit: WholeCommit): Slices<WrittenCommit> {
    // It may have waited for its turn since.
    if (this.#refusal) throw this.#refusal;
    const slices = this.#memory.apply(commit);
    let spentMs = 0;
    for (;;) {
      const startMs = monotonicMs();
      const next = this.#nextOf(slices);
      spentMs += monotonicMs() - startMs;
      if (!next.done) {
        yield;
        continue;
      }
      this.#count++;
      this.#spentMs += spentMs;
      this.#events.emit({ type: 'commit-applied', durationMs: spentMs });
      return next.value;
    }
  }

  #nextOf(slices: Slices<WrittenCommit>): IteratorResult<undefined, WrittenCommit> {
    try {
      return slices.next();
    } catch (error) {
      this.refuse(error);
      throw error;
    }
  }
}

/** Notes, where somebody looks, when a commit that is begun now can be reached. */
function observedCommit<T>(
  { segments, pointers }: WholeCommit,
  reach: () => T,
  { generation, observer }: Pick<CommitsContext, 'generation' | 'observer'>,
): () => T {
  const looking = observer();
  if (!looking) return reach;
  const beganNs = looking.nowNs();
  return () => {
    looking.add({
      type: 'commit-written',
      atNs: looking.nowNs(),
      generation,
      beganNs,
      sizeBytes: segments.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
      segmentCount: segments.length,
      pointerCount: pointers.length,
    });
    return reach();
  };
}
