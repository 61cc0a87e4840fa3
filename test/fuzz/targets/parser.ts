import type { Diagnostic } from '@farjit/compiler';
import type { ExprAST, FunctionAST } from '#compiler/src/frontends/kaleidoscope/ast.js';
import { callSites } from '#compiler/src/frontends/kaleidoscope/call-graph.js';
import { Lexer } from '#compiler/src/frontends/kaleidoscope/lexer.js';
import { OperatorTable } from '#compiler/src/frontends/kaleidoscope/operators.js';
import { type ParseResult, parseSource } from '#compiler/src/frontends/kaleidoscope/parser.js';
import { printExpression, printFunction } from '#compiler/src/frontends/kaleidoscope/print-ast.js';
import { SourceText } from '#compiler/src/frontends/kaleidoscope/source-text.js';
import type { Random } from '../random.js';
import { type FuzzTarget, must, type TargetFactory } from '../target.js';
import { mustBePrintable } from './decoder.js';
import { SourceInputs } from './source-inputs.js';

type Parse = (source: SourceText, operators: OperatorTable) => ParseResult;

/** The parser and its checks; what parses is walked by everyone who walks trees. */
export const parser: TargetFactory = {
  name: 'parser',
  longInputs: 1_000_000,
  shortInputs: 3000,
  create: ({ planted = false } = {}) => new Parser(planted ? parseWithShortCalls : parseSource),
};

class Parser implements FuzzTarget {
  readonly name = 'parser';
  readonly stages = ['has invalid tokens', 'has syntax errors', 'has semantic errors', 'parsed'];
  readonly #inputs = new SourceInputs();
  readonly #parse: Parse;

  constructor(parse: Parse) {
    this.#parse = parse;
  }

  generate(random: Random): Uint8Array {
    return this.#inputs.make(random);
  }

  run(input: Uint8Array): string {
    const source = SourceText.fromBytes('fuzz.ks', input);
    const operators = new OperatorTable();
    const { items, diagnostics } = this.#parse(source, operators);
    for (const diagnostic of diagnostics) mustBeSound(diagnostic, source);
    for (const item of items) if (item.kind !== 'extern') walk(item.function);
    if (diagnostics.length === 0) {
      for (const item of items)
        if (item.kind !== 'extern') mustStandInItsRange(item.function, operators, this.#parse);
      return 'parsed';
    }
    if (hasInvalidToken(source)) return 'has invalid tokens';
    return diagnostics.some(({ code }) => code === 'SYNTAX_ERROR')
      ? 'has syntax errors'
      : 'has semantic errors';
  }
}

function mustBeSound(diagnostic: Diagnostic, source: SourceText): void {
  const { range, line, column, message } = diagnostic;
  must(
    range.start >= 0 && range.start <= range.end && range.end <= source.text.length,
    () => 'a range outside the text',
  );
  must(line >= 1 && column >= 1, () => `a position ${line}:${column}`);
  mustBePrintable(message);
  const shown = diagnostic.render();
  mustBePrintable(shown);
  must(shown.length < 2000, () => `a message of ${shown.length} characters`);
}

/** Nobody runs out of stack, whatever the tree. */
function walk(fn: FunctionAST): void {
  must(printFunction(fn).length > 0, () => 'a function is printed as nothing');
  for (const { range } of callSites(fn)) must(range.start < range.end, () => 'a call without a place');
}

/** The text of a body, parsed alone, gives the body again. */
function mustStandInItsRange(fn: FunctionAST, operators: OperatorTable, parse: Parse): void {
  const { body, source } = fn;
  const text = source.text.slice(body.range.start, body.range.end);
  const wrapped = `def wrapped(${fn.prototype.parameters.join(' ')}) ${text}`;
  const { items, diagnostics } = parse(new SourceText('again.ks', wrapped), operators.copy());
  const [item] = items;
  must(
    diagnostics.length === 0 && items.length === 1 && item?.kind === 'definition',
    () => `the text of a body does not parse alone: ${diagnostics[0]?.message}`,
  );
  if (item?.kind === 'definition')
    must(
      printExpression(item.function.body) === printExpression(body),
      () => 'the text of a body means something else',
    );
}

function hasInvalidToken(source: SourceText): boolean {
  const lexer = new Lexer(source);
  for (let token = lexer.next(); token.kind !== 'end'; token = lexer.next())
    if (token.kind === 'invalid') return true;
  return false;
}

/** The planted bug: the range of a call with several arguments ends one character too early. */
function parseWithShortCalls(source: SourceText, operators: OperatorTable): ParseResult {
  const { items, diagnostics } = parseSource(source, operators);
  const shorten = (body: ExprAST): ExprAST =>
    body.kind === 'call' && body.arguments.length > 1
      ? { ...body, range: { start: body.range.start, end: body.range.end - 1 } }
      : body;
  return {
    diagnostics,
    items: items.map((item) =>
      item.kind === 'extern'
        ? item
        : { ...item, function: { ...item.function, body: shorten(item.function.body) } },
    ),
  };
}
