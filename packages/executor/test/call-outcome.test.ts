import type { RunnerEnd } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import test from 'ava';
import { outcomeOfError, outcomeOfProgram } from '../src/call-outcome.js';
import type { CallOutcome } from '../src/events.js';

test('each error of a call is one outcome', (t) => {
  for (const [code, outcome] of [
    ['CALLBACK_FAILED', 'callback_failed'],
    ['CANCELLED', 'cancelled'],
    ['DEADLINE_EXCEEDED', 'deadline'],
    ['QUOTA_EXCEEDED', 'quota'],
    ['DRAINING', 'refused'],
    ['LIMIT_EXCEEDED', 'refused'],
    ['INVALID_ADDRESS', 'refused'],
    ['RUNNER_LOST', 'runner_lost'],
  ] as const)
    t.is(outcomeOfError(new RequestError(code, 'words')), outcome);
  t.is(outcomeOfError(new Error('a bug')), 'refused');
  t.is(outcomeOfError(undefined), 'refused');
});

test('a runner that a call has lost by itself says how, one that others have lost does not', (t) => {
  const ends: readonly [RunnerEnd, CallOutcome][] = [
    [{ kind: 'deadline', deadlineMs: 1 }, 'deadline'],
    [{ kind: 'cancelled' }, 'cancelled'],
    [{ kind: 'limit', limit: { name: 'call', value: 1 } }, 'limit'],
    [{ kind: 'exit', status: 1 }, 'runner_lost'],
    [{ kind: 'signal', signal: 'SIGKILL' }, 'runner_lost'],
    [{ kind: 'fault', message: 'x' }, 'runner_lost'],
    [{ kind: 'unwind-failed' }, 'runner_lost'],
  ];
  for (const [end, outcome] of ends)
    for (const own of [true, false])
      t.is(
        outcomeOfError(new RequestError('RUNNER_LOST', 'words', { end, own })),
        own ? outcome : 'runner_lost',
      );
});

test('a program that exits has returned, whatever its code; one that a signal ends has not', (t) => {
  t.is(outcomeOfProgram({ kind: 'exit', status: 1 }), 'returned');
  t.is(outcomeOfProgram({ kind: 'signal', signal: 'SIGABRT' }), 'runner_lost');
});
