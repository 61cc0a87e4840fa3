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
import { CSourceError, parseDiagnostics } from '../frontends/llvm/c-errors.js';
import { IRSyntaxError } from '../llvm/errors.js';
import { DataFileError } from './map-columns.js';
import type { Report, ReportLevel } from './report.js';

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
 * Why an expression failed: at the place of the expression, with its line and a caret, and what there is to add.
 */
export function expressionFailure(error: unknown, place: ExpressionPlace): Report {
  // An error in the expression itself knows its place better.
  if (error instanceof Diagnostic) return diagnosticReport(error);
  return { ...reportAt(describeError(error), place), code: codeOf(error), details: describeDetails(error) };
}

/** Words about an expression, in the form of a diagnostic. */
export function reportAt(words: string, { source, range }: ExpressionPlace): Report {
  return { ...diagnosticReport(new Diagnostic('SEMANTIC_ERROR', words, source, range)), code: undefined };
}

/** What a compiler says of a place in a text. */
export function diagnosticReport(diagnostic: Diagnostic): Report {
  const { code, message, file, line, column } = diagnostic;
  return { level: 'error', code, message, place: { file, line, column }, shown: diagnostic.render() };
}

/** An error, for a command that ends over it or goes on without what failed. */
export function errorReport(error: unknown): Report {
  if (error instanceof Diagnostic) return diagnosticReport(error);
  const words = describeError(error);
  const report = {
    level: 'error',
    code: codeOf(error),
    message: words,
    details: describeDetails(error),
  } as const;
  if (error instanceof DataFileError && error.place)
    return { ...report, message: printable(error.words), place: error.place, shown: words };
  // What clang and LLVM say of a source has its place in front already.
  if (error instanceof CSourceError || error instanceof IRSyntaxError)
    return clangReport(words, 'error', error.code);
  return report;
}

/** Levels of what clang says. */
const LEVELS = {
  'fatal error': 'error',
  error: 'error',
  warning: 'warning',
  note: 'note',
  remark: 'note',
} as const;

/**
 * What clang says of a source, or LLVM in its form: for people as it has said it, for programs each thing by itself.
 * @param level of what has no place.
 * @param code of its errors.
 */
export function clangReport(words: string, level: ReportLevel, code?: string): Report {
  const diagnostics = parseDiagnostics(words).map(({ severity, message, file, line, column }): Report => {
    const place = { file, line, ...(column === undefined ? {} : { column }) };
    return { level: LEVELS[severity], message, place, ...(LEVELS[severity] === 'error' ? { code } : {}) };
  });
  const [first = { level, code, message: words }, ...others] = diagnostics;
  return { ...first, shown: words, others };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof FarJITError ? error.code : undefined;
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
