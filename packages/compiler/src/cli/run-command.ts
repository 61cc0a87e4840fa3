import { FarJITError } from '@farjit/protocol/errors';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import { OperatorTable } from '../frontends/kaleidoscope/operators.js';
import { parseSource, type TopLevelItem } from '../frontends/kaleidoscope/parser.js';
import { SourceText } from '../frontends/kaleidoscope/source-text.js';
import type { ReadFile } from './add-input.js';
import { readCallProfile, writeCallProfile } from './call-profile.js';
import { CommandStreams } from './command-streams.js';
import { diagnosticReport, errorReport } from './describe-error.js';
import { evaluateItems, type Outcome, type StoppableOptions } from './evaluate-items.js';
import { writeEvents } from './event-files.js';
import type { LinkOptions } from './linked-files.js';
import { openJIT } from './open-jit.js';
import type { ProgramFile } from './program-inputs.js';
import { readSource } from './read-source.js';
import type { RunOptions } from './run-options.js';
import { collectStatistics, summarize } from './stats-summary.js';
import { closeIfUnheard, onEndingSignal, StopRequest } from './stop-request.js';

/** Kaleidoscope to run. */
export interface ProgramSource {
  /** `-` is standard input. */
  readonly path: string;
  /** What stands on the command line in place of a file. */
  readonly text?: string | undefined;
}

/**
 * Runs a program: all of it is parsed before any of it runs.
 * @param files in other languages, which are linked with it: they are added before, and their initialisers run.
 * @returns the exit code.
 */
export async function runCommand(
  { path, text }: ProgramSource,
  files: readonly ProgramFile[],
  options: RunOptions & LinkOptions,
): Promise<number> {
  const stop = new AbortController();
  const form = {
    json: options.json,
    values: text === undefined ? options.print : (options.print ?? 'bare'),
  } as const;
  const streams = new CommandStreams((request) => stop.abort(request), form);
  try {
    const source = text === undefined ? await readSource(path) : new SourceText(path, text);
    const { items, diagnostics } = parseSource(source, new OperatorTable());
    for (const diagnostic of diagnostics) await streams.report(diagnosticReport(diagnostic));
    if (diagnostics.length > 0) return 1;
    return await runProgram({ path, text: source.text, items, files }, options, streams, stop);
  } catch (error) {
    if (stop.signal.aborted) return await endedBy(stop.signal.reason as StopRequest, streams);
    await streams.report(errorReport(error));
    return 1;
  }
}

/** A program in Kaleidoscope, and what is linked with it. */
interface RunProgram {
  readonly path: string;
  readonly text: string;
  readonly items: readonly TopLevelItem[];
  readonly files: readonly ProgramFile[];
}

async function endedBy(request: StopRequest, streams: CommandStreams): Promise<number> {
  await streams.stopped(request);
  return request.exitCode;
}

async function runProgram(
  program: RunProgram,
  options: RunOptions & LinkOptions,
  streams: CommandStreams,
  stop: AbortController,
): Promise<number> {
  stop.signal.addEventListener('abort', () => streams.stopWaiting());
  const ignoreSignals = onEndingSignal((name) => {
    stop.abort(StopRequest.ofSignal(name));
    return false;
  });
  let outcome: Outcome;
  try {
    const callOptions = { deadlineMs: options.deadline, signal: stop.signal };
    if (await usesManyExecutors(options)) {
      const { runOnPool } = await import('./run-on-pool.js');
      outcome = await runOnPool(program, options, streams, callOptions);
    } else outcome = await runInSession(program, options, streams, callOptions);
  } finally {
    ignoreSignals();
  }
  if (!stop.signal.aborted) return outcome === 'completed' ? 0 : 1;
  const request = stop.signal.reason as StopRequest;
  // It has been reported where it stopped an expression.
  return outcome === 'stopped' ? request.exitCode : endedBy(request, streams);
}

