/** Whether what comes from the executor is held back: whoever gets a program's output has not dealt with it yet. */
export class HeldBack {
  readonly #listeners = new Set<() => void>();
  #count = 0;

  /** It is, until `until` has settled. */
  async hold(until: Promise<unknown>): Promise<void> {
    this.#count++;
    for (const tell of [...this.#listeners]) tell();
    try {
      await until;
    } finally {
      this.#count--;
    }
  }

  /**
   * Calls `tell` as soon as it is: at once when it is now.
   * @returns a function that ends that.
   */
  onHeld(tell: () => void): () => void {
    if (this.#count > 0) tell();
    this.#listeners.add(tell);
    return () => this.#listeners.delete(tell);
  }
}
