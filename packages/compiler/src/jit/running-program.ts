import type { ProgramResult, RunProgress } from '../calls/programs.js';
import type { RunReport } from '../calls/run-report.js';
import { OutputIteration, type OutputIterations } from '../observe/output-iteration.js';
import type { OutputChunk } from './deliver-output.js';

/** A program that has been started: a promise of how it ends, and what it prints until then. */
export interface RunningProgram extends Promise<ProgramResult> {
  /**
   * What it prints from now on, for `for await`, until it has ended, in place of `onOutput` and of `JIT.output`. It is held back,
   * and so is the promise of its end, while more than a megabyte waits to be read. What calls print that run beside it is there
   * too: they are in the same process.
   */
  output(): AsyncIterableIterator<OutputChunk>;
  /**
   * What it has taken, as its result says too, once it has ended: also when it has rejected, or was ended at a limit or by a signal.
   * Undefined when it was not begun. Never rejects.
   */
  readonly report: Promise<RunReport | undefined>;
}

/** @param run begins a program. */
export function runningProgram(
  iterations: OutputIterations<OutputChunk>,
  run: (progress: RunProgress) => Promise<ProgramResult>,
): RunningProgram {
  let begins!: () => void;
  const begun = new Promise<void>((resolve) => {
    begins = resolve;
  });
  let end!: () => void;
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  // Output ends with the program and does not answer for how: a failure that nobody awaits is one that nobody handles.
  let report: RunReport | undefined;
  const reported = (taken: RunReport) => {
    report = taken;
  };
  const ended = run({ begins, reported }).finally(end);
  const output = () => {
    const iteration = new OutputIteration<OutputChunk>();
    // Another program that runs already prints until then, and this one is refused.
    void begun.then(() => iterations.begin(iteration));
    void over.then(() => iteration.end());
    return iteration.chunks;
  };
  return Object.assign(ended, { output, report: over.then(() => report) });
}
