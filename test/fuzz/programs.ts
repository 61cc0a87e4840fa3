import type { Random } from './random.js';

/** What programs are made of. */
export interface ProgramStyle {
  /** Expressions of one kind or another nest no deeper. */
  readonly maxDepth: number;
  readonly maxParameters: number;
  /** Variables are assigned to in any place, also such that a program does not end. */
  readonly assigns: boolean;
}

const PLAIN: ProgramStyle = { maxDepth: 4, maxParameters: 3, assigns: false };
/** Of a function that calls itself: how often at most. */
const MAX_FUEL = 6;

/** Large and small ones give infinities, NaNs and subnormal numbers. */
const LARGE = `1${'0'.repeat(300)}`;
const SMALL = `0.${'0'.repeat(305)}1`;
const NUMBERS = [
  LARGE,
  SMALL,
  '0',
  '1',
  '2',
  '3',
  '0.5',
  '0.1',
  '1.5',
  '100',
  '1000000',
  '123456789.125',
  '0.000001',
];
/** Functions of the runner that are exact, so that everybody computes the same bits. */
export const EXACT_EXTERNS: Readonly<Record<string, (x: number) => number>> = {
  sqrt: Math.sqrt,
  fabs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
};

interface Signature {
  readonly name: string;
  readonly parameterCount: number;
  /** Its first argument counts down: it is called with a small whole number. */
  readonly isRecursive: boolean;
}

/**
 * A Kaleidoscope program that is well-formed by construction, uses all of the language, ends, and prints on its way:
 * definitions, then expressions. Unless it assigns anywhere, it ends: loops count to small numbers, recursion counts down, and a function calls only what
 * is defined before it, in source order or not.
 */
export function randomProgram(random: Random, style = PLAIN): RandomProgram {
  return new ProgramMaker(random, style).make();
}

/** Its two halves: the expressions may be evaluated again and give the same. */
export interface RandomProgram {
  readonly definitions: string;
  readonly expressions: string;
}

class ProgramMaker {
  readonly #random: Random;
  readonly #functions: Signature[] = [];
  readonly #binaries: string[] = [];
  readonly #unaries: string[] = [];
  readonly #style: ProgramStyle;
  #nameCount = 0;

  constructor(random: Random, style: ProgramStyle) {
    this.#random = random;
    this.#style = style;
  }

