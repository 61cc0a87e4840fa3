import type { RunnerEnd, TrapReport } from '@farjit/protocol';
import { AbortError, RemoteError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import test from 'ava';
import { translateCallError } from '../../src/calls/call-errors.js';
import type { CallOptions } from '../../src/calls/session-calls.js';
import {
  DeadlineExceededError,
  ExecutionTrapError,
  MaterializationError,
  RunnerLostError,
} from '../../src/core/errors.js';
import { CallbackFailures } from '../../src/runner/callback-failures.js';
import { hasAppliedCommit, isRunnerGone, runnerEndOf } from '../../src/runner/runner-errors.js';
import { Symbolizer } from '../../src/runner/symbolizer.js';
import { LastWords } from '../../src/runner/uncaught-exception.js';

const CODE = 0x7000n;
const TRAP: TrapReport = {
  signal: 'SIGSEGV',
  signalCode: 1,
  faultAddress: toExecutorAddr(8),
  programCounter: toExecutorAddr(CODE + 4n),
  threadId: 12,
  stackOverflow: false,
  registers: {},
  frames: [toExecutorAddr(CODE + 0x20n), toExecutorAddr(0x1)],
};

/** Of which the third is of `g`. */
function toldFailures(): CallbackFailures {
  const failures = new CallbackFailures();
  for (const name of ['e', 'f', 'g'])
    failures.tell(failures.keep(new MaterializationError(name, new Error('bad'))));
  return failures;
}

function translate(error: unknown, options: CallOptions = {}, failures = toldFailures()): unknown {
  const symbolizer = new Symbolizer();
  symbolizer.add('store$impl', toExecutorAddr(CODE), 0x10);
  symbolizer.add('main$impl', toExecutorAddr(CODE + 0x10n), 0x10);
  return translateCallError(error, {
    name: 'main',
    runner: { symbolizer, limitsInForce: [], reachedLimits: [], lastWords: new LastWords(), failures },
    options,
  });
}

const lost = (end: unknown, own: boolean) =>
  new RemoteError('RUNNER_LOST', 'the runner is gone', { end, own });

test("a call's own trap names where it happened, and who called", (t) => {
  const error = translate(lost({ kind: 'trap', trap: TRAP }, true));
  if (!(error instanceof ExecutionTrapError)) return t.fail();
  t.is(error.signal, 'SIGSEGV');
  t.is(error.symbol, 'store$impl');
  t.is<bigint, bigint>(error.faultAddress, 8n);
  t.deepEqual(
    error.frames.map(({ symbol, offsetBytes }) => [symbol, offsetBytes]),
    [
      ['store$impl', 4],
      ['main$impl', 16],
      [undefined, 0],
    ],
  );
  t.is(error.message, 'SIGSEGV in store$impl+0x4 (pc 0x7004, fault address 0x8)');
});

test('a jump to the stack is called so, and no other', (t) => {
  const messageOf = (at: bigint, registers: TrapReport['registers']) => {
    const address = toExecutorAddr(at);
    const trap = { ...TRAP, programCounter: address, faultAddress: address, registers };
    return (translate(lost({ kind: 'trap', trap }, true)) as Error).message;
  };
  const stack = toExecutorAddr(0x7f00_0000n);
  t.regex(messageOf(stack + 0x40n, { rsp: stack }), /; it jumped to its stack, and no code is run there/);
  t.notRegex(messageOf(8n, { rsp: stack }), /stack/);
  t.notRegex(messageOf(stack + 0x40n, {}), /stack/);
});

test("another call's trap is the cause of a lost runner", (t) => {
  const error = translate(lost({ kind: 'trap', trap: TRAP }, false));
  t.true(error instanceof RunnerLostError && error.cause instanceof ExecutionTrapError);
});

test('a deadline, an interruption: of this call, or of another', (t) => {
  const deadline: RunnerEnd = { kind: 'deadline', deadlineMs: 100 };
  const own = translate(lost(deadline, true));
  t.true(own instanceof DeadlineExceededError);
  t.is((own as Error).message, 'main did not return within 100 ms; its runner was ended');
  t.true(translate(lost(deadline, false)) instanceof RunnerLostError);
  t.true(translate(lost({ kind: 'cancelled' }, true)) instanceof AbortError);
  t.true(translate(lost({ kind: 'cancelled' }, false)) instanceof RunnerLostError);
});

test('one signal of several calls in a runner interrupts each of them', (t) => {
  const options = { signal: AbortSignal.abort('enough') };
  for (const error of [
    lost({ kind: 'cancelled' }, true),
    lost({ kind: 'cancelled' }, false),
    new RemoteError('CANCELLED', 'the call was cancelled before it started'),
  ]) {
    const translated = translate(error, options);
    if (!(translated instanceof AbortError)) return t.fail();
    t.is(translated.name, 'AbortError');
    t.is(translated.cause, 'enough');
  }
  t.true(translate(lost({ kind: 'exit', status: 1 }, false), options) instanceof RunnerLostError);
});

test('a call that has waited in vain for its turn there is late', (t) => {
  const late = new RemoteError('DEADLINE_EXCEEDED', 'the deadline passed before the call could start');
  const error = translate(late, { deadlineMs: 7 });
  if (!(error instanceof DeadlineExceededError)) return t.fail();
  t.is(error.message, 'main was not called within 7 ms: the executor was busy with other calls');
  t.is(translate(late), late);
});

for (const end of [
  { kind: 'exit', status: 7 },
  { kind: 'signal', signal: 'SIGKILL' },
  { kind: 'unwind-failed' },
  { kind: 'fault', message: 'broke the contract' },
] as const)
  test(`a runner that ended by ${end.kind}`, (t) => {
    const error = translate(lost(end, false));
    if (!(error instanceof RunnerLostError)) return t.fail();
    t.deepEqual(error.end, end);
    t.is(error.message, `the runner ended: ${describeRunnerEnd(end)}`);
  });

test('a runner whose end cannot be read is a fault in the words of the error', (t) => {
  for (const data of [undefined, null, { end: { kind: 'exploded' }, own: true }, { end: 1 }]) {
    const error = translate(new RemoteError('RUNNER_LOST', 'the runner is gone', data));
    if (!(error instanceof RunnerLostError)) return t.fail();
    t.deepEqual(error.end, { kind: 'fault', message: 'the runner is gone' });
  }
});

test('a call that came when a thread had ended the runner is told why, once', (t) => {
  const failures = new CallbackFailures();
  const failure = new MaterializationError('g', new Error('bad'));
  failures.keep(failure);
  const error = translate(lost({ kind: 'unwind-failed' }, false), {}, failures) as Error;
  t.true(error instanceof RunnerLostError);
  t.is(error.cause, failure);
  t.regex(error.message, /had called: cannot compile g: bad$/);
  t.is(failures.takeUntold(), undefined);
});

test('a failed callback is the error it failed with, if that is known', (t) => {
  const known = translate(
    new RemoteError('CALLBACK_FAILED', 'callback 3 failed', { token: 3, programThreads: 0 }),
  );
  t.true(known instanceof MaterializationError && known.symbol === 'g');
  for (const data of [{ token: 4, programThreads: 0 }, { token: -1, programThreads: 0 }, undefined]) {
    const unknown = translate(new RemoteError('CALLBACK_FAILED', 'callback failed', data));
    t.true(unknown instanceof MaterializationError && unknown.symbol === 'main');
  }
});

test('what is not about the runner comes through', (t) => {
  for (const error of [new RemoteError('LIMIT_EXCEEDED', 'no'), new Error('mine'), 'text'])
    t.is(translate(error), error);
});

test('only errors about the runner say how it ended', (t) => {
  t.deepEqual(runnerEndOf(lost({ kind: 'exit', status: 1 }, true)), { kind: 'exit', status: 1 });
  t.is(runnerEndOf(new RemoteError('STALE_GENERATION', 'gone')), undefined);
  t.is(runnerEndOf(new Error('no')), undefined);
});

test('errors that mean that the runner is gone, and those that come after a commit was applied', (t) => {
  const codes = ['STALE_GENERATION', 'RUNNER_LOST', 'CALLBACK_FAILED', 'CANCELLED', 'DEADLINE_EXCEEDED'];
  codes.push('DRAINING', 'QUOTA_EXCEEDED', 'LIMIT_EXCEEDED', 'INVALID_ADDRESS', 'INTERNAL');
  const errors = codes.map((code) => new RemoteError(code, ''));
  t.deepEqual(
    errors.filter(isRunnerGone).map(({ code }) => code),
    ['STALE_GENERATION', 'RUNNER_LOST'],
  );
  t.deepEqual(
    errors.filter(hasAppliedCommit).map(({ code }) => code),
    ['CALLBACK_FAILED', 'CANCELLED', 'DEADLINE_EXCEEDED', 'DRAINING', 'QUOTA_EXCEEDED'],
  );
  t.false(hasAppliedCommit(new AbortError('before it was sent', 'a reason')));
});

test('megabytes where the data of an error belong are looked at in no time', (t) => {
  const data = new Uint8Array(64 * 1024 * 1024);
  t.deepEqual(runnerEndOf(new RemoteError('RUNNER_LOST', 'gone', data)), { kind: 'fault', message: 'gone' });
  t.true(translate(new RemoteError('CALLBACK_FAILED', 'failed', data)) instanceof MaterializationError);
  t.true(
    translate(new RemoteError('RUNNER_LOST', 'gone', { end: data, own: true })) instanceof RunnerLostError,
  );
});
