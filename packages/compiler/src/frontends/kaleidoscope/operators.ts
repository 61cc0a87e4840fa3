import type { PrototypeAST } from './ast.js';

/** Binary operators that the compiler emits itself, with the tutorial's precedences (1 binds least). */
export const BUILTIN_BINARY_OPERATORS: ReadonlyMap<string, number> = new Map([
  ['=', 2],
  ['<', 10],
  ['+', 20],
  ['-', 20],
  ['*', 40],
]);

/** Precedence of a binary operator whose definition names none. */
export const DEFAULT_BINARY_PRECEDENCE = 30;

/** The printable ASCII characters that no identifier, number, comment, bracket or separator uses. */
const OPERATOR_CHARACTER = /^[!$%&'*+\-/:<=>?@[\\\]^_`{|}~"]$/;

/** Whether a user may define an operator of this character. */
export function isOperatorCharacter(character: string): boolean {
  return OPERATOR_CHARACTER.test(character);
}

/** The function a unary operator calls. */
export function unaryFunctionName(operator: string): string {
  return `unary${operator}`;
}

/** The function a binary operator calls, unless it is built in. */
export function binaryFunctionName(operator: string): string {
  return `binary${operator}`;
}

/** The character that an operator's prototype defines. */
export function operatorCharacter(prototype: PrototypeAST): string {
  return prototype.name.slice(-1);
}

/**
 * What the parser knows of operators. A built-in one cannot be defined again (`checkPrototype`): the tutorial's last toy takes
 * such a definition, changes the precedence, and never calls it.
 */
export class OperatorTable {
  #binary: Map<string, number>;
  #unary: Set<string>;

  /** The built-in binary operators and no unary one. */
  constructor() {
    this.#binary = new Map(BUILTIN_BINARY_OPERATORS);
    this.#unary = new Set();
  }

  /** Precedence of a binary operator (1 to 100), or `undefined` when the character is none. */
  binaryPrecedence(operator: string): number | undefined {
    return this.#binary.get(operator);
  }

  isUnary(operator: string): boolean {
    return this.#unary.has(operator);
  }

  /** Makes the operator of a prototype known; a prototype that is no operator changes nothing. */
  install(prototype: PrototypeAST): void {
    if (!prototype.isOperator) return;
    const character = operatorCharacter(prototype);
    if (prototype.name === unaryFunctionName(character)) this.#unary.add(character);
    else this.#binary.set(character, prototype.precedence);
  }

  /** A table with the same operators that changes on its own. */
  copy(): OperatorTable {
    const copy = new OperatorTable();
    copy.assign(this);
    return copy;
  }

  /** Takes over the operators of `other`, forgetting its own. */
  assign(other: OperatorTable): void {
    this.#binary = new Map(other.#binary);
    this.#unary = new Set(other.#unary);
  }
}