  make(): RandomProgram {
    const random = this.#random;
    const externs = ['extern printd(x);', ...Object.keys(EXACT_EXTERNS).map((name) => `extern ${name}(x);`)];
    const operators: string[] = [];
    for (let count = random.below(3); count > 0; count--) operators.push(this.#operator());
    const definitions: string[] = [];
    for (let count = 1 + random.below(5); count > 0; count--) definitions.push(this.#definition());
    // What is called may be defined later: nothing is compiled before a call.
    if (random.oneIn(3)) definitions.reverse();
    const expressions = Array.from({ length: 1 + random.below(4) }, () => `${this.#expression([], 0)};`);
    return {
      definitions: [...externs, ...operators, ...definitions].join('\n'),
      expressions: expressions.join('\n'),
    };
  }

  #operator(): string {
    const random = this.#random;
    if (random.oneIn(2)) {
      const character = random.pick(['!', '~', '$']);
      const body = this.#expression(['v'], 2);
      // Known in its own body it would call itself without end.
      if (!this.#unaries.includes(character)) this.#unaries.push(character);
      else return '';
      return `def unary${character}(v) ${body};`;
    }
    const character = random.pick(['|', '&', '>', ':', '@']);
    const precedence = random.oneIn(3) ? '' : ` ${1 + random.below(60)} `;
    const body = this.#expression(['a', 'b'], 2);
    if (this.#binaries.includes(character)) return '';
    this.#binaries.push(character);
    return `def binary${character}${precedence}(a b) ${body};`;
  }

  #definition(): string {
    const random = this.#random;
    const name = `f${this.#functions.length}`;
    const parameters = Array.from(
      { length: 1 + random.below(this.#style.maxParameters) },
      (_, index) => `p${index}`,
    );
    const isRecursive = random.oneIn(3);
    const body = isRecursive
      ? this.#recursiveBody(name, parameters)
      : this.#expression(parameters, 1 + random.below(2));
    this.#functions.push({ name, parameterCount: parameters.length, isRecursive });
    return `def ${name}(${parameters.join(' ')}) ${body};`;
  }

  #recursiveBody(name: string, parameters: readonly string[]): string {
    const fuel = parameters[0] ?? '';
    const call = () => {
      const rest = parameters.slice(1).map(() => this.#expression(parameters, 3));
      return `${name}(${[`${fuel} - 1`, ...rest].join(', ')})`;
    };
    const again = this.#random.oneIn(3)
      ? `${call()} + ${call()}`
      : `${this.#expression(parameters, 3)} * ${call()}`;
    return `if ${fuel} < 1 then ${this.#expression(parameters, 2)} else ${again}`;
  }

  /** @param names of variables in scope. */
  #expression(names: readonly string[], depth: number): string {
    const random = this.#random;
    if (depth >= this.#style.maxDepth || random.oneIn(5)) return this.#leaf(names);
    const inner = (scope = names) => this.#expression(scope, depth + 1);
    if (this.#style.assigns && names.length > 0 && random.oneIn(8))
      return `(${random.pick(names)} = ${inner()})`;
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
        return `(${inner()} ${random.pick(['+', '-', '*', '<', ...this.#binaries])} ${inner()})`;
      case 3:
        // Without parentheses: the parser's precedences decide.
        return `${this.#leaf(names)} ${random.pick(['+', '-', '*', '<', ...this.#binaries])} ${this.#leaf(names)} ${random.pick(['+', '*', '<', ...this.#binaries])} ${this.#leaf(names)}`;
      case 4:
        return `(if ${inner()} then ${inner()} else ${inner()})`;
      case 5: {
        const name = this.#newName();
        const step = random.oneIn(2) ? `, ${random.pick(['1', '2', '0.5'])}` : '';
        // The loop's own variable is not assigned to, since it has to come to its end.
        const body = this.#expression(names, depth + 1);
        return `(for ${name} = ${random.below(3)}, ${name} < ${random.below(5)}${step} in ${body} + ${name})`;
      }
      case 6: {
        const name = random.oneIn(4) && names.length > 0 ? random.pick(names) : this.#newName();
        const initializer = random.oneIn(5) ? '' : ` = ${inner()}`;
        return `(var ${name}${initializer} in ${this.#assignment(name)} ${inner([...names, name])})`;
      }
      case 7:
        return this.#call(names, depth);
      case 8:
        return `${random.pick(Object.keys(EXACT_EXTERNS))}(${inner()})`;
      case 9:
        return `(${inner()} - printd(${inner()}))`;
      case 10:
        // Often a NaN.
        return `(sqrt(${this.#leaf(names)} - ${this.#leaf(names)}) ${random.pick(['<', '*', '-'])} ${inner()})`;
      default:
        return this.#unaries.length > 0
          ? `${random.pick(this.#unaries)}${this.#leaf(names)}`
          : `(${inner()})`;
    }
  }

  /** `(name = …) *`, `+` or `<`: an assignment has a value. */
  #assignment(name: string): string {
    const random = this.#random;
    return random.oneIn(2) ? '' : `(${name} = ${this.#leaf([name])}) ${random.pick(['+', '*', '-', '<'])}`;
  }

  #call(names: readonly string[], depth: number): string {
    const random = this.#random;
    if (this.#functions.length === 0) return this.#leaf(names);
    const { name, parameterCount, isRecursive } = random.pick(this.#functions);
    const values = Array.from({ length: parameterCount }, () => this.#expression(names, depth + 1));
    if (isRecursive) values[0] = String(random.below(MAX_FUEL));
    return `${name}(${values.join(', ')})`;
  }

  #leaf(names: readonly string[]): string {
    const random = this.#random;
    return names.length > 0 && !random.oneIn(3) ? random.pick(names) : random.pick(NUMBERS);
  }

  #newName(): string {
    return `v${this.#nameCount++}`;
  }
}
