import { FarJITError } from '@farjit/protocol/errors';
import type { PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import { OperatorTable } from '../frontends/kaleidoscope/operators.js';
import { parseSource, type TopLevelItem } from '../frontends/kaleidoscope/parser.js';
import { quoted } from '../frontends/kaleidoscope/printable.js';
import { MapChunkError } from '../pool/chunked-map.js';
import { CommandStreams } from './command-streams.js';
import { describeDetails, describeError } from './describe-error.js';
import type { MapInput } from './map-columns.js';
import { readMapInput } from './map-input.js';
import { checkMapOutput, writeMapOutput } from './map-output.js';
import { openProgress } from './map-progress.js';
import { openPool, type PoolOptions, writePoolStatistics } from './open-pool.js';
import { readSource } from './read-source.js';
import { onEndingSignal, StopRequest } from './stop-request.js';

/** `farjit map`'s options. */
export interface MapCommandOptions extends PoolOptions {
  readonly input: string;
  readonly output?: string;
  readonly chunk?: number;
  /** Addresses of running executors. */
  readonly executors?: readonly string[] | undefined;
  /** How many of its own to start; one when there is no other. */
  readonly executorsLocal?: number;
  /** Milliseconds that each chunk may take. */
  readonly deadline?: number;
  readonly stats?: 'summary' | 'json';
}

/**
 * Applies a function of a program to data.
 * @param path of the program, of which only the definitions count; `-` is standard input.
 * @returns the exit code.
 */
export async function mapCommand(name: string, path: string, options: MapCommandOptions): Promise<number> {
  const stop = new AbortController();
  const streams = new CommandStreams((request) => stop.abort(request));
  stop.signal.addEventListener('abort', () => streams.stopWaiting());
  const ignoreSignals = onEndingSignal((signal) => {
    stop.abort(StopRequest.ofSignal(signal));
    return false;
  });
  try {
    const source = await readSource(path, stop.signal);
    const { items, diagnostics } = parseSource(source, new OperatorTable());
    for (const diagnostic of diagnostics) await streams.report(diagnostic.render());
    if (diagnostics.length > 0) return 1;
    const { parameters } = findFunction(name, source.name, items);
    await checkMapOutput(options.output);
    const input = await readMapInput(options.input, parameters, stop.signal);
    await mapInput(name, items, input, options, streams, stop.signal);
    // Standard output tells a moment after it was written to.
    await new Promise((resolve) => setImmediate(resolve));
    stop.signal.throwIfAborted();
    return 0;
  } catch (error) {
    if (stop.signal.aborted) {
      const { words, exitCode } = stop.signal.reason as StopRequest;
      if (words !== undefined) await streams.remark(words);
      return exitCode;
    }
    await streams.remark(describeError(error));
    const cause = error instanceof MapChunkError ? error.cause : undefined;
    for (const detail of describeDetails(cause)) await streams.report(detail);
    return 1;
  } finally {
    ignoreSignals();
  }
}

async function mapInput(
  name: string,
  items: readonly TopLevelItem[],
  { columns, hasHeader }: MapInput,
  options: MapCommandOptions,
  streams: CommandStreams,
  signal: AbortSignal,
): Promise<void> {
  const pool = await openPool(executorsOf(options), options, streams, signal);
  const progress = await openProgress(process.stderr);
  try {
    for (const item of items) {
      if (item.kind === 'definition') pool.addFunctionAST(item.function);
      else if (item.kind === 'extern') pool.addExtern(item.prototype);
    }
    const results = await pool
      .map(
        name,
        { columns },
        {
          chunk: options.chunk,
          deadlineMs: options.deadline,
          signal,
          onProgress: (done) => progress.show(done),
        },
      )
      .finally(() => progress.end());
    await writeMapOutput(options.output, results, hasHeader ? name : undefined, streams, signal);
    if (options.stats) await writePoolStatistics(pool, options.stats, streams);
  } finally {
    await pool.close();
  }
}

/** The last prototype of the name, which is what it means when the program has been read. */
function findFunction(name: string, source: string, items: readonly TopLevelItem[]): PrototypeAST {
  const prototypes = items.flatMap((item) => {
    if (item.kind === 'definition') return item.function.prototype;
    return item.kind === 'extern' ? item.prototype : [];
  });
  const found = prototypes.findLast((prototype) => prototype.name === name);
  if (found && found.parameters.length > 0) return found;
  const names = [
    ...new Set(prototypes.filter(({ parameters }) => parameters.length > 0).map((one) => one.name)),
  ];
  throw new FarJITError(
    'NO_SUCH_FUNCTION',
    found
      ? `${quoted(name)} of ${source} has no parameters to take from data`
      : `${source} does not define ${quoted(name)}; it has ${names.map(quoted).join(', ') || 'no function with parameters'}`,
  );
}

function executorsOf({ executors = [], executorsLocal }: MapCommandOptions): string[] {
  const localCount = executorsLocal ?? (executors.length === 0 ? 1 : 0);
  return [...executors, ...new Array<string>(localCount).fill('local')];
}
