import { parseValue, type RunnerEnd, run } from '@farjit/protocol';
import { RemoteError } from '@farjit/protocol/errors';
import type { Limit } from '@farjit/protocol/limits';
import { RunnerLostError } from '../core/errors.js';
import type { LastWords } from './uncaught-exception.js';

/** Codes of calls that were refused or failed after their commit was applied. */
const APPLIED_BEFORE_FAILING = [
  'CALLBACK_FAILED',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'DRAINING',
  'QUOTA_EXCEEDED',
];

/** The runner that a request was for is gone: nobody can see what the request has done there. */
export function isRunnerGone(error: unknown): error is RemoteError {
  return error instanceof RemoteError && ['STALE_GENERATION', 'RUNNER_LOST'].includes(error.code);
}

/** Whether the executor has applied the commit that came with a call which it answered with an error. */
export function hasAppliedCommit(error: unknown): boolean {
  return error instanceof RemoteError && APPLIED_BEFORE_FAILING.includes(error.code);
}

/** How the runner ended, when that is why a call was rejected. */
export function runnerEndOf(error: unknown): RunnerEnd | undefined {
  if (!(error instanceof RemoteError) || error.code !== 'RUNNER_LOST') return undefined;
  const parsed = parseValue(run.runnerLostData, error.data);
  return parsed.success ? parsed.output.end : { kind: 'fault', message: error.message };
}

/** The error of who waited for something of a runner that has ended for a reason of its own. */
export function lossError(
  end: RunnerEnd,
  { reachedLimits, lastWords }: { readonly reachedLimits: readonly Limit[]; readonly lastWords: LastWords },
): RunnerLostError {
  const isAborted = end.kind === 'signal' && end.signal === 'SIGABRT';
  return new RunnerLostError(end, {
    limits: reachedLimits,
    uncaught: isAborted ? lastWords.uncaught : undefined,
  });
}
