import { MapChunkError } from '../pool/chunked-map.js';
import { CommandStreams } from './command-streams.js';
import { describeDetails, errorReport } from './describe-error.js';
import type { LinkOptions } from './linked-files.js';
import { readMapInput } from './map-input.js';
import { checkMapOutput, writeMapOutput } from './map-output.js';
import { type MappedProgram, mappedProgram } from './map-program.js';
import { openProgress } from './map-progress.js';
import { openPool, type PoolOptions, writePoolStatistics } from './open-pool.js';
import { onEndingSignal, StopRequest } from './stop-request.js';

/** `farjit map`'s options. */
export interface MapCommandOptions extends PoolOptions, LinkOptions {
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
  /** Results and reports are JSON. */
  readonly json?: boolean;
}

/**
 * Applies a function of a program to data.
 * @param paths of the program: one of Kaleidoscope, of which only the definitions count (`-` is standard input), or files as
 *   `farjit run` takes them.
 * @returns the exit code.
 */
export async function mapCommand(
  name: string,
  paths: readonly string[],
  options: MapCommandOptions,
): Promise<number> {
  const stop = new AbortController();
  const streams = new CommandStreams((request) => stop.abort(request), { json: options.json });
  stop.signal.addEventListener('abort', () => streams.stopWaiting());
  const ignoreSignals = onEndingSignal((signal) => {
    stop.abort(StopRequest.ofSignal(signal));
    return false;
  });
  try {
    const program = await mappedProgram(name, paths, options, streams, stop.signal);
    if (!program) return 1;
    await checkMapOutput(options.output);
    await mapInput(name, program, options, streams, stop.signal);
    // Standard output tells a moment after it was written to.
    await new Promise((resolve) => setImmediate(resolve));
    stop.signal.throwIfAborted();
    return 0;
  } catch (error) {
    if (stop.signal.aborted) {
      const request = stop.signal.reason as StopRequest;
      await streams.stopped(request);
      return request.exitCode;
    }
    const report = errorReport(error);
    const more = error instanceof MapChunkError ? describeDetails(error.cause) : [];
    await streams.report({ ...report, details: [...(report.details ?? []), ...more] });
    return 1;
  } finally {
    ignoreSignals();
  }
}

async function mapInput(
  name: string,
  program: MappedProgram,
  options: MapCommandOptions,
  streams: CommandStreams,
  signal: AbortSignal,
): Promise<void> {
  // What is wrong with the data is best said before anything is started.
  const known = program.parameters && (await readMapInput(options.input, program.parameters, signal));
  const { preload } = program;
  const pool = await openPool(
    executorsOf(options),
    { ...options, ...(preload.length > 0 && { preload }) },
    streams,
    signal,
  );
  const progress = await openProgress(process.stderr);
  try {
    const parameters = await program.addTo(pool);
    const { columns, hasHeader } = known ?? (await readMapInput(options.input, parameters, signal));
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
    await writeMapOutput(options.output, { name, results, hasHeader }, streams, signal);
    if (options.stats) await writePoolStatistics(pool, options.stats, streams);
  } finally {
    await pool.close();
  }
}

function executorsOf({ executors = [], executorsLocal }: MapCommandOptions): string[] {
  const localCount = executorsLocal ?? (executors.length === 0 ? 1 : 0);
  return [...executors, ...new Array<string>(localCount).fill('local')];
}
