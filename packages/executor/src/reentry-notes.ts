import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ControlArea } from './control-area.js';
import type { Observer } from './observation.js';

/** A thread blocked in a compile callback. */
export interface BlockedThread {
  readonly slot: number;
  readonly trampoline: ExecutorAddr;
  readonly threadId: number;
}

/** Where callbacks happen. */
export interface NotedRunner {
  readonly generation: number;
  /** Undefined while nobody looks: then nothing is noted. */
  observer(): Observer | undefined;
  /** The compiler's request whose call a thread runs; 0 for a thread that JIT'd code made. */
  requestOf(threadId: number): number;
}

/** When a thread rang, and when the host has heard it. */
interface Heard {
  readonly atNs: number;
  readonly rangNs: number;
}

/** A thread that was let go, and has not said yet that it went on. */
interface Released {
  readonly thread: BlockedThread;
  readonly callback: number;
  readonly atNs: number;
}

/** Notes the way of compile callbacks in the host, for who looks. */
export class ReentryNotes {
  readonly #control: ControlArea;
  readonly #runner: NotedRunner;
  /** By slot. */
  readonly #heard = new Map<number, Heard>();
  readonly #released = new Map<number, Released>();

  constructor(control: ControlArea, runner: NotedRunner) {
    this.#control = control;
    this.#runner = runner;
  }

  /** A thread has rung. */
  heard({ slot }: BlockedThread): void {
    const observer = this.#runner.observer();
    if (!observer) return;
    // The slot still says when it was left before.
    this.#noteLanding(slot, observer);
    const { postedNs } = this.#control.readReentryTimes(slot);
    this.#heard.set(slot, { atNs: observer.nowNs(), rangNs: observer.runnerNs(postedNs) });
  }

  /** The compiler is about to be asked, or has been for another thread. */
  blocked({ slot, threadId, trampoline }: BlockedThread, callback: number, isFirst: boolean): void {
    const observer = this.#runner.observer();
    const heard = this.#heard.get(slot);
    this.#heard.delete(slot);
    if (!observer || !heard) return;
    const common = { generation: this.#runner.generation, callback, threadId, trampoline };
    const rangNs = Math.min(heard.rangNs, heard.atNs);
    const call = this.#runner.requestOf(threadId);
    observer.add({ type: 'doorbell', ...common, atNs: heard.atNs, rangNs, call });
    observer.add({ type: 'thread-blocked', ...common, atNs: observer.nowNs(), isFirst });
  }

  /** The compiler's answer is here. */
  answered(callback: number, outcome: 'landed' | 'failed'): void {
    const observer = this.#runner.observer();
    if (!observer || callback === 0) return;
    const { generation } = this.#runner;
    observer.add({ type: 'answer-received', atNs: observer.nowNs(), generation, callback, outcome });
  }

  /** A thread is about to be let go. */
  released(thread: BlockedThread, callback: number, address: ExecutorAddr): void {
    const observer = this.#runner.observer();
    if (!observer || callback === 0) return;
    const { threadId, trampoline } = thread;
    const atNs = observer.nowNs();
    const { generation } = this.#runner;
    observer.add({ type: 'thread-released', atNs, generation, callback, threadId, trampoline, address });
    this.#released.set(thread.slot, { thread, callback, atNs });
  }

  /** Looks which threads have gone on. */
  landings(): void {
    const observer = this.#runner.observer();
    if (!observer) return this.#released.clear();
    for (const slot of [...this.#released.keys()]) this.#noteLanding(slot, observer);
  }

  #noteLanding(slot: number, observer: Observer): void {
    const released = this.#released.get(slot);
    if (!released) return;
    const atNs = observer.runnerNs(this.#control.readReentryTimes(slot).landedNs);
    // It has not been woken yet: the slot says when a thread went on the time before.
    if (atNs < released.atNs) return;
    this.#released.delete(slot);
    const { callback } = released;
    const { threadId, trampoline } = released.thread;
    const { generation } = this.#runner;
    observer.add({ type: 'thread-landed', atNs, generation, callback, threadId, trampoline });
  }
}
