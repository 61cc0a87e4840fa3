import { ANONYMOUS_EXPRESSION_NAME, type ExprAST, type FunctionAST, type PrototypeAST } from './ast.js';
import { checkFunction, checkPrototype } from './check.js';
import { Diagnostic, MAX_DIAGNOSTICS } from './diagnostic.js';
import { ExpressionParser, MAX_PARAMETERS } from './expression-parser.js';
import {
  binaryFunctionName,
  DEFAULT_BINARY_PRECEDENCE,
  isOperatorCharacter,
  type OperatorTable,
  unaryFunctionName,
} from './operators.js';
import { quoted } from './printable.js';
import type { SourceRange, SourceText } from './source-text.js';
import { describe, TokenCursor } from './token-cursor.js';

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
 * @param constants variables of the expressions to evaluate, as if each stood inside a `var` with them.
 */
export function parseSource(
  source: SourceText,
  operators: OperatorTable,
  constants: ReadonlyMap<string, number> = new Map(),
): ParseResult {
  const known = operators.copy();
  const result = new Parser(source, known, constants).parse();
  if (result.diagnostics.length === 0) operators.assign(known);
  return result;
}

class Parser {
  readonly #operators: OperatorTable;
  readonly #cursor: TokenCursor;
  readonly #expressions: ExpressionParser;
  readonly #constants: ReadonlyMap<string, number>;

  constructor(source: SourceText, operators: OperatorTable, constants: ReadonlyMap<string, number>) {
    this.#constants = constants;
    this.#operators = operators;
    this.#cursor = new TokenCursor(source, operators);
    this.#expressions = new ExpressionParser(this.#cursor, operators);
  }

  /** top ::= (definition | external | expression | ';')* */
  parse(): ParseResult {
    const items: TopLevelItem[] = [];
    const diagnostics: Diagnostic[] = [];
    while (this.#cursor.token.kind !== 'end' && diagnostics.length < MAX_DIAGNOSTICS) {
      if (this.#cursor.isCharacter(';')) {
        this.#cursor.advance();
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
      ? checkPrototype(item.prototype, this.#cursor.source)
      : checkFunction(item.function);
  }

  #recover(): void {
    while (
      this.#cursor.token.kind !== 'end' &&
      this.#cursor.token.kind !== 'def' &&
      this.#cursor.token.kind !== 'extern'
    ) {
      if (this.#cursor.isCharacter(';')) return;
      this.#cursor.advance();
    }
  }

  #topLevelItem(): TopLevelItem {
    const start = this.#cursor.token.start;
    this.#expressions.begin();
    if (this.#cursor.token.kind === 'def') return { kind: 'definition', function: this.#definition() };
    if (this.#cursor.token.kind === 'extern') {
      this.#cursor.advance();
      const prototype = this.#prototype();
      return { kind: 'extern', prototype, range: this.#cursor.rangeFrom(start) };
    }
    const expression = this.#body();
    const range = this.#cursor.rangeFrom(start);
    const body = this.#withConstants(expression, range);
    const prototype = {
      name: ANONYMOUS_EXPRESSION_NAME,
      parameters: [],
      isOperator: false,
      precedence: 0,
      range,
    };
    return { kind: 'expression', function: { prototype, body, range, source: this.#cursor.source }, range };
  }

  #withConstants(body: ExprAST, range: SourceRange): ExprAST {
    const words = new Set(this.#cursor.source.text.slice(range.start, range.end).match(/\w+/g));
    const used = [...this.#constants].filter(([name]) => words.has(name));
    if (used.length === 0) return body;
    const bindings = used.map(([name, value]) => {
      const initializer = { kind: 'number', value, range } as const;
      return { name, initializer, range };
    });
    return { kind: 'var', bindings, body, range };
  }

  #body(): ExprAST {
    const body = this.#expressions.expression();
    this.#cursor.expectEndOfItem();
    return body;
  }

  /** definition ::= 'def' prototype expression */
  #definition(): FunctionAST {
    const start = this.#cursor.token.start;
    this.#cursor.advance();
    const prototype = this.#prototype();
    const body = this.#body();
    return { prototype, body, range: this.#cursor.rangeFrom(start), source: this.#cursor.source };
  }

  /**
   * prototype ::= identifier '(' identifier* ')'
   *           ::= 'unary' operator '(' identifier ')'
   *           ::= 'binary' operator number? '(' identifier identifier ')'
   */
  #prototype(): PrototypeAST {
    const start = this.#cursor.token.start;
    const { name, precedence, isOperator } = this.#prototypeName();
    this.#cursor.expectCharacter('(', 'in the prototype');

    const parameters: string[] = [];
    const parameterRanges: SourceRange[] = [];
    while (this.#cursor.token.kind === 'identifier') {
      if (parameters.length === MAX_PARAMETERS) {
        throw this.#cursor.error(`a function cannot have more than ${MAX_PARAMETERS} parameters`);
      }
      parameters.push(this.#cursor.token.text);
      parameterRanges.push({ start: this.#cursor.token.start, end: this.#cursor.token.end });
      this.#cursor.advance();
    }
    if (this.#cursor.isCharacter(','))
      throw this.#cursor.error("expected ')' in the prototype: parameters are separated by spaces");
    this.#cursor.expectCharacter(')', 'in the prototype');

    const range = this.#cursor.rangeFrom(start);
    const prototype = { name, parameters, parameterRanges, isOperator, precedence, range };
    this.#operators.install(prototype);
    return prototype;
  }

  #prototypeName(): { name: string; precedence: number; isOperator: boolean } {
    const token = this.#cursor.token;
    if (token.kind === 'identifier') {
      this.#cursor.advance();
      return { name: token.text, precedence: 0, isOperator: false };
    }
    if (token.kind === 'unary') {
      this.#cursor.advance();
      return { name: unaryFunctionName(this.#operatorCharacter('unary')), precedence: 0, isOperator: true };
    }
    if (token.kind === 'binary') {
      this.#cursor.advance();
      const name = binaryFunctionName(this.#operatorCharacter('binary'));
      return { name, precedence: this.#precedence(), isOperator: true };
    }
    throw this.#cursor.error(`expected a function name, found ${describe(token)}`);
  }

  #operatorCharacter(arity: 'unary' | 'binary'): string {
    const token = this.#cursor.token;
    if (token.kind !== 'character' || !isOperatorCharacter(token.text)) {
      throw this.#cursor.error(`expected the character of a ${arity} operator, found ${describe(token)}`);
    }
    this.#cursor.advance();
    return token.text;
  }

  #precedence(): number {
    const token = this.#cursor.token;
    if (token.kind !== 'number') return DEFAULT_BINARY_PRECEDENCE;
    if (token.value < 1 || token.value > 100) {
      throw this.#cursor.error(
        `invalid precedence ${quoted(token.text)}: it must be 1 to 100`,
        'SEMANTIC_ERROR',
      );
    }
    this.#cursor.advance();
    return Math.trunc(token.value);
  }
}
