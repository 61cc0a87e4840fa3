import type { PrintForm } from './command-streams.js';
import type { JITOptions } from './open-jit.js';

/** `farjit run`'s options. */
export interface RunOptions extends Omit<JITOptions, 'executor'> {
  /** Addresses of running executors; without any the command has its own. */
  readonly executors?: readonly string[] | undefined;
  readonly stats?: 'summary' | 'json';
  /** Values and reports are JSON. */
  readonly json?: boolean;
  readonly print?: PrintForm;
  /** Kaleidoscope in place of a file's, piece by piece. */
  readonly eval?: readonly string[];
  /** File of a profile that orders the guesses. */
  readonly speculateOrder?: string;
  /** File to write the profile of this run to. */
  readonly recordCalls?: string;
  /** File to write a trace for Perfetto to. */
  readonly trace?: string;
  /** File to record the run to. */
  readonly record?: string;
  /** Functions whose IR after each pass is recorded. */
  readonly recordPasses?: readonly string[];
  /** Milliseconds that each expression may run. */
  readonly deadline?: number;
}
