import { checkRunOptions } from './dylib-arguments.js';
import type { RunOptions } from './dylib-types.js';
import type { RunningProgram } from './running-program.js';

/** A program that is compiled, to be run on many inputs: see `Dylib.program`. */
export class Program {
  /** The function that it begins with. */
  readonly entry: string;
  readonly #run: (options: RunOptions) => RunningProgram;

  /** @internal */
  constructor(entry: string, run: (options: RunOptions) => RunningProgram) {
    this.entry = entry;
    this.#run = run;
  }

  /**
   * Runs it once, in a runner of its own, in which nothing has run before: data has its initial values. Runs of a session are made one
   * after the other, in the order in which they were asked for, and after a `runProgram` that is under way.
   * @throws as `Dylib.runProgram`.
   */
  run(options: RunOptions = {}): RunningProgram {
    checkRunOptions(options);
    return this.#run(options);
  }
}
