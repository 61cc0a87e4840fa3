import test from 'ava';
import { toExecutorAddr } from '../src/executor-addr.js';
import type { RunnerEnd } from '../src/messages/run.js';
import { describeQuota, formatQuota } from '../src/quotas.js';
import { describeRunnerEnd } from '../src/runner-end.js';

const address = toExecutorAddr(0x10n);
const ENDS: readonly [RunnerEnd, string][] = [
  [
    {
      kind: 'trap',
      trap: {
        signal: 'SIGSEGV',
        signalCode: 1,
        faultAddress: toExecutorAddr(0x20n),
        programCounter: address,
        threadId: 1,
        stackOverflow: false,
        registers: {},
        frames: [],
      },
    },
    'SIGSEGV at 0x10',
  ],
  [{ kind: 'exit', status: 3 }, 'the program called exit(3)'],
  [{ kind: 'signal', signal: 'SIGKILL' }, 'killed by SIGKILL'],
  [{ kind: 'deadline', deadlineMs: 20 }, 'a call passed its deadline of 20 ms'],
  [{ kind: 'cancelled' }, 'a call was interrupted'],
  [{ kind: 'limit', limit: { name: 'memory', value: 2048 } }, 'the program reached its limit memory=2K'],
  [
    { kind: 'quota', quota: { name: 'cpu', value: 9, identity: 'token a' } },
    'the quota cpu=9 of token a is used up',
  ],
  [{ kind: 'unwind-failed' }, 'a thread could not go on without a function that it had called'],
  [{ kind: 'fault', message: 'why' }, 'why'],
];

for (const [end, words] of ENDS)
  test(`an end in words: ${end.kind}`, (t) => {
    t.is(describeRunnerEnd(end), words);
  });

test('a quota of memory is written as a limit is, others are counts', (t) => {
  t.is(formatQuota({ name: 'memory', value: 1024 ** 3 }), 'memory=1G');
  t.is(formatQuota({ name: 'calls', value: 1024 }), 'calls=1024');
  t.is(
    describeQuota({ name: 'sessions', value: 2, identity: 'this machine' }),
    'the quota sessions=2 of this machine',
  );
});
