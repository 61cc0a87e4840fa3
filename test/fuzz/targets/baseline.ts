import { type Block, KaleidoscopeJIT, type KaleidoscopeJITOptions } from '@farjit/compiler';
import { OperatorTable } from '#compiler/src/frontends/kaleidoscope/operators.js';
import { parseSource } from '#compiler/src/frontends/kaleidoscope/parser.js';
import { SourceText } from '#compiler/src/frontends/kaleidoscope/source-text.js';
import { type ProgramStyle, randomProgram } from '../programs.js';
import { Random } from '../random.js';
import { interpret, TooLong } from '../reference-interpreter.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';

/** More parameters than registers for them, deep expressions, and assignments in the middle of them. */
const STYLE: ProgramStyle = { maxDepth: 6, maxParameters: 12, assigns: true };

/** Code that the front end makes itself, for as long as a session lives; and LLVM's of every level. */
const OWN: KaleidoscopeJITOptions = { baseline: 'on', hotThreshold: 2 ** 32 - 1, speculate: 'eager' };
/** A multiplication that adds. */
const WRONG: KaleidoscopeJITOptions = {
  ...OWN,
  plugins: [
    {
      prePrune: ({ sections }) => {
        for (const { blocks } of sections) for (const block of blocks) addInPlaceOfMultiplying(block);
      },
    },
  ],
};
const LEVELS = [0, 1, 2, 3] as const;
/** Those that do not end are left out; one that does not end in wrong code has to. */
const DEADLINE_MS = 20_000;
/** Programs that follow one another in a session, each redefining what the ones before have defined. */
const PROGRAMS_PER_SESSION = 200;

interface Session {
  readonly jit: KaleidoscopeJIT;
  printed: string;
  programCount: number;
}

/**
 * Whole programs in first code that is made without LLVM beside the same in code of LLVM: every value has the same bits, and what
 * is printed on the way is the same in the same order.
 *
 * An input is the number of a program, 32 bits.
 */
export const baseline: TargetFactory = {
  name: 'baseline',
  longInputs: 10_000,
  shortInputs: 200,
  create: ({ planted = false } = {}) => new Baseline(planted),
};

class Baseline implements FuzzTarget {
  readonly name = 'baseline';
  readonly stages = ['runs too long', 'behaves the same'];
  readonly minimizeRuns = 50;
  readonly #isPlanted: boolean;
  readonly #sessions = new Map<string, Session>();

  constructor(isPlanted: boolean) {
    this.#isPlanted = isPlanted;
  }

  generate(random: Random): Uint8Array {
    return Uint8Array.from({ length: 4 }, () => random.below(256));
  }

  async run(input: Uint8Array): Promise<string> {
    const number = input.reduce((sum, byte) => sum * 256 + byte, 0);
    const program = randomProgram(new Random(number), STYLE);
    const text = `${program.definitions}\n${program.expressions}`;
    if (!ends(text)) return 'runs too long';
    const level = LEVELS[number % LEVELS.length] ?? 0;
    const own = await this.#behaviour(this.#isPlanted ? WRONG : OWN, text);
    const llvm = await this.#behaviour({ optLevel: level, speculate: 'eager' }, text);
    must(own === llvm, () => `${own}, not as at level ${level} ${llvm}: program\n${text}`);
    return 'behaves the same';
  }

  async close(): Promise<void> {
    for (const { jit } of this.#sessions.values()) await jit.close();
    this.#sessions.clear();
  }

  /** Bits of all values, and what is printed, as text. Nothing defines which NaN is one. */
  async #behaviour(options: KaleidoscopeJITOptions, text: string): Promise<string> {
    const session = await this.#session(options);
    session.printed = '';
    const results = await session.jit.addSource(text, { deadlineMs: DEADLINE_MS });
    const values = results.map((result) =>
      result.status === 'fulfilled' ? bitsOf(result.value) : String(result.reason),
    );
    const { compiledWithoutLLVM, functionsCompiled, expressionsCompiled } = session.jit.statistics();
    const expected = options.baseline === 'on' ? functionsCompiled + expressionsCompiled : 0;
    must(compiledWithoutLLVM === expected, () => `LLVM has made code, or has not: program\n${text}`);
    return `${values.join(' ')}, printed ${session.printed.replaceAll('-nan', 'nan')}`;
  }

  async #session(options: KaleidoscopeJITOptions): Promise<Session> {
    const key = JSON.stringify(options);
    const before = this.#sessions.get(key);
    if (before && before.programCount++ < PROGRAMS_PER_SESSION) return before;
    await before?.jit.close();
    let printed: (content: Uint8Array) => void = () => {};
    const jit = await KaleidoscopeJIT.create({ ...options, onOutput: (_, content) => printed(content) });
    const session: Session = { jit, printed: '', programCount: 1 };
    printed = (content) => {
      session.printed += Buffer.from(content).toString();
    };
    this.#sessions.set(key, session);
    return session;
  }
}

/** `mulsd` is F2 0F 59, with a REX prefix for the upper registers, and `addsd` F2 0F 58. */
function addInPlaceOfMultiplying(block: Block): void {
  if (block.section.prot !== 'code' || !block.content) return;
  const content = Buffer.from(block.content);
  for (let at = 0; at + 3 < content.byteLength; at++) {
    const opcodeAt = content[at + 1] === 0x0f ? at + 2 : at + 3;
    if (content[at] === 0xf2 && content[opcodeAt - 1] === 0x0f && content[opcodeAt] === 0x59)
      content[opcodeAt] = 0x58;
  }
  block.content = content;
}

function ends(text: string): boolean {
  const { items, diagnostics } = parseSource(new SourceText('program', text), new OperatorTable());
  must(diagnostics.length === 0, () => `a program with errors: ${diagnostics[0]?.message}\n${text}`);
  try {
    interpret(items);
    return true;
  } catch (error) {
    if (error instanceof TooLong || error instanceof RangeError) return false;
    throw error;
  }
}

function bitsOf(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}
