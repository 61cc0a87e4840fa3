import { type ProgramEnd, parseValue, run } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { CallOutcome } from './events.js';

/** What the error says that a call is answered with. */
export function outcomeOfError(error: unknown): CallOutcome {
  if (!(error instanceof RequestError)) return 'refused';
  switch (error.code) {
    case 'CALLBACK_FAILED':
      return 'callback_failed';
    case 'CANCELLED':
      return 'cancelled';
    case 'DEADLINE_EXCEEDED':
      return 'deadline';
    case 'QUOTA_EXCEEDED':
      return 'quota';
    case 'RUNNER_LOST':
      return outcomeOfLoss(error);
    default:
      return 'refused';
  }
}

/** The outcome of a call that ended its program. */
export function outcomeOfProgram({ kind }: ProgramEnd): CallOutcome {
  if (kind === 'exit') return 'returned';
  return kind === 'trap' ? kind : 'runner_lost';
}

function outcomeOfLoss(error: RequestError): CallOutcome {
  const parsed = parseValue(run.runnerLostData, error.data);
  if (!parsed.success || !parsed.output.own) return 'runner_lost';
  const { kind } = parsed.output.end;
  return kind === 'trap' || kind === 'deadline' || kind === 'cancelled' || kind === 'limit'
    ? kind
    : 'runner_lost';
}
