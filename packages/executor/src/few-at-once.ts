/** Lets so many do something at a time; the others wait in the order they came. */
export class FewAtOnce {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves with what `work` does, when it is its turn; with `isNext`, before all that wait. */
  async run<T>(work: () => Promise<T>, isNext = false): Promise<T> {
    // Who leaves hands its place on.
    if (this.#count < this.#limit) this.#count++;
    else
      await new Promise<void>((resolve) => {
        if (isNext) this.#waiting.unshift(resolve);
        else this.#waiting.push(resolve);
      });
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#count--;
    }
  }
}
