import type { CallOptions } from '../calls/session-calls.js';
import type { KaleidoscopePool } from '../frontends/kaleidoscope/kaleidoscope-pool.js';
import type { TopLevelItem } from '../frontends/kaleidoscope/parser.js';
import type { ExpressionResult } from '../jit/jit-types.js';
import { NoExecutorError } from '../pool/pool-types.js';
import type { CommandStreams } from './command-streams.js';
import { expressionFailure, reportAt } from './describe-error.js';
import { isStopped, type Outcome, type StoppableOptions } from './evaluate-items.js';
import { addLinkedFiles, type LinkOptions, readLinkedFiles } from './linked-files.js';
import { openPool, writePoolStatistics } from './open-pool.js';
import type { ProgramFile } from './program-inputs.js';
import type { RunOptions } from './run-options.js';
import { closeIfUnheard, type StopRequest } from './stop-request.js';

type ExpressionItem = Extract<TopLevelItem, { kind: 'expression' }>;

/** Runs a program on several executors; output and values come in program order. */
export async function runOnPool(
  { items, files }: { readonly items: readonly TopLevelItem[]; readonly files: readonly ProgramFile[] },
  options: RunOptions & LinkOptions,
  streams: CommandStreams,
  callOptions: StoppableOptions,
): Promise<Outcome> {
  const linked = await readLinkedFiles(files, options, true, callOptions.signal);
  const pool = await openPool(options.executors ?? [], options, streams, callOptions.signal);
  const ended = closeIfUnheard(callOptions.signal, () => pool.close());
  try {
    await addLinkedFiles(pool, linked, options, streams, callOptions.signal);
    const outcome = await evaluateOnPool(pool, items, streams, callOptions);
    if (options.stats) await writePoolStatistics(pool, options.stats, streams);
    return outcome;
  } finally {
    ended();
    await pool.close();
  }
}

/** A definition waits for all expressions before it: they mean what was defined by then. */
async function evaluateOnPool(
  pool: KaleidoscopePool,
  items: readonly TopLevelItem[],
  streams: CommandStreams,
  options: CallOptions,
): Promise<Outcome> {
  let outcome: Outcome = 'completed';
  for (const step of stepsOf(items)) {
    if (Array.isArray(step)) {
      const report = new Report(step, streams, options);
      const functions = step.map(({ function: fn }) => fn);
      await pool.evaluateInOrder(functions, report, options);
      if (report.outcome === 'stopped' || report.outcome === 'executor-gone') return report.outcome;
      if (report.outcome === 'failed') outcome = 'failed';
    } else if (step.kind === 'definition') pool.addFunctionAST(step.function);
    else pool.addExtern(step.prototype);
  }
  return outcome;
}

/** Definitions one by one, and between them the expressions that follow each other. */
function* stepsOf(
  items: readonly TopLevelItem[],
): Generator<Exclude<TopLevelItem, ExpressionItem> | ExpressionItem[]> {
  let expressions: ExpressionItem[] = [];
  for (const item of items) {
    if (item.kind === 'expression') {
      expressions.push(item);
      continue;
    }
    if (expressions.length > 0) yield expressions;
    expressions = [];
    yield item;
  }
  if (expressions.length > 0) yield expressions;
}

/** Writes what becomes of expressions, as it comes. */
export class Report {
  outcome: Outcome = 'completed';
  readonly #items: readonly ExpressionItem[];
  readonly #streams: CommandStreams;
  readonly #options: CallOptions;

  constructor(items: readonly ExpressionItem[], streams: CommandStreams, options: CallOptions) {
    this.#items = items;
    this.#streams = streams;
    this.#options = options;
  }

  get #isOver(): boolean {
    return this.outcome === 'stopped' || this.outcome === 'executor-gone';
  }

  output(stream: 'stdout' | 'stderr', content: Uint8Array): Promise<void> | undefined {
    return this.#isOver ? undefined : this.#streams[stream === 'stdout' ? 'out' : 'err'].write(content);
  }

  async result(index: number, result: ExpressionResult): Promise<void> {
    const item = this.#items[index];
    if (this.#isOver || !item) return;
    if (result.status === 'fulfilled') {
      await this.#streams.value(result.value);
      return;
    }
    const place = { source: item.function.source, range: item.range };
    const { signal } = this.#options;
    if (isStopped(result.reason, signal)) {
      this.outcome = 'stopped';
      const { words } = signal.reason as StopRequest;
      if (words !== undefined) await this.#streams.report(reportAt(words, place));
      return;
    }
    this.outcome = result.reason instanceof NoExecutorError ? 'executor-gone' : 'failed';
    await this.#streams.report(expressionFailure(result.reason, place));
  }
}
