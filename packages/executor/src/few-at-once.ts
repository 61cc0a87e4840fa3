/** Lets so many do something at a time; the others wait in the order they came. */
export class FewAtOnce {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves with what `work` does, when it is its turn. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    // Who leaves hands its place on.
    if (this.#count < this.#limit) this.#count++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#count--;
    }
  }
}
