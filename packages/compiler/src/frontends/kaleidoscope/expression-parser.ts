import type { CallExprAST, ExprAST, ForExprAST, IfExprAST, VarBinding, VarExprAST } from './ast.js';
import type { Diagnostic } from './diagnostic.js';
import type { Token } from './lexer.js';
import { isOperatorCharacter, type OperatorTable } from './operators.js';
import { quoted } from './printable.js';
import { describe, type TokenCursor } from './token-cursor.js';

/**
 * How deeply expressions may nest (parentheses, arguments, `if`, `for`, `var`, operands of tighter operators). Parser,
 * checks and IR generation recurse once per level; this many levels take less than half of Node's default stack.
 * A chain of left-associative operators does not nest.
 */
export const MAX_NESTING_DEPTH = 500;

/**
 * Most parameters of a function and arguments of a call: more of them are no program but an attack on the code
 * generator, which fails hard somewhere beyond 65,000.
 */
export const MAX_PARAMETERS = 1000;

/**
 * Most expressions of one function, parts of others included. LLVM's time grows with the square of a function's size
 * from there on: this many take it a few seconds.
 */
export const MAX_FUNCTION_EXPRESSIONS = 50_000;

/** Most `if` and `for` of one function, for the same reason: basic blocks cost LLVM far more than instructions. */
export const MAX_FUNCTION_BRANCHES = 4000;

/** Parses the expressions of one item after the other. */
export class ExpressionParser {
  readonly #cursor: TokenCursor;
  readonly #operators: OperatorTable;
  #depth = 0;
  /** Of the item that is being parsed. */
  #expressionCount = 0;
  #branchCount = 0;

  constructor(cursor: TokenCursor, operators: OperatorTable) {
    this.#cursor = cursor;
    this.#operators = operators;
  }

  /** Another item begins. */
  begin(): void {
    this.#depth = 0;
    this.#expressionCount = 0;
    this.#branchCount = 0;
  }

  /** expression ::= unary binoprhs */
  expression(): ExprAST {
    this.#enter();
    const { start } = this.#cursor.token;
    const left = this.#unary();
    const result = this.#binaryTail(0, left, start);
    this.#depth -= 1;
    return result;
  }

  /**
   * binoprhs ::= (operator unary)*, for operators that bind at least as tightly as `minimum`.
   * @param start of `first` in the text, where it may stand in parentheses that its own range leaves out.
   */
  #binaryTail(minimum: number, first: ExprAST, start: number): ExprAST {
    let left = first;
    for (;;) {
      const precedence = this.#tokenPrecedence();
      if (precedence < minimum) return left;

      const { text: operator, start: operatorStart, end: operatorEnd } = this.#cursor.token;
      this.#count();
      this.#cursor.advance();
      const rightStart = this.#cursor.token.start;
      let right = this.#unary();
      if (precedence < this.#tokenPrecedence()) {
        this.#enter();
        right = this.#binaryTail(precedence + 1, right, rightStart);
        this.#depth -= 1;
      }
      const operatorRange = { start: operatorStart, end: operatorEnd };
      left = { kind: 'binary', operator, operatorRange, left, right, range: this.#cursor.rangeFrom(start) };
    }
  }

  #tokenPrecedence(): number {
    if (this.#cursor.token.kind !== 'character') return -1;
    return this.#operators.binaryPrecedence(this.#cursor.token.text) ?? -1;
  }

