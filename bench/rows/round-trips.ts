import { join } from 'node:path';
import type { Benchmark } from '../benchmark.js';
import { runContender, writeProgram } from '../contender.js';
import { coldFarjit } from '../contenders.js';
import { DelayingProxy } from '../delaying-proxy.js';
import type { ProcessRun } from '../measured-process.js';
import { chain } from '../programs.js';
import { RunningExecutor } from '../running-executor.js';
import { summarize } from '../samples.js';
import { spread, type Table } from '../table.js';

const DELAYS_MS = [0, 5, 20];
const TARGET_DELAY_MS = 20;
const FUNCTION_COUNT = 200;
const WHAT = `chain of ${FUNCTION_COUNT}, ${TARGET_DELAY_MS} ms one way: round trips after the first`;

interface Run {
  readonly wallMs: number;
  /** Callbacks that went to the compiler. */
  readonly reenterCount: number;
  /** Requests of either end that were answered. */
  readonly requestCount: number;
}

/** Far away, what counts is how often somebody waits for the line. */
export const roundTrips: Benchmark = {
  id: 'roundtrips',
  title: WHAT,
  budgetSeconds: { full: 25, smoke: 3 },
  async run({ options, folder, progress, rounds }) {
    progress('a chain over a line with a delay');
    const files = writeProgram(chain(FUNCTION_COUNT), folder, 'round-trips');
    const delaysMs = options.smoke ? [TARGET_DELAY_MS] : DELAYS_MS;
    const socketPath = join(folder, 'far');
    const executor = await RunningExecutor.listen(`ws+unix:${socketPath}`);
    const runs = new Map<number, Run[]>(delaysMs.map((delayMs) => [delayMs, []]));
    try {
      for (const { index, isWarmUp } of rounds())
        for (const delayMs of delaysMs) {
          const path = join(folder, `line-${delayMs}-${index}`);
          const proxy = await DelayingProxy.start(path, socketPath, delayMs);
          try {
            const contender = coldFarjit(`--executor=ws+unix:${path}`, '--stats=json');
            const run = toRun(await runContender(contender, files, folder));
            if (!isWarmUp) runs.get(delayMs)?.push(run);
          } finally {
            await proxy.stop();
          }
        }
    } finally {
      await executor.stop();
    }
    const far = runs.get(TARGET_DELAY_MS) ?? [];
    return {
      figures: [
        {
          what: WHAT,
          target: { limit: 10, unit: 'round trips', digits: 0 },
          measured: summarize(far.map(({ reenterCount }) => reenterCount - 1)),
          farjit: `${summarize(far.map(({ wallMs }) => wallMs)).median.toFixed(0)} ms in all`,
          how:
            'counted, compile callbacks of `farjit run --no-cache --executor=ws+unix:… program.ks` through a proxy that ' +
            'passes bytes on after the delay',
        },
      ],
      tables: [table(runs)],
      plots: [],
      data: Object.fromEntries(runs),
    };
  },
};

function toRun({ wallMs, stderr }: ProcessRun): Run {
  const { roundTrips: counts } = JSON.parse(stderr) as { roundTrips: Record<string, number> };
  const requestCount = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { wallMs, reenterCount: counts.reenter ?? 0, requestCount };
}

function table(runs: ReadonlyMap<number, readonly Run[]>): Table {
  const cell = (samples: readonly Run[], pick: (run: Run) => number) =>
    spread(summarize(samples.map(pick)), 0);
  return {
    title: `A chain of ${FUNCTION_COUNT} over a line with a delay`,
    columns: ['delay, one way', 'callbacks', 'requests of either end', 'whole process, ms'],
    rows: [...runs].map(([delayMs, samples]) => [
      `${delayMs} ms`,
      cell(samples, ({ reenterCount }) => reenterCount),
      cell(samples, ({ requestCount }) => requestCount),
      cell(samples, ({ wallMs }) => wallMs),
    ]),
    notes: [
      'The compiler is a process of its own (`farjit run --executor`); everything between it and a running executor ' +
        'goes through a proxy that passes bytes on after the delay.',
      'A callback is one round trip, for which a thread waits. The other requests open the session, call, and close it.',
    ],
  };
}
