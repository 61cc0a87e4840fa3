import type { UserRanges } from './user-ranges.js';

/**
 * Users and groups for runners, one each, so that runners cannot signal or inspect each other, nor those of other hosts,
 * and the kernel counts each one's threads by themselves. Only root can give them.
 */
export class UserPool {
  readonly #ranges: UserRanges | undefined;
  /** Those that have been free for longest come first. */
  readonly #free: number[] = [];
  readonly #inUse = new Set<number>();
  #missing = '';

  /** @param ranges undefined where users cannot be given, or are not wanted. */
  constructor(ranges: UserRanges | undefined) {
    this.#ranges = ranges;
  }

  /** `own user (why not)` when the last `take` has given none though it should have; otherwise empty. */
  get missing(): string {
    return this.#missing;
  }

  /** A user that no other process has; 0 where there is none, and then the runner stays what the host is. */
  take(): number {
    if (!this.#ranges) return 0;
    try {
      if (this.#free.length === 0) {
        const { first, count } = this.#ranges.take();
        for (let user = first; user < first + count; user++) this.#free.push(user);
      }
      this.#missing = '';
    } catch (error) {
      this.#missing = `own user (${error instanceof Error ? error.message : String(error)})`;
      return 0;
    }
    const user = this.#free.shift() ?? 0;
    this.#inUse.add(user);
    return user;
  }

  /** Giving back twice does nothing. */
  giveBack(user: number): void {
    if (this.#inUse.delete(user)) this.#free.push(user);
  }

  /** Leaves the users to other hosts. Those that are in use must have ended. */
  close(): void {
    this.#free.length = 0;
    this.#ranges?.close();
  }
}