/** @throws {FarJITError} when something is asked for that only works with one. */
async function usesManyExecutors({
  executors = [],
  recordCalls,
  speculateOrder,
  trace,
  record,
}: RunOptions): Promise<boolean> {
  const [first] = executors;
  // Not worth loading anything for, by far most of the time.
  if (first === undefined || (executors.length === 1 && !/^wss?:/.test(first))) return false;
  const { endpointsOf, resolveAll } = await import('../pool/addresses.js');
  const isMany = executors.length > 1 || (await endpointsOf(first, resolveAll).catch(() => [])).length > 1;
  if (isMany && (recordCalls ?? speculateOrder) !== undefined)
    throw new FarJITError(
      'ONE_EXECUTOR',
      '--record-calls and --speculate-order go by the order of calls, which there is in one executor only',
    );
  if (isMany && (trace ?? record) !== undefined)
    throw new FarJITError(
      'ONE_EXECUTOR',
      '--trace and --record are of one session, and so of one executor: give one',
    );
  return isMany;
}

async function runInSession(
  { path, text, items, files }: RunProgram,
  options: RunOptions & LinkOptions,
  streams: CommandStreams,
  callOptions: StoppableOptions,
): Promise<Outcome> {
  const { signal } = callOptions;
  const calls = {
    ...(options.speculateOrder === undefined
      ? {}
      : { speculateOrder: await readCallProfile(options.speculateOrder, signal) }),
    recordCalls: options.recordCalls !== undefined,
  };
  const { executors = [], ...rest } = options;
  const [executor] = executors;
  // Most programs are Kaleidoscope alone.
  const linking = files.length > 0 ? await import('./linked-files.js') : undefined;
  const linked = await linking?.readLinkedFiles(files, options, executor !== undefined, signal);
  const preload = linked?.preload ?? [];
  const jitOptions = {
    ...rest,
    ...(executor === undefined ? {} : { executor }),
    // One that has been started ahead has nothing preloaded.
    ...(preload.length === 0 ? {} : { preload, local: undefined }),
  };
  const jit = await openJIT(jitOptions, streams, { program: text, calls, signal });
  const ended = closeIfUnheard(signal, () => jit.close({ atOnce: true }));
  try {
    await writeEvents(jit, options, () => sourcesOf(path, text, linked?.inputs), streams);
    if (linking && linked) {
      await linking.addLinkedFiles(jit, linked, options, streams, signal);
      await startLinked(jit, items, callOptions);
    }
    const outcome = await evaluateItems(jit, items, streams, callOptions);
    if (linked && (outcome === 'completed' || outcome === 'failed')) await jit.deinitialize(callOptions);
    if (options.stats) await writeStatistics(jit, options.stats, streams);
    return outcome;
  } finally {
    await jit.close().finally(ended);
    if (options.recordCalls !== undefined)
      await writeCallProfile(options.recordCalls, jit.calledFunctions(), signal);
  }
}

/** What is run, for recordings. */
function sourcesOf(path: string, text: string, linked: readonly ReadFile[] = []) {
  const own = { name: path, content: Buffer.from(text) };
  return [own, ...linked.map((file) => ({ name: file.path, content: file.content }))];
}

/**
 * Runs the initialisers of all that a program is linked with.
 * @throws {FarJITError} for a `main`: it is not known which of the two is to run.
 */
async function startLinked(
  jit: KaleidoscopeJIT,
  items: readonly TopLevelItem[],
  callOptions: StoppableOptions,
): Promise<void> {
  if (jit.definedNames().includes('main'))
    throw new FarJITError(
      'MIXED_PROGRAM',
      'one of the files defines main, with which a program would begin, and another is Kaleidoscope, which begins with its expressions',
    );
  const own = new Set(
    items.flatMap((item) => (item.kind === 'definition' ? item.function.prototype.name : [])),
  );
  // Who defines them may have initialisers.
  for (const item of items)
    if (item.kind === 'extern' && !own.has(item.prototype.name)) jit.mainDylib.declare(item.prototype.name);
  await jit.initialize(callOptions);
}

async function writeStatistics(
  jit: KaleidoscopeJIT,
  form: 'summary' | 'json',
  streams: CommandStreams,
): Promise<void> {
  const statistics = await collectStatistics(jit);
  await streams.err.write(`${form === 'json' ? JSON.stringify(statistics) : summarize(statistics)}\n`);
}
