import type { ExprAST, FunctionAST } from '#compiler/src/frontends/kaleidoscope/ast.js';
import type { TopLevelItem } from '#compiler/src/frontends/kaleidoscope/parser.js';
import { EXACT_EXTERNS } from './programs.js';

/** More steps than a program of the generator should take; one that takes more is left out. */
const MAX_STEPS = 200_000;

/** A program that takes too long to be worth comparing. */
export class TooLong extends Error {}

/** What a program does: the values of its expressions, and what `printd` was called with on the way. */
export interface Behaviour {
  readonly values: readonly number[];
  readonly printed: readonly number[];
}

/**
 * Kaleidoscope as chapter 7 of the tutorial defines it, told in another way than the compiler does: a walk over the
 * tree with JavaScript's doubles, which are IEEE 754's like LLVM's. It shares nothing with IR generation.
 * @param isLess `<`, for an interpreter that is meant to be wrong.
 * @throws {TooLong}
 */
export function interpret(items: readonly TopLevelItem[], isLess = isLessOrUnordered): Behaviour {
  return new Interpreter(items, isLess).run(items);
}

/** A NaN makes it true. */
function isLessOrUnordered(a: number, b: number): boolean {
  return !(a >= b);
}

type Scope = Map<string, { value: number }>;

class Interpreter {
  readonly #functions = new Map<string, FunctionAST>();
  readonly #printed: number[] = [];
  readonly #isLess: (a: number, b: number) => boolean;
  #steps = 0;

  constructor(items: readonly TopLevelItem[], isLess: (a: number, b: number) => boolean) {
    this.#isLess = isLess;
    for (const item of items)
      if (item.kind === 'definition') this.#functions.set(item.function.prototype.name, item.function);
  }

  run(items: readonly TopLevelItem[]): Behaviour {
    const values: number[] = [];
    for (const item of items)
      if (item.kind === 'expression') values.push(this.#value(item.function.body, new Map()));
    return { values, printed: this.#printed };
  }

  #value(expression: ExprAST, scope: Scope): number {
    if (++this.#steps > MAX_STEPS) throw new TooLong();
    switch (expression.kind) {
      case 'number':
        return expression.value;
      case 'variable':
        return variable(scope, expression.name).value;
      case 'unary':
        return this.#call(`unary${expression.operator}`, [this.#value(expression.operand, scope)]);
      case 'binary':
        return this.#binary(expression, scope);
      case 'call':
        return this.#call(
          expression.callee,
          expression.arguments.map((argument) => this.#value(argument, scope)),
        );
      case 'if':
        return this.#value(
          isTrue(this.#value(expression.condition, scope)) ? expression.thenBranch : expression.elseBranch,
          scope,
        );
      case 'for': {
        const cell = { value: this.#value(expression.start, scope) };
        const inside = new Map(scope).set(expression.variable, cell);
        // The body runs before the first test; the test sees the variable before it is stepped.
        for (;;) {
          this.#value(expression.body, inside);
          const step = expression.step ? this.#value(expression.step, inside) : 1;
          const goesOn = isTrue(this.#value(expression.end, inside));
          cell.value += step;
          if (!goesOn) return 0;
        }
      }
      case 'var': {
        const inside = new Map(scope);
        for (const { name, initializer } of expression.bindings)
          inside.set(name, { value: initializer ? this.#value(initializer, inside) : 0 });
        return this.#value(expression.body, inside);
      }
    }
  }

  #binary({ operator, left, right }: Extract<ExprAST, { kind: 'binary' }>, scope: Scope): number {
    if (operator === '=') {
      if (left.kind !== 'variable') throw new Error('assignment to what is no variable');
      const value = this.#value(right, scope);
      variable(scope, left.name).value = value;
      return value;
    }
    const [a, b] = [this.#value(left, scope), this.#value(right, scope)];
    switch (operator) {
      case '+':
        return a + b;
      case '-':
        return a - b;
      case '*':
        return a * b;
      case '<':
        return this.#isLess(a, b) ? 1 : 0;
      default:
        return this.#call(`binary${operator}`, [a, b]);
    }
  }

  #call(name: string, values: readonly number[]): number {
    const fn = this.#functions.get(name);
    if (fn)
      return this.#value(
        fn.body,
        new Map(fn.prototype.parameters.map((parameter, i) => [parameter, { value: values[i] ?? 0 }])),
      );
    const [x = 0] = values;
    if (name === 'printd') {
      this.#printed.push(x);
      return 0;
    }
    const external = EXACT_EXTERNS[name];
    if (!external) throw new Error(`nobody defines ${name}`);
    return external(x);
  }
}

function variable(scope: Scope, name: string): { value: number } {
  const cell = scope.get(name);
  if (!cell) throw new Error(`no variable ${name}`);
  return cell;
}

/** Ordered and not equal to 0: a NaN is false. */
function isTrue(value: number): boolean {
  return value < 0 || value > 0;
}
