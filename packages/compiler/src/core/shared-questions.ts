import { AsyncLocalStorage } from 'node:async_hooks';
import type { DefinitionGenerator } from './jit-dylib.js';

/** What a generator is asked at a time. */
interface Question {
  /** Questions whose answers the generator waits for before it answers. */
  readonly waitsFor: Set<Question>;
}

/** The question for whose answer something is looked up. */
const ASKER = new AsyncLocalStorage<Question>();

/**
 * Questions to a generator. Whoever needs a name that it is being asked for waits for the same answer, so that it does not
 * define the name twice; but not where that answer waits for this one.
 */
export class SharedQuestions {
  readonly #generator: (names: readonly string[]) => void | Promise<void>;
  readonly #pending = new Map<string, { readonly question: Question; readonly answer: Promise<void> }>();

  constructor(generator: (names: readonly string[]) => void | Promise<void>) {
    this.#generator = generator;
  }

  /**
   * Asks for those names that it is not being asked for already.
   * @throws what the generator throws.
   */
  async ask(names: readonly string[]): Promise<void> {
    const asker = ASKER.getStore();
    const answers = new Map<Question, Promise<void>>();
    for (const { question, answer } of names.flatMap((name) => this.#pending.get(name) ?? []))
      if (!asker || !leadsTo(question, asker)) answers.set(question, answer);
    const unasked = names.filter((name) => !this.#pending.has(name));
    if (unasked.length > 0) {
      const question: Question = { waitsFor: new Set() };
      answers.set(question, this.#put(question, unasked));
    }
    for (const question of answers.keys()) asker?.waitsFor.add(question);
    try {
      await Promise.all(answers.values());
    } finally {
      for (const question of answers.keys()) asker?.waitsFor.delete(question);
    }
  }

  #put(question: Question, names: readonly string[]): Promise<void> {
    const answer = ASKER.run(question, async () => {
      // Whoever looks something up for it finds it among those that are pending.
      await undefined;
      await this.#generator(names);
    }).finally(() => {
      for (const name of names) this.#pending.delete(name);
    });
    for (const name of names) this.#pending.set(name, { question, answer });
    return answer;
  }
}

/**
 * A generator that defines what it is asked for in its dylib.
 * @param define asked for a name once at a time.
 */
export function definingGenerator(
  define: (names: readonly string[]) => void | Promise<void>,
  options: Pick<DefinitionGenerator, 'leavesWeak' | 'isLast'> = {},
): DefinitionGenerator {
  const questions = new SharedQuestions(define);
  return {
    ...options,
    tryToGenerate: async (names, _, runner) => {
      await runner.answerOrLoss(questions.ask(names));
      return new Map();
    },
  };
}

/** Whether the answer to one question waits for that to another, which is no circle before somebody waits. */
function leadsTo(question: Question, other: Question): boolean {
  return question === other || [...question.waitsFor].some((next) => leadsTo(next, other));
}
