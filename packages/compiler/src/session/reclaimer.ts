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
  #foreignThreads = 0;
  #retired: Retired[] = [];

  /** A call is about to be sent. */
  callStarted(): number {
    const call = this.#nextCall++;
    this.#activeCalls.add(call);
    return call;
  }

  /** @param foreignThreads as the executor's answer says; undefined when there was no such answer. */
  callEnded(call: number, foreignThreads: number | undefined): void {
    this.#activeCalls.delete(call);
    if (foreignThreads !== undefined) this.#foreignThreads = foreignThreads;
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
    if (this.#foreignThreads > 0 || this.#retired.length === 0) return;
    // Insertion order is call order, so the first is the oldest.
    const [oldest = this.#nextCall] = this.#activeCalls;
    const split = this.#retired.findIndex(({ barrier }) => barrier > oldest);
    const ready = split === -1 ? this.#retired.splice(0) : this.#retired.splice(0, split);
    for (const { free } of ready) free();
  }
}
