/**
 * Values that somebody gives as they come, for `for await`. What nobody has asked for yet waits here: whoever gives them sees to it
 * that it is not too much.
 */
export class PushedValues<T> implements AsyncIterableIterator<T>, AsyncDisposable {
  readonly #onTaken: (value: T) => void;
  readonly #onReturn: () => void;
  readonly #values: T[] = [];
  readonly #waiting: PromiseWithResolvers[] = [];
  #end: { error?: unknown } | undefined;

  /** @param told `taken` of each value that is delivered, `returned` when no more are wanted. */
  constructor(told: { taken?(value: T): void; returned(): void }) {
    this.#onTaken = (value) => told.taken?.(value);
    this.#onReturn = () => told.returned();
  }

  /** Values that wait. */
  get size(): number {
    return this.#values.length;
  }

  push(value: T): void {
    if (this.#end) return;
    const waiter = this.#waiting.shift();
    if (!waiter) return void this.#values.push(value);
    this.#onTaken(value);
    waiter.resolve({ value, done: false });
  }

  /** No more come. @param end what the iteration rejects with when all that has come is delivered. */
  end(end: { readonly error?: unknown } = {}): void {
    if (this.#end) return;
    this.#end = { ...end };
    for (const waiter of this.#waiting.splice(0)) this.next().then(waiter.resolve, waiter.reject);
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#values.length > 0) {
      const value = this.#values.shift() as T;
      this.#onTaken(value);
      return { value, done: false };
    }
    if (!this.#end)
      return new Promise<IteratorResult<T, undefined>>((resolve, reject) => {
        this.#waiting.push({ resolve: resolve as PromiseWithResolvers['resolve'], reject });
      });
    if ('error' in this.#end) {
      const { error } = this.#end;
      this.#end = {};
      throw error;
    }
    return { value: undefined, done: true };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    for (const value of this.#values.splice(0)) this.#onTaken(value);
    this.end();
    this.#onReturn();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** Who waits for a value. */
interface PromiseWithResolvers {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}
