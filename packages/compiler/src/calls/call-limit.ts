import { untilAborted } from '../core/aborting.js';

/** Lets so many calls at a time through; the others wait in the order they came. */
export class CallLimit {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(limit: number) {
    this.#free = limit;
  }

  /**
   * Waits for a turn, which `leave` ends.
   * @throws {AbortError} with these words when the signal is aborted before: then there is no turn to end.
   */
  async enter(signal: AbortSignal | undefined, words: string): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    let go = () => {};
    const turn = new Promise<void>((resolve) => {
      go = resolve;
    });
    this.#waiting.add(go);
    try {
      await untilAborted(signal, words, () => turn);
    } catch (error) {
      // Its turn may have come in the same moment.
      if (!this.#waiting.delete(go)) this.leave();
      throw error;
    }
  }

  leave(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
