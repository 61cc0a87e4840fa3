/** By how much two clocks of usual machines part, at worst: 100 parts in a million. */
const DRIFT = 1e-4;

/**
 * How far another process's clock is from ours, told from messages that both ends have seen. What was sent at a time of
 * theirs and received at one of ours bounds the offset from above, what we sent and they received from below: as NTP does it,
 * over whatever travels anyway. Bounds age, since clocks drift.
 */
export class ClockRelation {
  #lowNs = Number.NEGATIVE_INFINITY;
  #highNs = Number.POSITIVE_INFINITY;
  /** Ours, when the bounds were last aged. */
  #agedNs = 0;

  /** Something that they sent at `theirNs` has come at `ourNs`. */
  received(theirNs: number, ourNs: number): void {
    this.#age(ourNs);
    this.#narrow(Number.NEGATIVE_INFINITY, ourNs - theirNs);
  }

  /** Something that we sent at `ourNs` has come at `theirNs`. */
  sent(ourNs: number, theirNs: number): void {
    this.#age(ourNs);
    this.#narrow(ourNs - theirNs, Number.POSITIVE_INFINITY);
  }

  /** Whether there are bounds on both sides. */
  get isKnown(): boolean {
    return Number.isFinite(this.#lowNs) && Number.isFinite(this.#highNs);
  }

  /** By so much a time that is translated may be wrong; infinite before it is known. */
  get errorNs(): number {
    return (this.#highNs - this.#lowNs) / 2;
  }

  /** A time of theirs on our clock. */
  toOurs(theirNs: number): number {
    return Math.round(theirNs + this.#lowNs + this.errorNs);
  }

  #age(ourNs: number): void {
    const passedNs = Math.max(0, ourNs - this.#agedNs);
    this.#agedNs = Math.max(ourNs, this.#agedNs);
    this.#lowNs -= passedNs * DRIFT;
    this.#highNs += passedNs * DRIFT;
  }

  /** What contradicts what was known is right: a clock has been suspended, or drifts more than clocks do. */
  #narrow(lowNs: number, highNs: number): void {
    if (lowNs > this.#highNs) this.#highNs = Number.POSITIVE_INFINITY;
    if (highNs < this.#lowNs) this.#lowNs = Number.NEGATIVE_INFINITY;
    this.#lowNs = Math.max(this.#lowNs, lowNs);
    this.#highNs = Math.min(this.#highNs, highNs);
  }
}
