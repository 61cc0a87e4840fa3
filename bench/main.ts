// What `npm run bench` runs when everything is built: measures, prints tables on standard output, says on standard
// error what it is doing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Benchmark, BenchmarkContext, BenchmarkResult } from './benchmark.js';
import { CheckError, comparison, mustBeComparable, type Run, readRun } from './check.js';
import { figureTable, ofTarget } from './figure.js';
import { describeMachine, loadInWords, machineInWords, peersInWords } from './machine.js';
import { type Options, parseOptions } from './options.js';
import { writeDocument } from './performance-document.js';
import type { Plot } from './plot.js';
import { roundsWithin } from './rounds.js';
import { cachedFunctions } from './rows/cached-functions.js';
import { callbackBreakdown } from './rows/callback-breakdown.js';
import { chains } from './rows/chains.js';
import { executorSessions } from './rows/executor-sessions.js';
import { hostCalls } from './rows/host-calls.js';
import { map } from './rows/map.js';
import { memoryAtRest } from './rows/memory-at-rest.js';
import {
  cachedStartUp,
  mostlyUncalledPrograms,
  recordCost,
  secondRun,
  startUp,
  traceCost,
  version,
} from './rows/pairs.js';
import { programRuns } from './rows/program-runs.js';
import { roundTrips } from './rows/round-trips.js';
import { scaling } from './rows/scaling.js';
import { speculationWaste } from './rows/speculation-waste.js';
import { steadyState } from './rows/steady-state.js';
import { stubCall } from './rows/stub-call.js';
import { throws } from './rows/throws.js';
import { warmSession } from './rows/warm-session.js';
import { toText } from './table.js';

/** In the order of the table. */
const BENCHMARKS: readonly Benchmark[] = [
  chains,
  mostlyUncalledPrograms,
  cachedFunctions,
  secondRun,
  startUp,
  cachedStartUp,
  traceCost,
  recordCost,
  version,
  warmSession,
  executorSessions,
  programRuns,
  hostCalls,
  map,
  steadyState,
  stubCall,
  throws,
  roundTrips,
  speculationWaste,
  memoryAtRest,
  scaling,
  callbackBreakdown,
];

// A system's certificates cost every Node 40 ms, and nothing that is measured here speaks TLS.
delete process.env.NODE_EXTRA_CA_CERTS;
const options = readOptions();
if (options === undefined) process.exitCode = 2;
else {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-bench-'));
  try {
    await measureAll(options, folder);
  } catch (error) {
    // A wrong result, or something that does not run: there is nothing to compare.
    process.stderr.write(`bench: ${inFull(error)}\n`);
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readOptions(): Options | undefined {
  try {
    return parseOptions(
      process.argv.slice(2),
      BENCHMARKS.map(({ id }) => id),
    );
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

async function measureAll(options: Options, folder: string): Promise<void> {
  const startMs = performance.now();
  const former = options.checkPath === undefined ? undefined : readRun(options.checkPath);
  const machine = await describeMachine();
  if (former) mustBeComparable(former, machine, options.smoke);
  const peers = peersInWords(options.peers);
  const facts = [...machineInWords(machine), peers];
  print(facts.join('\n'));
  const results = new Map<string, BenchmarkResult>();
  for (const benchmark of BENCHMARKS) {
    if (options.only ? !options.only.includes(benchmark.id) : secondsOf(benchmark, options) === 0) continue;
    const result = await inTime(benchmark, options, folder);
    results.set(benchmark.id, result);
    for (const table of result.tables) print(`\n${toText(table)}`);
  }
  const all = [...results.values()];
  const figures = figureTable(all.flatMap((result) => result.figures));
  print(`\n${toText(figures)}`);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  facts.push(loadInWords(), `Measured in ${seconds} s, at most ${options.runs} turns each`);
  print(facts.slice(-2).join('\n'));
  if (options.jsonPath !== undefined) {
    const data = Object.fromEntries([...results].map(([id, result]) => [id, result.data]));
    const json = {
      machine,
      peers,
      runs: options.runs,
      smoke: options.smoke,
      figures: figuresOf(all),
      ...data,
    };
    writeFileSync(options.jsonPath, `${JSON.stringify(json, undefined, 2)}\n`);
  }
  if (options.docsPath !== undefined)
    writeDocument(options.docsPath, {
      facts,
      figures,
      results: [...results.values()].map(({ tables, plots }) => ({ tables, plots })),
      overview: overviewOf(all),
    });
  if (former) compareWith(former, { machine, peers, smoke: options.smoke, figures: figuresOf(all) });
}

/** Exit code 1 says that something got worse. */
function compareWith(former: Run, now: Run): void {
  const { table, worse } = comparison(former, now);
  print(`\n${toText(table)}`);
  if (worse.length > 0) process.exitCode = 1;
  print(worse.length > 0 ? `worse than in the former run: ${worse.join('; ')}` : 'nothing got worse');
}

/** With its stack, where it is not the arguments that are wrong. */
function inFull(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof CheckError ? error.message : (error.stack ?? error.message);
}

/**
 * What hangs ends the bench: there is nobody else to interrupt a call that never returns. Whatever was started ends with
 * the connections to it.
 */
async function inTime(benchmark: Benchmark, options: Options, folder: string): Promise<BenchmarkResult> {
  const seconds = 120 + 3 * secondsOf(benchmark, options);
  const watchdog = setTimeout(() => {
    process.stderr.write(`bench: ${benchmark.id} did not end within ${seconds} s\n`);
    rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  }, 1000 * seconds);
  try {
    return await benchmark.run(contextOf(benchmark, options, folder));
  } finally {
    clearTimeout(watchdog);
  }
}

function contextOf(benchmark: Benchmark, options: Options, folder: string): BenchmarkContext {
  const budgetMs = 1000 * secondsOf(benchmark, options);
  return {
    options,
    peers: options.peers,
    folder,
    progress: (words) => {
      process.stderr.write(`bench: ${benchmark.id}: ${words}\n`);
    },
    rounds: (share = 1) =>
      roundsWithin({
        runs: options.runs,
        warmUp: !options.smoke,
        budgetMs: share * budgetMs,
        // Fewer than three give no median worth the name; the short run only shows that everything works.
        atLeast: options.smoke ? 1 : 3,
      }),
  };
}

/** A benchmark that has no time in the short run has what it has in the whole one when it is asked for by name. */
function secondsOf({ budgetSeconds, id }: Benchmark, { smoke, only }: Options): number {
  if (!smoke) return budgetSeconds.full;
  return only?.includes(id) && budgetSeconds.smoke === 0 ? budgetSeconds.full : budgetSeconds.smoke;
}

function figuresOf(results: readonly BenchmarkResult[]) {
  return results.flatMap((result) =>
    result.figures.map((figure) => ({ ...figure, ofTarget: ofTarget(figure) })),
  );
}

/** All figures as parts of their targets. */
function overviewOf(results: readonly BenchmarkResult[]): Plot {
  const bars = figuresOf(results).flatMap(({ what, ofTarget }) =>
    ofTarget === undefined ? [] : [{ title: what.replaceAll('`', ''), value: ofTarget }],
  );
  return {
    kind: 'bars',
    id: 'figures',
    title: 'Each figure as a multiple of its target: reached up to the line',
    y: { title: '÷ target' },
    line: 1,
    bars,
  };
}

function print(words: string): void {
  process.stdout.write(`${words}\n`);
}
