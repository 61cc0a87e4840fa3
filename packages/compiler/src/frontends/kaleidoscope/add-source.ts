import { CALL_OPTION_SCHEMAS } from '../../calls/call-arguments.js';
import type { CallOptions } from '../../calls/session-calls.js';
import { anyFunction, checkArgument, is, nameText, optionsOf } from '../../core/arguments.js';
import type { ExpressionResult } from '../../jit/jit-types.js';
import type { FunctionAST, PrototypeAST } from './ast.js';
import type { OperatorTable } from './operators.js';
import { parseSource, type TopLevelItem } from './parser.js';
import { SourceError } from './source-error.js';
import { SourceText } from './source-text.js';

/** How the expressions of a text are evaluated. */
export interface AddSourceOptions extends CallOptions {
  /** What diagnostics call the text. */
  readonly name?: string;
  /** Called after each expression, before the next item is looked at. */
  readonly onResult?: (result: ExpressionResult) => void;
}

/** What a program is added to. */
export interface SourceTarget {
  addFunctionAST(fn: FunctionAST): unknown;
  addExtern(prototype: PrototypeAST): void;
  evaluate(fn: FunctionAST, options: CallOptions): Promise<number>;
}

/**
 * Parses a text with the operators known so far, and remembers those it defines.
 * @throws {SourceError | ArgumentError}
 */
export function parseText(
  text: string | SourceText,
  name: string,
  operators: OperatorTable,
): readonly TopLevelItem[] {
  checkArgument(sourceText, text, 'text');
  checkArgument(nameText, name, 'name');
  const source = typeof text === 'string' ? new SourceText(name, text) : text;
  const { items, diagnostics } = parseSource(source, operators);
  if (diagnostics.length > 0) throw new SourceError(diagnostics);
  return items;
}

const ADD_SOURCE_OPTIONS = optionsOf<AddSourceOptions>({
  ...CALL_OPTION_SCHEMAS,
  name: nameText,
  onResult: anyFunction,
});

const sourceText = is((value) => typeof value === 'string' || value instanceof SourceText, 'a text');

/** @throws {ArgumentError} for what are no options of `addSource`. */
export function checkSourceOptions(options: AddSourceOptions): void {
  checkArgument(ADD_SOURCE_OPTIONS, options, 'options');
}

/**
 * Adds definitions and evaluates expressions in program order.
 * @returns one result per top-level expression; a failed one does not keep later ones from running.
 */
export async function addItems(
  target: SourceTarget,
  items: readonly TopLevelItem[],
  { deadlineMs, signal, onResult }: AddSourceOptions,
): Promise<ExpressionResult[]> {
  const results: ExpressionResult[] = [];
  for (const item of items) {
    if (item.kind === 'definition') target.addFunctionAST(item.function);
    else if (item.kind === 'extern') target.addExtern(item.prototype);
    else {
      const [result] = await Promise.allSettled([target.evaluate(item.function, { deadlineMs, signal })]);
      results.push(result);
      onResult?.(result);
    }
  }
  return results;
}
