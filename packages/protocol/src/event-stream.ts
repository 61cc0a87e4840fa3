/**
 * Delivers events to listeners synchronously, in order of registration. What a listener throws does not reach the work
 * that is told of, which must not be left half done.
 */
export class EventStream<Event> {
  readonly #listeners = new Set<(event: Event) => void>();

  /** Whether anybody listens: events that are many and small need not be made for nobody. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** @returns a function that ends the subscription. */
  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: Event): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.listenerFailed(error, event);
      }
    }
  }

  /** Unless it is said otherwise, what a listener throws is its own affair: it comes up as an uncaught exception. */
  protected listenerFailed(error: unknown, _event: Event): void {
    queueMicrotask(() => {
      throw error;
    });
  }
}