  /** unary ::= operator* primary */
  #unary(): ExprAST {
    const applied: { operator: string; start: number }[] = [];
    while (this.#cursor.token.kind === 'character' && this.#operators.isUnary(this.#cursor.token.text)) {
      this.#enter();
      this.#count();
      applied.push({ operator: this.#cursor.token.text, start: this.#cursor.token.start });
      this.#cursor.advance();
    }
    let result = this.#primary();
    for (const { operator, start } of applied.reverse()) {
      result = { kind: 'unary', operator, operand: result, range: this.#cursor.rangeFrom(start) };
    }
    this.#depth -= applied.length;
    return result;
  }

  /** primary ::= identifierexpr | number | '(' expression ')' | ifexpr | forexpr | varexpr */
  #primary(): ExprAST {
    const token = this.#cursor.token;
    this.#count();
    switch (token.kind) {
      case 'identifier':
        return this.#variableOrCall(token);
      case 'number':
        this.#cursor.advance();
        return { kind: 'number', value: token.value, range: { start: token.start, end: token.end } };
      case 'if':
        return this.#if();
      case 'for':
        return this.#for();
      case 'var':
        return this.#var();
      default:
        if (!this.#cursor.isCharacter('(')) throw this.#expectedExpression();
    }
    this.#cursor.advance();
    const inner = this.expression();
    this.#cursor.expectCharacter(')', 'after the expression');
    return inner;
  }

  /** identifierexpr ::= identifier | identifier '(' (expression (',' expression)*)? ')' */
  #variableOrCall(name: Token): ExprAST {
    this.#cursor.advance();
    if (!this.#cursor.isCharacter('(')) {
      return { kind: 'variable', name: name.text, range: { start: name.start, end: name.end } };
    }
    this.#cursor.advance();
    const callArguments: ExprAST[] = [];
    if (!this.#cursor.isCharacter(')')) {
      callArguments.push(this.expression());
      while (this.#cursor.isCharacter(',')) {
        if (callArguments.length === MAX_PARAMETERS) {
          throw this.#cursor.error(`a call cannot have more than ${MAX_PARAMETERS} arguments`);
        }
        this.#cursor.advance();
        callArguments.push(this.expression());
      }
    }
    this.#cursor.expectCharacter(')', "or ',' in the argument list");
    const call: CallExprAST = {
      kind: 'call',
      callee: name.text,
      arguments: callArguments,
      range: this.#cursor.rangeFrom(name.start),
    };
    return call;
  }

  /** ifexpr ::= 'if' expression 'then' expression 'else' expression */
  #if(): IfExprAST {
    const start = this.#cursor.token.start;
    this.#countBranch();
    this.#cursor.advance();
    const condition = this.expression();
    this.#cursor.expect('then', "after the condition of 'if'");
    const thenBranch = this.expression();
    this.#cursor.expect('else', "after the value for 'then'");
    const elseBranch = this.expression();
    return { kind: 'if', condition, thenBranch, elseBranch, range: this.#cursor.rangeFrom(start) };
  }

  /** forexpr ::= 'for' identifier '=' expression ',' expression (',' expression)? 'in' expression */
  #for(): ForExprAST {
    const start = this.#cursor.token.start;
    this.#countBranch();
    this.#cursor.advance();
    const variable = this.#cursor.identifier("after 'for'");
    this.#cursor.expectCharacter('=', "after the variable of 'for'");
    const startValue = this.expression();
    this.#cursor.expectCharacter(',', "after the start value of 'for'");
    const end = this.expression();
    let step: ExprAST | undefined;
    if (this.#cursor.isCharacter(',')) {
      this.#cursor.advance();
      step = this.expression();
    }
    this.#cursor.expect('in', "before the body of 'for'");
    const body = this.expression();
    return {
      kind: 'for',
      variable,
      start: startValue,
      end,
      step,
      body,
      range: this.#cursor.rangeFrom(start),
    };
  }

  /** varexpr ::= 'var' binding (',' binding)* 'in' expression; binding ::= identifier ('=' expression)? */
  #var(): VarExprAST {
    const start = this.#cursor.token.start;
    this.#cursor.advance();
    const bindings: VarBinding[] = [this.#binding()];
    while (this.#cursor.isCharacter(',')) {
      this.#cursor.advance();
      bindings.push(this.#binding());
    }
    this.#cursor.expect('in', "before the body of 'var'");
    const body = this.expression();
    return { kind: 'var', bindings, body, range: this.#cursor.rangeFrom(start) };
  }

  #binding(): VarBinding {
    const start = this.#cursor.token.start;
    this.#count();
    const name = this.#cursor.identifier("in the list of 'var'");
    let initializer: ExprAST | undefined;
    if (this.#cursor.isCharacter('=')) {
      this.#cursor.advance();
      initializer = this.expression();
    }
    return { name, initializer, range: this.#cursor.rangeFrom(start) };
  }

  #enter(): void {
    if (this.#depth === MAX_NESTING_DEPTH) {
      throw this.#cursor.error(`expressions nest more than ${MAX_NESTING_DEPTH} levels deep here`);
    }
    this.#depth += 1;
  }

  #count(): void {
    if (this.#expressionCount === MAX_FUNCTION_EXPRESSIONS)
      throw this.#cursor.error(`a function cannot have more than ${MAX_FUNCTION_EXPRESSIONS} expressions`);
    this.#expressionCount += 1;
  }

  #countBranch(): void {
    if (this.#branchCount === MAX_FUNCTION_BRANCHES)
      throw this.#cursor.error(`a function cannot have more than ${MAX_FUNCTION_BRANCHES} 'if' and 'for'`);
    this.#branchCount += 1;
  }

  #expectedExpression(): Diagnostic {
    const token = this.#cursor.token;
    if (token.kind === 'character' && isOperatorCharacter(token.text)) {
      return this.#cursor.error(
        `unknown unary operator ${quoted(token.text)}: define it with 'def unary${token.text}(v) …'`,
      );
    }
    return this.#cursor.error(`expected an expression, found ${describe(token)}`);
  }
}
