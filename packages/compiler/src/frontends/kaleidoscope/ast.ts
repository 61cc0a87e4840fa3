import type { SourceRange, SourceText } from './source-text.js';

export interface Node {
  readonly range: SourceRange;
}

/** A numeric literal. */
export interface NumberExprAST extends Node {
  readonly kind: 'number';
  readonly value: number;
}

/** A variable's value. */
export interface VariableExprAST extends Node {
  readonly kind: 'variable';
  readonly name: string;
}

/** A user-defined unary operator applied: a call of `unary` followed by the operator's character. */
export interface UnaryExprAST extends Node {
  readonly kind: 'unary';
  readonly operator: string;
  readonly operand: ExprAST;
}

/**
 * A binary operator applied. `= < + - *` are built in; any other is a call of `binary` followed by the character.
 * `left` of a long chain nests as deeply as the chain is long, far deeper than the stack is, so whoever walks the tree
 * follows it in a loop; all other
 * nesting is bounded by `MAX_NESTING_DEPTH`.
 */
export interface BinaryExprAST extends Node {
  readonly kind: 'binary';
  readonly operator: string;
  readonly operatorRange: SourceRange;
  readonly left: ExprAST;
  readonly right: ExprAST;
}

/** A function called by name. */
export interface CallExprAST extends Node {
  readonly kind: 'call';
  readonly callee: string;
  readonly arguments: readonly ExprAST[];
}

/** `if condition then … else …`. */
export interface IfExprAST extends Node {
  readonly kind: 'if';
  readonly condition: ExprAST;
  readonly thenBranch: ExprAST;
  readonly elseBranch: ExprAST;
}

/** `for variable = start, end, step in body`; without a step it is 1. */
export interface ForExprAST extends Node {
  readonly kind: 'for';
  readonly variable: string;
  readonly start: ExprAST;
  readonly end: ExprAST;
  readonly step: ExprAST | undefined;
  readonly body: ExprAST;
}

/** One `name = initializer` of a `var`; without an initializer it is 0. */
export interface VarBinding extends Node {
  readonly name: string;
  readonly initializer: ExprAST | undefined;
}

/** `var bindings in body`. */
export interface VarExprAST extends Node {
  readonly kind: 'var';
  readonly bindings: readonly VarBinding[];
  readonly body: ExprAST;
}

/** Any expression; `kind` tells which. */
export type ExprAST =
  | NumberExprAST
  | VariableExprAST
  | UnaryExprAST
  | BinaryExprAST
  | CallExprAST
  | IfExprAST
  | ForExprAST
  | VarExprAST;

/** A function's name and parameters; all values are doubles. */
export interface PrototypeAST extends Node {
  /** The symbol's name. An operator's is `unary` or `binary` followed by its character, as in `binary:`. */
  readonly name: string;
  readonly parameters: readonly string[];
  /** Where each parameter stands, when it came from a text. */
  readonly parameterRanges?: readonly SourceRange[];
  readonly isOperator: boolean;
  /** Of a binary operator, 1 to 100; 0 for everything else. */
  readonly precedence: number;
}

/** A function with a body. It keeps its source, since its body may be compiled (and found wrong) much later. */
export interface FunctionAST extends Node {
  readonly prototype: PrototypeAST;
  readonly body: ExprAST;
  readonly source: SourceText;
}

/** The name of the function that a top-level expression becomes. No identifier can spell it. */
export const ANONYMOUS_EXPRESSION_NAME = '__anon_expr';
