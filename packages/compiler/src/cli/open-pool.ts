import type { KaleidoscopePool } from '../frontends/kaleidoscope/kaleidoscope-pool.js';
import type { JITPool } from '../pool/jit-pool.js';
import type { ExecutorChange, ExecutorFigures } from '../pool/pool-types.js';
import type { CommandStreams } from './command-streams.js';
import { describeError } from './describe-error.js';
import { compilationOptions, type JITOptions, loadCompiler, localOptions, readAccess } from './open-jit.js';
import { summarizeExecutors } from './stats-summary.js';

/** Options of commands that can use several executors. */
export type PoolOptions = Omit<JITOptions, 'executor' | 'local'>;

/**
 * Connects to executors; programs print to the command's streams. What becomes of an executor is remarked on, since the
 * command goes on without it.
 * @param signal gives up connecting.
 */
export async function openPool(
  urls: readonly string[],
  options: PoolOptions,
  streams: CommandStreams,
  signal: AbortSignal,
): Promise<KaleidoscopePool> {
  const access = await readAccess(options);
  await loadCompiler();
  const { connectExecutors } = await import('../frontends/kaleidoscope/kaleidoscope-pool.js');
  const remarks = new ExecutorRemarks(streams);
  const pool = await connectExecutors(urls, {
    ...compilationOptions(options),
    local: localOptions(options),
    ...access,
    signal,
    onOutput: (stream, content) => streams[stream === 'stdout' ? 'out' : 'err'].write(content),
    onExecutor: (change) => remarks.note(change),
  });
  remarks.begin();
  return pool;
}

/** Counts and times of all executors together, then those of each. */
export async function writePoolStatistics(
  pool: Pick<JITPool, 'executors' | 'statistics'>,
  form: 'summary' | 'json',
  streams: CommandStreams,
): Promise<void> {
  const { executors } = pool;
  const text =
    form === 'json'
      ? JSON.stringify({ ...pool.statistics(), executors: executors.map(inJSON) })
      : summarizeExecutors(pool.statistics(), executors);
  await streams.err.write(`${text}\n`);
}

function inJSON({ error, ...figures }: ExecutorFigures) {
  return { ...figures, ...(error ? { error: error.message } : {}) };
}

/** Says of each executor once when it is lost, and once when it is there again. */
class ExecutorRemarks {
  readonly #streams: CommandStreams;
  readonly #missing = new Map<string, ExecutorChange>();
  #hasBegun = false;

  constructor(streams: CommandStreams) {
    this.#streams = streams;
  }

  note(change: ExecutorChange): void {
    const name = nameOf(change);
    if (change.state === 'removed') return;
    if (change.state === 'connected') {
      const wasMissing = this.#missing.delete(name);
      if (wasMissing && this.#hasBegun) void this.#streams.remark('note', `${name} is there again`);
      return;
    }
    const isNew = !this.#missing.has(name);
    this.#missing.set(name, change);
    if (isNew && this.#hasBegun) this.#say(change);
  }

  /** Before there is a pool, its error says what is wrong. */
  begin(): void {
    this.#hasBegun = true;
    for (const change of this.#missing.values()) this.#say(change);
  }

  #say(change: ExecutorChange): void {
    const reason = change.error ? describeError(change.error) : 'no reason given';
    void this.#streams.remark('warning', `going on without ${nameOf(change)}: ${reason}`);
  }
}

function nameOf({ url, address }: ExecutorChange): string {
  return address === undefined ? url : `${url} (${address})`;
}
