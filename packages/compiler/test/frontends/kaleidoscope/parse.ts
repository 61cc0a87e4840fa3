import type { FunctionAST } from '../../../src/frontends/kaleidoscope/ast.js';
import { OperatorTable } from '../../../src/frontends/kaleidoscope/operators.js';
import { type ParseResult, parseSource } from '../../../src/frontends/kaleidoscope/parser.js';
import { printFunction, printPrototype } from '../../../src/frontends/kaleidoscope/print-ast.js';
import { SourceText } from '../../../src/frontends/kaleidoscope/source-text.js';

/** Parses a text named `test.ks`. */
export function parse(text: string, operators = new OperatorTable()): ParseResult {
  return parseSource(new SourceText('test.ks', text), operators);
}

/** Every item as an S-expression; a top-level expression without its wrapping function. Throws the first diagnostic. */
export function parsed(text: string, operators = new OperatorTable()): string[] {
  const { items, diagnostics } = parse(text, operators);
  if (diagnostics[0]) throw diagnostics[0];
  return items.map((item) => {
    if (item.kind === 'extern') return `(extern ${printPrototype(item.prototype)})`;
    if (item.kind === 'definition') return printFunction(item.function);
    return printFunction(item.function).replace(/^\(def __anon_expr \(\) (.*)\)$/, '$1');
  });
}

/** All functions of a text without errors, those of its expressions included. */
export function functionsOf(text: string): FunctionAST[] {
  const { items, diagnostics } = parse(text);
  if (diagnostics[0]) throw diagnostics[0];
  return items.flatMap((item) => (item.kind === 'extern' ? [] : [item.function]));
}

/** The only function that a text without errors defines (or the only expression). */
export function onlyFunction(text: string): FunctionAST {
  const functions = functionsOf(text);
  const [first] = functions;
  if (!first || functions.length > 1) throw new Error(`expected one function, found ${functions.length}`);
  return first;
}

/** `line:column code message` of every diagnostic. */
export function errorsOf(text: string): string[] {
  return parse(text).diagnostics.map(
    ({ line, column, code, message }) => `${line}:${column} ${code} ${message}`,
  );
}
