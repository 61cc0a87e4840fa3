import type { SessionEvent } from '../session/events.js';

/** Quick callbacks in a row before anything is moved: a program with fewer has nothing to gain. */
const CALLBACKS_BEFORE = 16;
/** A callback that takes longer was compiled for, and its waking is a small part of it. */
const QUICK_MS = 1;
/** After the last quick callback. */
const RELEASE_AFTER_MS = 20;
/** Threads of a runner whose program has none of its own: the one that the host speaks to, and one call's. */
const OWN_RUNNER_THREADS = 2;

/** On which cores threads may run. */
export interface Affinity {
  /** The core that the caller runs on. */
  currentCore(): number;
  /** Ids of a process's threads; empty when it is gone. */
  threadsOf(processId: number): number[];
  /** The set as the system has it. */
  ownCores(): Buffer;
  /** False when that is not possible: the thread is gone, or may not be moved. */
  setCores(threadId: number, cores: Buffer): boolean;
  setCore(threadId: number, core: number): boolean;
}

/** The processes that one callback goes through, on one machine. */
export interface SharingProcesses {
  readonly compilerId: number;
  readonly hostId: number;
  /** The current runner's. */
  runnerId(): number;
}

/**
 * Puts compiler, host and the blocked thread on one core for as long as callbacks follow each other quickly.
 *
 * In a callback exactly one of the three works, and each step wakes another. A core that sleeps takes some 60 µs to wake,
 * and the system likes to choose one that does; on one core a step is a change of context, of 2 to 6 µs. So the four
 * steps cost a quarter of a millisecond less, which is most of what a callback costs that need not compile.
 *
 * Nobody polls, so nothing is burnt, and it is taken back whenever it might be in the way: after a callback that was
 * compiled for, 20 ms after the last one, when the runner ends, and it is not done to programs with threads of their own.
 */
export class SharedCore {
  readonly #processes: SharingProcesses;
  readonly #loadAffinity: () => Promise<Affinity>;
  #affinity: Affinity | undefined;
  /** False when it was not possible once. */
  #isPossible = true;
  #quickCount = 0;
  #lastQuickMs = 0;
  #placed: { readonly cores: Buffer; readonly processIds: readonly number[] } | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param loadAffinity called once there is something to gain. */
  constructor(processes: SharingProcesses, loadAffinity: () => Promise<Affinity>) {
    this.#processes = processes;
    this.#loadAffinity = loadAffinity;
  }

  /** Whether the processes share a core now. */
  get isPlaced(): boolean {
    return this.#placed !== undefined;
  }

  /** Told of all that happens in the session. */
  note(event: SessionEvent): void {
    if (event.type === 'callback') {
      if (event.outcome === 'landed' && event.handlingMs <= QUICK_MS) this.#noteQuick();
      else this.release();
    } else if (event.type === 'compiled' || event.type === 'runner-lost') this.release();
  }

  /** Lets every thread run where it could before. */
  release(): void {
    this.#quickCount = 0;
    clearTimeout(this.#timer);
    const placed = this.#placed;
    this.#placed = undefined;
    if (!placed) return;
    // Threads made meanwhile have inherited it.
    for (const processId of placed.processIds)
      for (const threadId of this.#affinity?.threadsOf(processId) ?? [])
        this.#affinity?.setCores(threadId, placed.cores);
  }

  #noteQuick(): void {
    this.#lastQuickMs = performance.now();
    if (this.#placed || !this.#isPossible || ++this.#quickCount < CALLBACKS_BEFORE) return;
    if (this.#affinity) this.#place(this.#affinity);
    else if (this.#quickCount === CALLBACKS_BEFORE) void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.#affinity = await this.#loadAffinity();
    } catch {
      // It works without.
      this.#isPossible = false;
    }
  }

  #place(affinity: Affinity): void {
    const { compilerId, hostId } = this.#processes;
    const runnerId = this.#processes.runnerId();
    const runnerThreads = affinity.threadsOf(runnerId);
    if (runnerThreads.length > OWN_RUNNER_THREADS) {
      this.#quickCount = 0;
      return;
    }
    const core = affinity.currentCore();
    this.#placed = { cores: affinity.ownCores(), processIds: [compilerId, hostId, runnerId] };
    // A process's first thread has its id; the others of the two Nodes are V8's and libuv's helpers.
    for (const threadId of [compilerId, hostId, ...runnerThreads])
      if (!affinity.setCore(threadId, core)) this.#isPossible = false;
    if (this.#isPossible) this.#releaseLater(RELEASE_AFTER_MS);
    else this.release();
  }

  #releaseLater(delayMs: number): void {
    this.#timer = setTimeout(() => {
      const restMs = this.#lastQuickMs + RELEASE_AFTER_MS - performance.now();
      if (restMs > 0) this.#releaseLater(restMs);
      else this.release();
    }, delayMs);
    this.#timer.unref();
  }
}
