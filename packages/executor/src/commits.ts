import { type Commit, type CommitPart, memory } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import type { ExecutorEvents } from './events.js';
import type { SessionMemory } from './memory.js';
import type { Publisher, WrittenCommit } from './publisher.js';
import { StagedCommit, type WholeCommit } from './staged-commit.js';
import type { Lane, Slices } from './turns.js';

/** Does what a commit takes inside its span. */
type InSpan = <T>(apply: () => T) => T;

const NOTHING: WrittenCommit = { syncCore: false, threadUnits: new Set(), connect: () => {} };

/** Commits of one runner: completed by what was staged for them, checked, written, and then made reachable. */
export class Commits {
  readonly #memory: SessionMemory;
  readonly #publisher: Publisher;
  readonly #lane: Lane;
  readonly #events: ExecutorEvents;
  readonly #staged = new StagedCommit();
  #count = 0;
  #spentMs = 0;

  /** @param lane in which commits come, and are written in slices. */
  constructor(memory: SessionMemory, publisher: Publisher, lane: Lane, events: ExecutorEvents) {
    this.#memory = memory;
    this.#publisher = publisher;
    this.#lane = lane;
    this.#events = events;
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
   * Applies a commit: all of it, or nothing.
   * @param reach called when its code, and that of all commits before it, can be reached.
   * @returns what `reach` returns, in a promise where it had to wait, which rejects when the runner is gone.
   * @throws {RequestError} as `SessionMemory.apply` and `StagedCommit.complete`; or it rejects with that.
   */
  apply<T>(commit: Commit, inSpan: InSpan, reach: () => T | Promise<T>): T | Promise<T> {
    const whole = this.#staged.complete(commit);
    // Most calls bring nothing along: then there is nothing to apply, nor to trace.
    if (memory.isEmptyCommit(whole)) return this.whenReachable(reach);
    const written = inSpan(() => this.#lane.runSlices(this.#write(whole)));
    if (!(written instanceof Promise)) return this.#publisher.publish(written, reach);
    return written.then((commit) => this.#publisher.publish(commit, reach));
  }

  /** Calls `reach` when the code of all commits up to now can be reached. */
  whenReachable<T>(reach: () => T | Promise<T>): T | Promise<T> {
    return this.#publisher.isBusy ? this.#publisher.publish(NOTHING, reach) : reach();
  }

  *#write(commit: WholeCommit): Slices<WrittenCommit> {
    const slices = this.#memory.apply(commit);
    let spentMs = 0;
    for (;;) {
      const startMs = monotonicMs();
      const next = slices.next();
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
}
