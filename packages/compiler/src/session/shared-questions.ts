import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Questions to a generator. Whoever needs a name that it is being asked for waits for the same answer, so that it does not
 * define the name twice.
 */
export class SharedQuestions {
  readonly #generator: (names: readonly string[]) => void | Promise<void>;
  readonly #pending = new Map<string, Promise<void>>();
  /** What it is asked for, where it looks something up itself: it would wait for its own answer. */
  readonly #own = new AsyncLocalStorage<ReadonlySet<string>>();

  constructor(generator: (names: readonly string[]) => void | Promise<void>) {
    this.#generator = generator;
  }

  /**
   * Asks for those names that it is not being asked for already. What it looks up itself meanwhile is not asked for again.
   * @throws what the generator throws.
   */
  async ask(names: readonly string[]): Promise<void> {
    const own = this.#own.getStore() ?? new Set<string>();
    const wanted = names.filter((name) => !own.has(name));
    const answers = new Set(wanted.flatMap((name) => this.#pending.get(name) ?? []));
    const unasked = wanted.filter((name) => !this.#pending.has(name));
    if (unasked.length > 0) {
      const answer = this.#own
        .run(new Set([...own, ...unasked]), async () => this.#generator(unasked))
        .finally(() => {
          for (const name of unasked) this.#pending.delete(name);
        });
      for (const name of unasked) this.#pending.set(name, answer);
      answers.add(answer);
    }
    await Promise.all(answers);
  }
}
