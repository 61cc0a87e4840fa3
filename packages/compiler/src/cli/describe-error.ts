import { ConnectionClosedError, FarJITError } from '@farjit/protocol/errors';
import { formatAddr } from '@farjit/protocol/executor-addr';
import {
  ExecutionTrapError,
  MaterializationError,
  RunnerLostError,
  SessionClosedError,
  type SymbolizedFrame,
} from '../core/errors.js';
import { ANONYMOUS_EXPRESSION_NAME } from '../frontends/kaleidoscope/ast.js';
import { Diagnostic } from '../frontends/kaleidoscope/diagnostic.js';
import { printable } from '../frontends/kaleidoscope/printable.js';
import type { SourceRange, SourceText } from '../frontends/kaleidoscope/source-text.js';
import { CSourceError } from '../frontends/llvm/c-errors.js';
import { IRSyntaxError } from '../llvm/errors.js';

/** More lines of a backtrace say nothing new. */
const MAX_BACKTRACE_LINES = 16;

/** Where an expression stands. */
export interface ExpressionPlace {
  readonly source: SourceText;
  readonly range: SourceRange;
}

/** Whether no expression can be evaluated any more, because the executor is gone. */
export function isExecutorGone(error: unknown): boolean {
  return error instanceof SessionClosedError || error instanceof ConnectionClosedError;
}

/**
 * Why an expression failed, without a final newline: `file:line:column: error: …` of the expression with its line and
 * a caret, then what there is to add: the diagnostic of a function that could not be compiled, or a backtrace.
 */
export function describeFailure(error: unknown, { source, range }: ExpressionPlace): string {
  // An error in the expression itself knows its place better.
  if (error instanceof Diagnostic) return error.render();
  return [renderAt(describeError(error), { source, range }), ...describeDetails(error)].join('\n');
}

/** Words about an expression, in the form of a diagnostic. */
export function renderAt(words: string, { source, range }: ExpressionPlace): string {
  return new Diagnostic('SEMANTIC_ERROR', words, source, range).render();
}

/** An error in words, without a place. What could drive a terminal is escaped: the executor is not trusted. */
export function describeError(error: unknown): string {
  if (error instanceof Diagnostic) return error.render();
  const words = messageOf(error).replaceAll(ANONYMOUS_EXPRESSION_NAME, 'the expression');
  return words.split('\n').map(printable).join('\n');
}

function messageOf(error: unknown): string {
  if (error instanceof MaterializationError && error.cause instanceof Diagnostic)
    return `'${error.symbol}' was called and cannot be compiled`;
  if (isExecutorGone(error)) return `the executor is gone: ${lastReason(error)}`;
  if (error instanceof FarJITError) return error.message;
  // Nobody foresaw it: the place in the code is what helps.
  if (error instanceof Error) return `internal error: ${error.stack ?? error.message}`;
  return `internal error: ${String(error)}`;
}

function lastReason(error: unknown): string {
  if (error instanceof SessionClosedError && error.cause !== undefined) return lastReason(error.cause);
  return error instanceof Error ? error.message : String(error);
}

/** What there is to add to an error's words: a diagnostic, or the lines of a backtrace. */
export function describeDetails(error: unknown): string[] {
  if (error instanceof MaterializationError && error.cause instanceof Diagnostic)
    return [error.cause.render()];
  if (error instanceof ExecutionTrapError) return backtraceOf(error.frames);
  if (error instanceof RunnerLostError && error.cause instanceof ExecutionTrapError)
    return backtraceOf(error.cause.frames);
  return [];
}

/** The JIT'd frames, innermost first; a recursion's equal frames share a line. */
function backtraceOf(frames: readonly SymbolizedFrame[]): string[] {
  const lines: { text: string; count: number }[] = [];
  for (const { address, symbol, offsetBytes, place } of frames) {
    if (symbol === undefined) continue;
    const name = printable(symbol.replaceAll(ANONYMOUS_EXPRESSION_NAME, 'the expression'));
    const line = place ? ` at ${printable(place.file)}:${place.line}` : '';
    const text = `  in ${name}+0x${offsetBytes.toString(16)}${line} (${formatAddr(address)})`;
    const last = lines.at(-1);
    if (last?.text === text) last.count += 1;
    else lines.push({ text, count: 1 });
  }
  const shown = lines
    .slice(0, MAX_BACKTRACE_LINES)
    .map(({ text, count }) => (count === 1 ? text : `${text}, ${count} frames`));
  return lines.length > MAX_BACKTRACE_LINES ? [...shown, '  …'] : shown;
}

/** An error and its details, for a command that ends over it. What clang and LLVM say of a source has its place in front already. */
export function describeProgramFailure(error: unknown): string {
  const isPlaced = error instanceof CSourceError || error instanceof IRSyntaxError;
  const words = isPlaced ? describeError(error) : `farjit: ${describeError(error)}`;
  return [words, ...describeDetails(error)].join('\n');
}
