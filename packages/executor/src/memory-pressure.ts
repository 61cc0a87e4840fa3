/** Of what a session may have, from which on its compiler is told that memory is short, and below which that it is not any more. */
const HIGH = 0.8;
const LOW = 0.7;

/** A use of memory and what bounds it, in bytes. */
export interface BoundedUse {
  readonly usedBytes: number;
  /** Undefined for no bound. */
  readonly limitBytes: number | null | undefined;
}

/** Whether one session is near a bound of memory at which it, or another of its identity, would lose its runner. */
export class MemoryPressure {
  #isHigh = false;

  /** Takes note of what is used now. @returns whether memory is short, where that is news. */
  note(uses: readonly BoundedUse[]): boolean | undefined {
    const share = Math.max(
      0,
      ...uses.map(({ usedBytes, limitBytes }) => (limitBytes ? usedBytes / limitBytes : 0)),
    );
    const isHigh = share >= (this.#isHigh ? LOW : HIGH);
    if (isHigh === this.#isHigh) return undefined;
    this.#isHigh = isHigh;
    return isHigh;
  }
}
