import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import type { StatisticsSnapshot } from '../observe/statistics.js';
import type { ExecutorFigures } from '../pool/pool-types.js';

/** A session's statistics, with what only the executor can measure. */
export interface SessionStatistics extends StatisticsSnapshot {
  /**
   * Of the time between the executor's callbacks and their answers, what was not spent in the compiler: the wire and
   * both ends' event loops. Missing when the executor is gone.
   */
  wireMs?: number;
}

/** Takes the counts first, so that asking the executor does not show in them. */
export async function collectStatistics(jit: KaleidoscopeJIT): Promise<SessionStatistics> {
  const statistics = jit.statistics();
  try {
    const { callbackWaitUs } = await jit.executorStatus();
    return { ...statistics, wireMs: Math.max(0, callbackWaitUs / 1000 - statistics.callbackMs) };
  } catch {
    return statistics;
  }
}

/** A few lines for people, without a final newline. */
export function summarize(statistics: SessionStatistics): string {
  const {
    functionsDefined,
    functionsCompiled,
    functionsGuessed,
    functionsOptimized,
    optimizationsInvalidated,
    compiledWithoutLLVM,
    guessesOpen,
    guessesFailed,
    functionsLinkedAhead,
    linkedAheadOpen,
    compileCallbacks,
    failedCallbacks,
    roundTrips,
  } = statistics;
  const tripCounts = Object.entries(roundTrips).sort(([, a], [, b]) => b - a);
  const tripTotal = tripCounts.reduce((total, [, count]) => total + count, 0);
  const tripNames = tripCounts.map(([method, count]) => `${method} ${count}`).join(', ');
  const failed = guessesFailed > 0 ? `, ${guessesFailed} failed` : '';
  const guesses =
    functionsGuessed > 0
      ? `, ${functionsGuessed} of them guessed (at most ${guessesOpen} in vain${failed})`
      : '';
  const ahead =
    functionsLinkedAhead > 0
      ? `, ${functionsLinkedAhead} linked ahead (at most ${linkedAheadOpen} in vain)`
      : '';
  const found = statistics.cacheMemoryHits + statistics.cacheDiskHits + statistics.cacheStoreHits;
  const cache: [string, string][] =
    found + statistics.cacheDamaged === 0 ? [] : [['cache', cacheWords(statistics, found)]];
  const optimized =
    functionsOptimized > 0
      ? `, ${functionsOptimized} compiled again when hot (${optimizationsInvalidated} given up since)`
      : '';
  const wire = statistics.wireMs === undefined ? [] : [`${inMs(statistics.wireMs)} on the wire`];
  const times = [
    `${inMs(statistics.llvmMs)} in LLVM`,
    `${inMs(statistics.irgenMs)} making IR`,
    `${inMs(statistics.linkMs)} linking`,
    ...(compiledWithoutLLVM > 0
      ? [`${inMs(statistics.frontEndMs)} making first code of ${compiledWithoutLLVM} units without LLVM`]
      : []),
    ...(functionsOptimized > 0 ? [`${inMs(statistics.optimizeMs)} optimising in the background`] : []),
    ...wire,
    `${inMs(statistics.wallMs)} altogether`,
  ];
  const rows: [string, string][] = [
    ['functions', `${functionsDefined} defined, ${functionsCompiled} compiled${guesses}${ahead}${optimized}`],
    ...cache,
    ['callbacks', `${compileCallbacks}${failedCallbacks > 0 ? `, ${failedCallbacks} of them failed` : ''}`],
    ['round trips', `${tripTotal}${tripNames && ` (${tripNames})`}`],
    ['bytes', `${inBytes(statistics.bytesSent)} sent, ${inBytes(statistics.bytesReceived)} received`],
    ['time', times.join(', ')],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, text]) => `${label.padEnd(width)}  ${text}`).join('\n');
}

/** The same of several sessions together, and a line for each executor. */
export function summarizeExecutors(
  statistics: StatisticsSnapshot | undefined,
  executors: readonly ExecutorFigures[],
): string {
  const rows = executors.map(({ url, address, state, chunks, elements, busyMs, statistics: own }) => {
    const work =
      chunks > 0 ? `${chunks} chunks of ${elements} elements altogether` : `${own?.calls ?? 0} calls`;
    return `  ${address === undefined ? url : `${url} (${address})`}: ${work}, busy for ${inMs(busyMs)}, ${state}`;
  });
  return [...(statistics ? [summarize(statistics)] : []), 'executors', ...rows].join('\n');
}

function cacheWords(statistics: SessionStatistics, found: number): string {
  const { cacheDiskHits, cacheStoreHits, cacheMisses, cacheDamaged } = statistics;
  const shared = cacheStoreHits === 0 ? '' : `, ${cacheStoreHits} in the object store`;
  const words = [`${found} found (${cacheDiskHits} on disk${shared})`, `${cacheMisses} not`];
  if (cacheDamaged > 0) words.push(`${cacheDamaged} damaged`);
  return words.join(', ');
}

function inMs(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

/** A size for people. */
export function inBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
