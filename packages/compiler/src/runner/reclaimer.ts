/**
 * Live threads made by JIT'd code, as an answer counted them: `same` when a call ended before it was started, `unknown`
 * when nobody said.
 */
export type ProgramThreads = number | 'same' | 'unknown';

interface Retired {
  /** Calls numbered below this may still be inside what was retired. */
  readonly barrier: number;
  readonly free: () => void;
}

/**
 * Decides when retired code may be overwritten: once every call begun before its removal has ended and no thread
 * made by JIT'd code is alive. Threads blocked in callbacks are inside calls, or are such threads.
 */
export class Reclaimer {
  #nextCall = 0;
  readonly #activeCalls = new Set<number>();
  #programThreads: number | 'unknown' = 0;
  #retired: Retired[] = [];

  /** A call is about to be prepared. What is retired from now on waits until it has ended. */
  callStarted(): number {
    const call = this.#nextCall++;
    this.#activeCalls.add(call);
    return call;
  }

  callEnded(call: number, programThreads: ProgramThreads): void {
    this.#activeCalls.delete(call);
    if (programThreads !== 'same') this.#programThreads = programThreads;
    this.#reclaim();
  }

  /** Runs `free` as soon as nothing can be inside any more; at once when nothing runs. */
  retire(free: () => void): void {
    this.#retired.push({ barrier: this.#nextCall, free });
    this.#reclaim();
  }

  get retiredCount(): number {
    return this.#retired.length;
  }

  get activeCallCount(): number {
    return this.#activeCalls.size;
  }

  #reclaim(): void {
    if (this.#programThreads !== 0 || this.#retired.length === 0) return;
    // Insertion order is call order, so the first is the oldest.
    const [oldest = this.#nextCall] = this.#activeCalls;
    const split = this.#retired.findIndex(({ barrier }) => barrier > oldest);
    const ready = split === -1 ? this.#retired.splice(0) : this.#retired.splice(0, split);
    for (const { free } of ready) free();
  }
}
