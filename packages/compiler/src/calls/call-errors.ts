import { parseValue, type RunnerEnd, run, type TrapReport } from '@farjit/protocol';
import { AbortError, RemoteError } from '@farjit/protocol/errors';
import type { Limit } from '@farjit/protocol/limits';
import {
  DeadlineExceededError,
  ExecutionTrapError,
  ExecutorDrainingError,
  MaterializationError,
  QuotaExceededError,
  RunnerLostError,
} from '../core/errors.js';
import type { CallbackFailures } from '../runner/callback-failures.js';
import type { ProgramThreads } from '../runner/reclaimer.js';
import { lossError, runnerEndOf } from '../runner/runner-errors.js';
import type { Symbolizer } from '../runner/symbolizer.js';
import type { LastWords } from '../runner/uncaught-exception.js';
import type { Patience } from './given-up.js';

/** Where to look up what an error of a call refers to. */
export interface CallErrorContext {
  readonly name: string;
  readonly runner: TrappedRunner;
  readonly options: Patience;
}

/** The runner that a call was in. */
export interface TrappedRunner {
  readonly symbolizer: Symbolizer;
  readonly limitsInForce: readonly Limit[];
  /** Those it has reached and gone on. */
  readonly reachedLimits: readonly Limit[];
  readonly lastWords: LastWords;
  /** Why its callbacks have failed. */
  readonly failures: CallbackFailures;
}

/** Codes of calls that have not been started. */
const NEVER_STARTED = [
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'DRAINING',
  'INVALID_ADDRESS',
  'INVALID_PARAMS',
  'LIMIT_EXCEEDED',
  'QUOTA_EXCEEDED',
];

/** Threads made by JIT'd code after a call that the executor answered with an error. */
export function programThreadsAfter(error: unknown): ProgramThreads {
  if (!(error instanceof RemoteError)) return 'unknown';
  if (NEVER_STARTED.includes(error.code)) return 'same';
  const parsed = parseValue(run.callbackFailedData, error.data);
  return parsed.success ? parsed.output.programThreads : 'unknown';
}

/** The error a caller sees: what happened in the executor, in the compiler's terms and with symbols. */
export function translateCallError(error: unknown, context: CallErrorContext): unknown {
  if (!(error instanceof RemoteError)) return error;
  if (error.code === 'CALLBACK_FAILED') {
    const parsed = parseValue(run.callbackFailedData, error.data);
    const failure = parsed.success ? context.runner.failures.tell(parsed.output.token) : undefined;
    return failure ?? new MaterializationError(context.name, error);
  }
  if (error.code === 'DRAINING') return new ExecutorDrainingError(context.name, { cause: error });
  if (error.code === 'QUOTA_EXCEEDED') {
    const parsed = parseValue(run.quotaExceededData, error.data);
    return parsed.success ? new QuotaExceededError(parsed.output, { cause: error }) : error;
  }
  const { deadlineMs, signal } = context.options;
  if (error.code === 'CANCELLED' && signal?.aborted) return interrupted(context.name, signal.reason);
  if (error.code === 'DEADLINE_EXCEEDED' && deadlineMs !== undefined)
    return new DeadlineExceededError(context.name, deadlineMs, { cause: error });
  if (error.code !== 'RUNNER_LOST') return error;
  const end = runnerEndOf(error) ?? { kind: 'fault' as const, message: error.message };
  const parsed = parseValue(run.runnerLostData, error.data);
  return endError(end, parsed.success && parsed.output.own, context, error);
}

/** A trap in words, with symbols. */
export function trapErrorOf(
  trap: TrapReport,
  { symbolizer, limitsInForce, reachedLimits }: TrappedRunner,
): ExecutionTrapError {
  const frames = [
    symbolizer.symbolize(trap.programCounter),
    ...trap.frames.map((address) => symbolizer.symbolizeReturnAddress(address)),
  ];
  const overflown = trap.stackOverflow ? limitsInForce.filter((limit) => limit.name === 'stack') : [];
  return new ExecutionTrapError(trap, frames, [...reachedLimits, ...overflown]);
}

function endError(
  end: RunnerEnd,
  own: boolean,
  { name, runner, options: { signal } }: CallErrorContext,
  remote: RemoteError,
): Error {
  switch (end.kind) {
    case 'trap': {
      const trap = trapErrorOf(end.trap, runner);
      return own ? trap : new RunnerLostError(end, { cause: trap });
    }
    case 'deadline':
      return own
        ? new DeadlineExceededError(name, end.deadlineMs)
        : new RunnerLostError(end, { cause: remote });
    case 'cancelled':
      // One signal may be for several calls in a runner, and one of them is the first to be stopped.
      return own || signal?.aborted
        ? interrupted(name, signal?.reason)
        : new RunnerLostError(end, { cause: remote });
    case 'unwind-failed': {
      // It came when that had happened, and was not begun.
      const cause = runner.failures.takeUntold();
      return cause ? new RunnerLostError(end, { cause }) : lossError(end, runner);
    }
    default:
      return lossError(end, runner);
  }
}

function interrupted(name: string, reason: unknown): AbortError {
  return new AbortError(`${name} was interrupted`, reason);
}
