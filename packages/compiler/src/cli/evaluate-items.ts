import { AbortError } from '@farjit/protocol/errors';
import type { CallOptions } from '../calls/session-calls.js';
import type { FunctionAST, PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import type { TopLevelItem } from '../frontends/kaleidoscope/parser.js';
import type { ResourceTracker } from '../jit/jit-types.js';
import type { CommandStreams } from './command-streams.js';
import { expressionFailure, isExecutorGone, reportAt } from './describe-error.js';
import type { StopRequest } from './stop-request.js';

/**
 * - `completed`: every expression has a value.
 * - `failed`: at least one has none; the others were evaluated all the same.
 * - `stopped`: the signal was aborted; later items were not looked at.
 * - `executor-gone`: nothing can be evaluated any more.
 */
export type Outcome = 'completed' | 'failed' | 'stopped' | 'executor-gone';

/** How expressions of a command are evaluated that a signal may end. */
export type StoppableOptions = CallOptions & { readonly signal: AbortSignal };

/** Whether an expression failed because the command was asked to end. A signal's request may have closed the session. */
export function isStopped(error: unknown, signal: AbortSignal | undefined): signal is AbortSignal {
  if (!signal?.aborted) return false;
  const { isBySignal } = signal.reason as StopRequest;
  return error instanceof AbortError || (isBySignal && isExecutorGone(error));
}

export interface EvaluateOptions extends CallOptions {
  readonly onDefined?: (fn: FunctionAST, tracker: ResourceTracker) => void;
  readonly onDeclared?: (prototype: PrototypeAST) => void;
  readonly onValue?: ((value: number) => void) | undefined;
}

/**
 * Adds definitions and evaluates expressions in program order; values go to standard output behind what the program
 * printed, failures to standard error.
 * @param options.signal aborted with a `StopRequest`, whose words are reported at the expression it stops.
 */
export async function evaluateItems(
  jit: KaleidoscopeJIT,
  items: readonly TopLevelItem[],
  streams: CommandStreams,
  options: EvaluateOptions,
): Promise<Outcome> {
  const { onDefined, onDeclared, onValue, ...callOptions } = options;
  let outcome: Outcome = 'completed';
  for (const item of items) {
    if (item.kind === 'definition') {
      const tracker = jit.addFunctionAST(item.function);
      onDefined?.(item.function, tracker);
    } else if (item.kind === 'extern') {
      jit.addExtern(item.prototype);
      onDeclared?.(item.prototype);
    } else {
      const evaluated = await evaluateItem(jit, item, streams, { ...callOptions, onValue });
      if (evaluated === 'stopped' || evaluated === 'executor-gone') return evaluated;
      if (evaluated === 'failed') outcome = 'failed';
    }
  }
  return outcome;
}

async function evaluateItem(
  jit: KaleidoscopeJIT,
  item: Extract<TopLevelItem, { kind: 'expression' }>,
  streams: CommandStreams,
  { onValue, ...options }: CallOptions & Pick<EvaluateOptions, 'onValue'>,
): Promise<Outcome> {
  const place = { source: item.function.source, range: item.range };
  try {
    const value = await jit.evaluate(item.function, options);
    onValue?.(value);
    await streams.value(value);
    return 'completed';
  } catch (error) {
    const { signal } = options;
    if (isStopped(error, signal)) {
      const { words } = signal.reason as StopRequest;
      if (words !== undefined) await streams.report(reportAt(words, place));
      return 'stopped';
    }
    await streams.report(expressionFailure(error, place));
    return isExecutorGone(error) ? 'executor-gone' : 'failed';
  }
}
