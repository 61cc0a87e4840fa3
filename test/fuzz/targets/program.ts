import { type ExpressionResult, KaleidoscopeJIT, type KaleidoscopeJITOptions } from '@farjit/compiler';
import { printfDouble } from '#compiler/src/cli/double-text.js';
import { OperatorTable } from '#compiler/src/frontends/kaleidoscope/operators.js';
import { parseSource } from '#compiler/src/frontends/kaleidoscope/parser.js';
import { SourceText } from '#compiler/src/frontends/kaleidoscope/source-text.js';
import { randomProgram } from '../programs.js';
import { Random } from '../random.js';
import { type Behaviour, interpret, TooLong } from '../reference-interpreter.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';

/** Ways to compile, which must not make a difference. */
const MODES: readonly KaleidoscopeJITOptions[] = [
  {},
  // Compiled again with inlining as soon as it is called.
  { hotThreshold: 1 },
  { hotThreshold: 4, speculate: 'eager' },
  { optLevel: 0, speculate: 'off' },
  { optLevel: 1, speculate: 'eager' },
  { optLevel: 2, speculate: 'auto' },
  { optLevel: 3, speculate: 'off' },
  // Code that is swapped and given up while programs run and redefine each other's functions.
  { hotThreshold: 1 },
  { hotThreshold: 5, speculate: 'off' },
  // First code of LLVM's, and what comes after it.
  { baseline: 'off' },
  { baseline: 'off', hotThreshold: 1 },
  { baseline: 'off', hotThreshold: 5, speculate: 'off' },
];
/** A program's expressions are evaluated so often: what has become hot is in use the second time. */
const ROUNDS = 2;
/** Programs that follow one another in a session, each redefining what the ones before have defined. */
const PROGRAMS_PER_SESSION = 100;

/**
 * Whole programs, compiled and run, beside an interpreter that was written for this: every value has the same bits, and
 * what is printed on the way is the same in the same order.
 *
 * An input is the number of a program, 32 bits.
 */
export const program: TargetFactory = {
  name: 'program',
  longInputs: 5000,
  shortInputs: 30,
  create: ({ planted = false } = {}) => new Programs(planted),
};

class Programs implements FuzzTarget {
  readonly name = 'program';
  readonly stages = ['runs too long', 'behaves the same'];
  readonly #isPlanted: boolean;
  readonly #sessions = new Map<number, { jit: KaleidoscopeJIT; printed: string; programCount: number }>();

  constructor(isPlanted: boolean) {
    this.#isPlanted = isPlanted;
  }

  generate(random: Random): Uint8Array {
    return Uint8Array.from({ length: 4 }, () => random.below(256));
  }

  async run(input: Uint8Array): Promise<string> {
    const number = input.reduce((sum, byte) => sum * 256 + byte, 0);
    const { definitions, expressions } = randomProgram(new Random(number));
    const text = `${definitions}\n${expressions}`;
    const expected = this.#expect(text);
    if (!expected) return 'runs too long';
    const mode = number % MODES.length;
    const where = () => `mode ${JSON.stringify(MODES[mode])}, program\n${text}\n`;
    const session = await this.#session(mode);
    await session.jit.addSource(definitions);
    for (let round = 0; round < ROUNDS; round++) {
      session.printed = '';
      const results = await session.jit.addSource(expressions);
      mustBehave({ results, printed: session.printed }, expected, where);
    }
    return 'behaves the same';
  }

  async close(): Promise<void> {
    for (const { jit } of this.#sessions.values()) await jit.close();
    this.#sessions.clear();
  }

  #expect(text: string): Behaviour | undefined {
    const { items, diagnostics } = parseSource(new SourceText('program', text), new OperatorTable());
    must(diagnostics.length === 0, () => `a program with errors: ${diagnostics[0]?.message}\n${text}`);
    try {
      // The planted bug: a comparison with NaN that is false, as in most languages.
      return this.#isPlanted ? interpret(items, (a, b) => a < b) : interpret(items);
    } catch (error) {
      if (error instanceof TooLong) return undefined;
      throw error;
    }
  }

  async #session(mode: number): Promise<{ jit: KaleidoscopeJIT; printed: string; programCount: number }> {
    const before = this.#sessions.get(mode);
    if (before && before.programCount++ < PROGRAMS_PER_SESSION) return before;
    await before?.jit.close();
    const session = { jit: undefined as unknown as KaleidoscopeJIT, printed: '', programCount: 1 };
    session.jit = await KaleidoscopeJIT.create({
      ...MODES[mode],
      onOutput: (_stream, content) => {
        session.printed += Buffer.from(content).toString();
      },
    });
    this.#sessions.set(mode, session);
    return session;
  }
}

function mustBehave(
  { results, printed }: { results: readonly ExpressionResult[]; printed: string },
  expected: Behaviour,
  where: () => string,
): void {
  must(results.length === expected.values.length, () => `${results.length} results: ${where()}`);
  for (const [index, result] of results.entries()) {
    if (result.status === 'rejected') must(false, () => `${String(result.reason)}: ${where()}`);
    else
      must(Object.is(result.value, expected.values[index]), () => {
        return `expression ${index} is ${result.value}, not ${expected.values[index]}: ${where()}`;
      });
  }
  // Nothing defines the sign of a NaN.
  const lines = expected.printed.map((value) => `${printfDouble(value)}\n`).join('');
  must(printed.replaceAll('-nan', 'nan') === lines.replaceAll('-nan', 'nan'), () => {
    return `prints ${printed}, not ${lines}: ${where()}`;
  });
}
