import { Diagnostic } from './diagnostic.js';
import { Lexer, type Token } from './lexer.js';
import { isOperatorCharacter, type OperatorTable } from './operators.js';
import { quoted } from './printable.js';
import type { SourceRange, SourceText } from './source-text.js';

/** Where a parser stands in a text: the token that comes next, and what may be said of it. */
export class TokenCursor {
  readonly source: SourceText;
  readonly #operators: OperatorTable;
  readonly #lexer: Lexer;
  /** What comes next. */
  token: Token;
  #previousEnd = 0;

  constructor(source: SourceText, operators: OperatorTable) {
    this.source = source;
    this.#operators = operators;
    this.#lexer = new Lexer(source);
    this.token = this.#lexer.next();
  }

  /** Takes a name. @throws Diagnostic when another token is next. */
  identifier(where: string): string {
    const token = this.token;
    if (token.kind !== 'identifier') throw this.error(`expected a name ${where}, found ${describe(token)}`);
    this.advance();
    return token.text;
  }

  /** Takes a keyword. @throws Diagnostic when another token is next. */
  expect(kind: 'then' | 'else' | 'in', where: string): void {
    if (this.token.kind !== kind) throw this.expected(`'${kind}' ${where}`);
    this.advance();
  }

  /** Takes a character. @throws Diagnostic when another token is next. */
  expectCharacter(character: string, where: string): void {
    if (!this.isCharacter(character)) throw this.expected(`'${character}' ${where}`);
    this.advance();
  }

  isCharacter(character: string): boolean {
    return this.token.kind === 'character' && this.token.text === character;
  }

  advance(): void {
    this.#previousEnd = this.token.end;
    this.token = this.#lexer.next();
  }

  /** From there to the end of what has been taken. */
  rangeFrom(start: number): SourceRange {
    return { start, end: this.#previousEnd };
  }

  /** That something else was expected than what is next. */
  expected(what: string): Diagnostic {
    const unknown = this.#unknownOperator();
    return this.error(`expected ${what}, found ${describe(this.token)}${unknown ? `, ${unknown}` : ''}`);
  }

  /**
   * What has been taken ends here.
   * @throws Diagnostic when an operator that nobody has defined goes on with it in the same line: what follows would be an item
   * of its own, and the one before would have lost it without a word.
   */
  expectEndOfItem(): void {
    const unknown = this.#unknownOperator();
    if (unknown === undefined || this.#beginsLine()) return;
    throw this.error(unknown);
  }

  /** What is wrong with the operator that is next; undefined where there is none, or a binary one. */
  #unknownOperator(): string | undefined {
    const { kind, text, start } = this.token;
    if (kind !== 'character' || !isOperatorCharacter(text)) return undefined;
    if (this.#operators.binaryPrecedence(text) !== undefined) return undefined;
    if (text === '_' && start === this.#previousEnd)
      return 'names are of letters and digits, without underscores';
    const words = `${describe(this.token)} is no binary operator: define it with 'def binary${text} 40 (a b) …'`;
    return this.#operators.isUnary(text) ? `${words}, or put ';' before it to apply the unary one` : words;
  }

  #beginsLine(): boolean {
    return /[\r\n]/.test(this.source.text.slice(this.#previousEnd, this.token.start));
  }

  /** What is wrong where the cursor is. */
  error(message: string, code: 'SYNTAX_ERROR' | 'SEMANTIC_ERROR' = 'SYNTAX_ERROR'): Diagnostic {
    const token = this.token;
    const range = { start: token.start, end: token.end };
    if (token.kind === 'invalid') return new Diagnostic('SYNTAX_ERROR', token.message, this.source, range);
    return new Diagnostic(code, message, this.source, range, { atEnd: token.kind === 'end' });
  }
}

/** A token as errors call it. */
export function describe(token: Token): string {
  return token.kind === 'end' ? 'the end of the input' : quoted(token.text);
}
