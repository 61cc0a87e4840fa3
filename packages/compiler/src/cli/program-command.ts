import { basename } from 'node:path';
import { FarJITError } from '@farjit/protocol/errors';
import { printable } from '@farjit/protocol/printable';
import type { RunReport } from '../calls/run-report.js';
import type { JIT } from '../jit/jit.js';
import type { RunningProgram } from '../jit/running-program.js';
import type { ReadFile } from './add-input.js';
import { CommandStreams } from './command-streams.js';
import { errorReport } from './describe-error.js';
import { writeEvents } from './event-files.js';
import { givenFiles } from './given-files.js';
import { unsharedVariables } from './library-variables.js';
import { addLinkedFiles, readLinkedFiles } from './linked-files.js';
import { openJIT } from './open-jit.js';
import type { ProgramFile } from './program-inputs.js';
import type { ProgramOptions } from './program-options.js';
import type { RunOptions } from './run-options.js';
import { collectStatistics, summarize } from './stats-summary.js';
import { closeIfUnheard, onEndingSignal, StopRequest } from './stop-request.js';

/** What `farjit run` is told of a program that begins with `main`. */
export interface ProgramCommandOptions extends RunOptions, ProgramOptions {
  /** What stands behind `--`. */
  readonly args: readonly (string | Uint8Array)[];
}

/**
 * Links files and runs their `main` with the command's own input and output.
 * @returns the program's exit code; 1 when it could not be added, or could not go on.
 */
export async function programCommand(
  files: readonly ProgramFile[],
  options: ProgramCommandOptions,
): Promise<number> {
  const stop = new AbortController();
  const streams = new CommandStreams((request) => stop.abort(request), { json: options.json });
  stop.signal.addEventListener('abort', () => streams.stopWaiting());
  const ignoreSignals = onEndingSignal((name) => {
    stop.abort(StopRequest.ofSignal(name));
    return false;
  });
  let report: Promise<RunReport | undefined> | undefined;
  const onRunning = (running: RunningProgram) => {
    report = running.report;
  };
  try {
    return await runFiles(files, options, streams, stop.signal, onRunning);
  } catch (error) {
    if (!stop.signal.aborted) {
      await streams.report(errorReport(error));
      return 1;
    }
    const request = stop.signal.reason as StopRequest;
    await streams.stopped(request);
    return request.exitCode;
  } finally {
    if (options.report) await writeReport(await report, streams);
    ignoreSignals();
  }
}

/** @param report undefined when nothing has run. */
async function writeReport(report: RunReport | undefined, streams: CommandStreams): Promise<void> {
  if (report) await streams.err.write(`${JSON.stringify(report)}\n`);
}

async function runFiles(
  files: readonly ProgramFile[],
  options: ProgramCommandOptions,
  streams: CommandStreams,
  signal: AbortSignal,
  onRunning: (running: RunningProgram) => void,
): Promise<number> {
  const executor = executorOf(options);
  const linked = await readLinkedFiles(files, options, executor !== undefined, signal);
  const { preload } = linked;
  const jit = await openJIT(
    {
      ...options,
      ...(executor === undefined ? {} : { executor }),
      // One that has been started ahead has nothing preloaded.
      ...(preload.length === 0 ? {} : { preload, local: undefined }),
    },
    streams,
    { signal },
  );
  const ended = closeIfUnheard(signal, () => jit.close({ atOnce: true }));
  try {
    const sources = () => linked.inputs.map(({ path, content }) => ({ name: path, content }));
    await writeEvents(jit, options, sources, streams);
    await addLinkedFiles(jit, linked, options, streams, signal);
    for (const words of unsharedVariables(jit.definedNames())) await streams.remark('warning', words);
    const exitCode = await runMain(jit, linked.inputs, options, streams, signal, onRunning);
    if (options.stats) {
      const statistics = await collectStatistics(jit);
      const words = options.stats === 'json' ? JSON.stringify(statistics) : summarize(statistics);
      await streams.err.write(`${words}\n`);
    }
    return exitCode;
  } finally {
    await jit.close().finally(ended);
  }
}

/** @throws {FarJITError} for several. */
function executorOf({ executors = [] }: ProgramCommandOptions) {
  if (executors.length > 1)
    throw new FarJITError('ONE_EXECUTOR', 'a program that begins with main runs on one executor: give one');
  return executors[0];
}

async function runMain(
  jit: JIT,
  inputs: readonly ReadFile[],
  { entry = 'main', args, env = {}, file, dir, eager, deadline: deadlineMs }: ProgramCommandOptions,
  streams: CommandStreams,
  signal: AbortSignal,
  onRunning: (running: RunningProgram) => void,
): Promise<number> {
  const [first] = inputs;
  if (!jit.definedNames().includes(entry) && !(await jit.findSymbol(entry)))
    throw new FarJITError(
      'NO_ENTRY',
      `no file defines ${entry}, with which the program would begin${emptyOnes(inputs)}: give one that does, or another --entry`,
    );
  const argv = [basename(first?.path ?? entry), ...args];
  const { stdin, stdout } = process;
  const lineBuffered = stdout.isTTY;
  const files = givenFiles(file, dir);
  const options = { entry, argv, env, stdin, lineBuffered, files, eager, deadlineMs, signal };
  const running = jit.runProgram(options);
  onRunning(running);
  const result = await running;
  if (result.trap) await streams.report(errorReport(result.trap));
  else if (result.signal !== undefined)
    await streams.remark('error', `the program was ended by ${result.signal}`);
  for (const { path, reason } of result.unsaved ?? [])
    await streams.remark('error', `not written back: ${printable(path)}: ${reason}`);
  return result.exitCode === 0 && result.unsaved?.length ? 1 : result.exitCode;
}

function emptyOnes(inputs: readonly ReadFile[]): string {
  const empty = inputs.filter(({ content }) => content.byteLength === 0).map(({ path }) => path);
  if (empty.length === 0) return '';
  return ` (${empty.join(', ')} ${empty.length === 1 ? 'is' : 'are'} empty)`;
}
