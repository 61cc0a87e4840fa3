import {
  ANONYMOUS_EXPRESSION_NAME,
  type CallExprAST,
  type ExprAST,
  type ForExprAST,
  type FunctionAST,
  type IfExprAST,
  type PrototypeAST,
  type VarBinding,
  type VarExprAST,
} from './ast.js';
import { checkFunction, checkPrototype } from './check.js';
import { Diagnostic, MAX_DIAGNOSTICS } from './diagnostic.js';
import { Lexer, type Token } from './lexer.js';
import {
  binaryFunctionName,
  DEFAULT_BINARY_PRECEDENCE,
  isOperatorCharacter,
  type OperatorTable,
  unaryFunctionName,
} from './operators.js';
import { quoted } from './printable.js';
import type { SourceRange, SourceText } from './source-text.js';

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

/** A definition, a declaration, or an expression to evaluate, in source order. */
export type TopLevelItem =
  | { readonly kind: 'definition'; readonly function: FunctionAST }
  | { readonly kind: 'extern'; readonly prototype: PrototypeAST; readonly range: SourceRange }
  | { readonly kind: 'expression'; readonly function: FunctionAST; readonly range: SourceRange };

/** All items that parsed, and what is wrong with the rest. */
export interface ParseResult {
  readonly items: readonly TopLevelItem[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Parses a whole text and makes the checks of `check.ts`. After an error it goes on at the next `def`, `extern` or `;`,
 * so one run reports several errors; nothing of a result with diagnostics should be run. A single diagnostic with
 * `atEnd` means that the input is merely not finished.
 *
 * An operator is known from its prototype on: in its own body and in everything after it. `operators` is changed only
 * if the whole text is without error, so a failed parse leaves no operator behind.
 */
export function parseSource(source: SourceText, operators: OperatorTable): ParseResult {
  const known = operators.copy();
  const result = new Parser(source, known).parse();
  if (result.diagnostics.length === 0) operators.assign(known);
  return result;
}

class Parser {
  readonly #source: SourceText;
  readonly #operators: OperatorTable;
  readonly #lexer: Lexer;
  #token: Token;
  #previousEnd = 0;
  #depth = 0;
  /** Of the item that is being parsed. */
  #expressionCount = 0;
  #branchCount = 0;

  constructor(source: SourceText, operators: OperatorTable) {
    this.#source = source;
    this.#operators = operators;
    this.#lexer = new Lexer(source);
    this.#token = this.#lexer.next();
  }

  /** top ::= (definition | external | expression | ';')* */
  parse(): ParseResult {
    const items: TopLevelItem[] = [];
    const diagnostics: Diagnostic[] = [];
    while (this.#token.kind !== 'end' && diagnostics.length < MAX_DIAGNOSTICS) {
      if (this.#isCharacter(';')) {
        this.#advance();
        continue;
      }
      try {
        const item = this.#topLevelItem();
        items.push(item);
        const found = this.#check(item);
        diagnostics.push(...found.slice(0, MAX_DIAGNOSTICS - diagnostics.length));
      } catch (error) {
        if (!(error instanceof Diagnostic)) throw error;
        diagnostics.push(error);
        this.#recover();
      }
    }
    return { items, diagnostics };
  }

  #check(item: TopLevelItem): readonly Diagnostic[] {
    return item.kind === 'extern'
      ? checkPrototype(item.prototype, this.#source)
      : checkFunction(item.function);
  }

  #recover(): void {
    this.#depth = 0;
    while (this.#token.kind !== 'end' && this.#token.kind !== 'def' && this.#token.kind !== 'extern') {
      if (this.#isCharacter(';')) return;
      this.#advance();
    }
  }

  #topLevelItem(): TopLevelItem {
    const start = this.#token.start;
    this.#expressionCount = 0;
    this.#branchCount = 0;
    if (this.#token.kind === 'def') return { kind: 'definition', function: this.#definition() };
    if (this.#token.kind === 'extern') {
      this.#advance();
      const prototype = this.#prototype();
      return { kind: 'extern', prototype, range: this.#rangeFrom(start) };
    }
    const body = this.#expression();
    const range = this.#rangeFrom(start);
    const prototype = {
      name: ANONYMOUS_EXPRESSION_NAME,
      parameters: [],
      isOperator: false,
      precedence: 0,
      range,
    };
    return { kind: 'expression', function: { prototype, body, range, source: this.#source }, range };
  }

  /** definition ::= 'def' prototype expression */
  #definition(): FunctionAST {
    const start = this.#token.start;
    this.#advance();
    const prototype = this.#prototype();
    const body = this.#expression();
    return { prototype, body, range: this.#rangeFrom(start), source: this.#source };
  }

  /**
   * prototype ::= identifier '(' identifier* ')'
   *           ::= 'unary' operator '(' identifier ')'
   *           ::= 'binary' operator number? '(' identifier identifier ')'
   */
  #prototype(): PrototypeAST {
    const start = this.#token.start;
    const { name, precedence, isOperator } = this.#prototypeName();
    this.#expectCharacter('(', 'in the prototype');

    const parameters: string[] = [];
    const parameterRanges: SourceRange[] = [];
    while (this.#token.kind === 'identifier') {
      if (parameters.length === MAX_PARAMETERS) {
        throw this.#error(`a function cannot have more than ${MAX_PARAMETERS} parameters`);
      }
      parameters.push(this.#token.text);
      parameterRanges.push({ start: this.#token.start, end: this.#token.end });
      this.#advance();
    }
    if (this.#isCharacter(','))
      throw this.#error("expected ')' in the prototype: parameters are separated by spaces");
    this.#expectCharacter(')', 'in the prototype');

    const range = this.#rangeFrom(start);
    const prototype = { name, parameters, parameterRanges, isOperator, precedence, range };
    this.#operators.install(prototype);
    return prototype;
  }

  #prototypeName(): { name: string; precedence: number; isOperator: boolean } {
    const token = this.#token;
    if (token.kind === 'identifier') {
      this.#advance();
      return { name: token.text, precedence: 0, isOperator: false };
    }
    if (token.kind === 'unary') {
      this.#advance();
      return { name: unaryFunctionName(this.#operatorCharacter('unary')), precedence: 0, isOperator: true };
    }
    if (token.kind === 'binary') {
      this.#advance();
      const name = binaryFunctionName(this.#operatorCharacter('binary'));
      return { name, precedence: this.#precedence(), isOperator: true };
    }
    throw this.#error(`expected a function name, found ${describe(token)}`);
  }

  #operatorCharacter(arity: 'unary' | 'binary'): string {
    const token = this.#token;
    if (token.kind !== 'character' || !isOperatorCharacter(token.text)) {
      throw this.#error(`expected the character of a ${arity} operator, found ${describe(token)}`);
    }
    this.#advance();
    return token.text;
  }

  #precedence(): number {
    const token = this.#token;
    if (token.kind !== 'number') return DEFAULT_BINARY_PRECEDENCE;
    if (token.value < 1 || token.value > 100) {
      throw this.#error(`invalid precedence ${quoted(token.text)}: it must be 1 to 100`, 'SEMANTIC_ERROR');
    }
    this.#advance();
    return Math.trunc(token.value);
  }

  /** expression ::= unary binoprhs */
  #expression(): ExprAST {
    this.#enter();
    const { start } = this.#token;
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

      const { text: operator, start: operatorStart, end: operatorEnd } = this.#token;
      this.#count();
      this.#advance();
      const rightStart = this.#token.start;
      let right = this.#unary();
      if (precedence < this.#tokenPrecedence()) {
        this.#enter();
        right = this.#binaryTail(precedence + 1, right, rightStart);
        this.#depth -= 1;
      }
      const operatorRange = { start: operatorStart, end: operatorEnd };
      left = { kind: 'binary', operator, operatorRange, left, right, range: this.#rangeFrom(start) };
    }
  }

  #tokenPrecedence(): number {
    if (this.#token.kind !== 'character') return -1;
    return this.#operators.binaryPrecedence(this.#token.text) ?? -1;
  }

  /** unary ::= operator* primary */
  #unary(): ExprAST {
    const applied: { operator: string; start: number }[] = [];
    while (this.#token.kind === 'character' && this.#operators.isUnary(this.#token.text)) {
      this.#enter();
      this.#count();
      applied.push({ operator: this.#token.text, start: this.#token.start });
      this.#advance();
    }
    let result = this.#primary();
    for (const { operator, start } of applied.reverse()) {
      result = { kind: 'unary', operator, operand: result, range: this.#rangeFrom(start) };
    }
    this.#depth -= applied.length;
    return result;
  }

  /** primary ::= identifierexpr | number | '(' expression ')' | ifexpr | forexpr | varexpr */
  #primary(): ExprAST {
    const token = this.#token;
    this.#count();
    switch (token.kind) {
      case 'identifier':
        return this.#variableOrCall(token);
      case 'number':
        this.#advance();
        return { kind: 'number', value: token.value, range: { start: token.start, end: token.end } };
      case 'if':
        return this.#if();
      case 'for':
        return this.#for();
      case 'var':
        return this.#var();
      default:
        if (!this.#isCharacter('(')) throw this.#expectedExpression();
    }
    this.#advance();
    const inner = this.#expression();
    this.#expectCharacter(')', 'after the expression');
    return inner;
  }

  /** identifierexpr ::= identifier | identifier '(' (expression (',' expression)*)? ')' */
  #variableOrCall(name: Token): ExprAST {
    this.#advance();
    if (!this.#isCharacter('(')) {
      return { kind: 'variable', name: name.text, range: { start: name.start, end: name.end } };
    }
    this.#advance();
    const callArguments: ExprAST[] = [];
    if (!this.#isCharacter(')')) {
      callArguments.push(this.#expression());
      while (this.#isCharacter(',')) {
        if (callArguments.length === MAX_PARAMETERS) {
          throw this.#error(`a call cannot have more than ${MAX_PARAMETERS} arguments`);
        }
        this.#advance();
        callArguments.push(this.#expression());
      }
    }
    this.#expectCharacter(')', "or ',' in the argument list");
    const call: CallExprAST = {
      kind: 'call',
      callee: name.text,
      arguments: callArguments,
      range: this.#rangeFrom(name.start),
    };
    return call;
  }

  /** ifexpr ::= 'if' expression 'then' expression 'else' expression */
  #if(): IfExprAST {
    const start = this.#token.start;
    this.#countBranch();
    this.#advance();
    const condition = this.#expression();
    this.#expect('then', "after the condition of 'if'");
    const thenBranch = this.#expression();
    this.#expect('else', "after the value for 'then'");
    const elseBranch = this.#expression();
    return { kind: 'if', condition, thenBranch, elseBranch, range: this.#rangeFrom(start) };
  }

  /** forexpr ::= 'for' identifier '=' expression ',' expression (',' expression)? 'in' expression */
  #for(): ForExprAST {
    const start = this.#token.start;
    this.#countBranch();
    this.#advance();
    const variable = this.#identifier("after 'for'");
    this.#expectCharacter('=', "after the variable of 'for'");
    const startValue = this.#expression();
    this.#expectCharacter(',', "after the start value of 'for'");
    const end = this.#expression();
    let step: ExprAST | undefined;
    if (this.#isCharacter(',')) {
      this.#advance();
      step = this.#expression();
    }
    this.#expect('in', "before the body of 'for'");
    const body = this.#expression();
    return { kind: 'for', variable, start: startValue, end, step, body, range: this.#rangeFrom(start) };
  }

  /** varexpr ::= 'var' binding (',' binding)* 'in' expression; binding ::= identifier ('=' expression)? */
  #var(): VarExprAST {
    const start = this.#token.start;
    this.#advance();
    const bindings: VarBinding[] = [this.#binding()];
    while (this.#isCharacter(',')) {
      this.#advance();
      bindings.push(this.#binding());
    }
    this.#expect('in', "before the body of 'var'");
    const body = this.#expression();
    return { kind: 'var', bindings, body, range: this.#rangeFrom(start) };
  }

  #binding(): VarBinding {
    const start = this.#token.start;
    this.#count();
    const name = this.#identifier("in the list of 'var'");
    let initializer: ExprAST | undefined;
    if (this.#isCharacter('=')) {
      this.#advance();
      initializer = this.#expression();
    }
    return { name, initializer, range: this.#rangeFrom(start) };
  }

  #identifier(where: string): string {
    const token = this.#token;
    if (token.kind !== 'identifier') throw this.#error(`expected a name ${where}, found ${describe(token)}`);
    this.#advance();
    return token.text;
  }

  #expect(kind: 'then' | 'else' | 'in', where: string): void {
    if (this.#token.kind !== kind) throw this.#expected(`'${kind}' ${where}`);
    this.#advance();
  }

  #expectCharacter(character: string, where: string): void {
    if (!this.#isCharacter(character)) throw this.#expected(`'${character}' ${where}`);
    this.#advance();
  }

  #isCharacter(character: string): boolean {
    return this.#token.kind === 'character' && this.#token.text === character;
  }

  #advance(): void {
    this.#previousEnd = this.#token.end;
    this.#token = this.#lexer.next();
  }

  #rangeFrom(start: number): SourceRange {
    return { start, end: this.#previousEnd };
  }

  #enter(): void {
    if (this.#depth === MAX_NESTING_DEPTH) {
      throw this.#error(`expressions nest more than ${MAX_NESTING_DEPTH} levels deep here`);
    }
    this.#depth += 1;
  }

  #count(): void {
    if (this.#expressionCount === MAX_FUNCTION_EXPRESSIONS)
      throw this.#error(`a function cannot have more than ${MAX_FUNCTION_EXPRESSIONS} expressions`);
    this.#expressionCount += 1;
  }

  #countBranch(): void {
    if (this.#branchCount === MAX_FUNCTION_BRANCHES)
      throw this.#error(`a function cannot have more than ${MAX_FUNCTION_BRANCHES} 'if' and 'for'`);
    this.#branchCount += 1;
  }

  #expected(what: string): Diagnostic {
    const hint = this.#isUnknownOperator() ? `, ${describe(this.#token)} is no binary operator` : '';
    return this.#error(`expected ${what}, found ${describe(this.#token)}${hint}`);
  }

  #expectedExpression(): Diagnostic {
    const token = this.#token;
    if (token.kind === 'character' && isOperatorCharacter(token.text)) {
      return this.#error(
        `unknown unary operator ${quoted(token.text)}: define it with 'def unary${token.text}(v) …'`,
      );
    }
    return this.#error(`expected an expression, found ${describe(token)}`);
  }

  #isUnknownOperator(): boolean {
    const { kind, text } = this.#token;
    return (
      kind === 'character' &&
      isOperatorCharacter(text) &&
      this.#operators.binaryPrecedence(text) === undefined
    );
  }

  #error(message: string, code: 'SYNTAX_ERROR' | 'SEMANTIC_ERROR' = 'SYNTAX_ERROR'): Diagnostic {
    const token = this.#token;
    const range = { start: token.start, end: token.end };
    if (token.kind === 'invalid') return new Diagnostic('SYNTAX_ERROR', token.message, this.#source, range);
    return new Diagnostic(code, message, this.#source, range, { atEnd: token.kind === 'end' });
  }
}

function describe(token: Token): string {
  return token.kind === 'end' ? 'the end of the input' : quoted(token.text);
}
