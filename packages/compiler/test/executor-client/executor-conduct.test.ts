import { indirection, session } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { ExecutorConduct, MAX_STRAY_NEWS } from '../../src/executor-client/executor-conduct.js';
import { ExecutorProcessControl } from '../../src/executor-client/executor-process-control.js';
import { DEAF_HANDLERS, FakeHost } from './fake-host.js';

const START = toExecutorAddr(0x1000n);
const END = { kind: 'exit', status: 1 } as const;

/** Trampolines of a block, 8 bytes apart. */
const blockAt = (trampolines: ExecutorAddr, count: number) => ({
  stubs: toExecutorAddr(0x10_0000n),
  pointers: toExecutorAddr(0x20_0000n),
  trampolines,
  count,
});

function conductOf(generation: number, nowMs = () => 0): ExecutorConduct {
  const conduct = new ExecutorConduct(nowMs);
  conduct.begin(generation, blockAt(START, 4), 8);
  return conduct;
}

test('each limit is reached once by a runner, and again by the next', (t) => {
  const conduct = conductOf(1);
  conduct.noteLimit(1, 'data');
  conduct.noteLimit(1, 'threads');
  t.throws(() => conduct.noteLimit(1, 'data'), { instanceOf: ProtocolError, message: /twice that data/ });
  conduct.begin(2, blockAt(toExecutorAddr(0x8000n), 1), 8);
  t.notThrows(() => conduct.noteLimit(2, 'data'));
});

test('what the program of a runner has used is told once, and of a runner that is there', (t) => {
  const conduct = conductOf(1);
  t.true(conduct.noteProgramUse(1));
  t.false(conduct.noteProgramUse(2));
  t.throws(() => conduct.noteProgramUse(1), { instanceOf: ProtocolError, message: /twice what the program/ });
  conduct.begin(2, blockAt(toExecutorAddr(0x8000n), 1), 8);
  t.true(conduct.noteProgramUse(2));
});

test('memory becomes short, and then is not, in turn', (t) => {
  const conduct = conductOf(1);
  t.throws(() => conduct.noteMemoryPressure(false), {
    instanceOf: ProtocolError,
    message: /twice .* not short/,
  });
  conduct.noteMemoryPressure(true);
  t.throws(() => conduct.noteMemoryPressure(true), {
    instanceOf: ProtocolError,
    message: /twice .* is short/,
  });
  conduct.noteMemoryPressure(false);
  t.throws(
    () => {
      for (let count = 0; count < 200_000; count++) conduct.noteMemoryPressure(count % 2 === 0);
    },
    { instanceOf: ProtocolError, message: /all the time/ },
  );
});

test('a runner is lost once', (t) => {
  const conduct = conductOf(1);
  conduct.noteLost(1);
  t.throws(() => conduct.noteLost(1), { instanceOf: ProtocolError, message: /twice that runner 1/ });
  conduct.begin(2, blockAt(toExecutorAddr(0x8000n), 1), 8);
  t.notThrows(() => conduct.noteLost(2));
});

test('input that a runner before has taken is nobody’s', (t) => {
  const conduct = conductOf(2);
  t.true(conduct.noteInput(2));
  t.false(conduct.noteInput(1));
});

test('a trampoline is asked for by one request at a time, and nothing else is', (t) => {
  const conduct = conductOf(1);
  conduct.addStubs(blockAt(toExecutorAddr(0x2000n), 1));
  const answered = conduct.noteReentry(1, START);
  conduct.noteReentry(1, addrAdd(START, 24));
  conduct.noteReentry(1, toExecutorAddr(0x2000n));
  t.throws(() => conduct.noteReentry(1, START), { instanceOf: ProtocolError, message: /twice at once/ });
  answered();
  t.notThrows(() => conduct.noteReentry(1, START));
  for (const address of [0xfffn, 0x1001n, 0x1020n, 0x2008n, 0n])
    t.throws(() => conduct.noteReentry(1, toExecutorAddr(address)), {
      instanceOf: ProtocolError,
      message: /which is no trampoline/,
    });
});

test('a request of a runner before says nothing about one of its successor', (t) => {
  const conduct = conductOf(1);
  conduct.addStubs(blockAt(START, 1));
  const answered = conduct.noteReentry(1, START);
  conduct.begin(2, blockAt(toExecutorAddr(0x8000n), 1), 8);
  conduct.addStubs(blockAt(START, 1));
  conduct.noteReentry(2, START);
  answered();
  t.throws(() => conduct.noteReentry(2, START), { message: /twice at once/ });
});

test('news of runners that are not there are forgiven so many times', (t) => {
  const conduct = conductOf(3);
  for (let i = 0; i < MAX_STRAY_NEWS / 4; i++) {
    conduct.noteLost(2);
    conduct.noteLimit(4, 'data');
    conduct.noteHot(1);
    conduct.noteReentry(2, START)();
  }
  for (const act of [
    () => conduct.noteLost(2),
    () => conduct.noteLimit(2, 'data'),
    () => conduct.noteHot(2),
    () => conduct.noteReentry(2, START),
  ])
    t.throws(act, { instanceOf: ProtocolError, message: /runners all the time that are not there/ });
});

test('hot functions are told of as often as a host can, and no more often', (t) => {
  let nowMs = 0;
  const conduct = conductOf(1, () => nowMs);
  for (let i = 0; i < 10 * 60_000; i++, nowMs++) conduct.noteHot(1);
  t.throws(
    () => {
      for (let i = 0; i < 1_000_000; i++) conduct.noteHot(1);
    },
    { instanceOf: ProtocolError, message: /hot functions .* all the time/ },
  );
});

test('whoever says too much loses the connection, with words', async (t) => {
  const said: readonly [RegExp, (host: FakeHost) => void][] = [
    [
      /1002: the executor says twice that data is reached/,
      ({ connection }) => {
        for (let value = 1; value < 3; value++)
          connection.notify(session.limitReached, { limit: { name: 'data', value } }, 1);
      },
    ],
    [
      /1002: the executor says twice that runner 1 is lost/,
      (host) => {
        for (let i = 0; i < 2; i++) host.loseRunner(END);
      },
    ],
    [
      /1002: the executor asks for 0x7, which is no trampoline/,
      ({ connection }) => {
        const params = { trampoline: toExecutorAddr(7n) };
        connection.request(indirection.reenter, params, { generation: 1 }).catch(() => {});
      },
    ],
  ];
  for (const [message, say] of said) {
    const host = new FakeHost();
    const executor = await ExecutorProcessControl.open(host.transport, DEAF_HANDLERS);
    say(host);
    t.regex((await executor.closed).message, message);
    t.regex((await host.connection.closed).message, message);
  }
});

for (const [what, end] of [
  ['a text of megabytes', { kind: 'fault', message: '\x1b[2J'.repeat(1_000_000) }],
  ['a signal of megabytes', { kind: 'signal', signal: 'x'.repeat(1_000_000) }],
] as const)
  test(`${what} about a runner's end is refused`, async (t) => {
    const host = new FakeHost();
    const executor = await ExecutorProcessControl.open(host.transport, DEAF_HANDLERS);
    host.loseRunner(end);
    const { message } = await executor.closed;
    t.regex(message, /1002: runnerLost: end\..*: Invalid length/);
    t.true(message.length < 500);
  });

test('news are stray so many times, and one more ends it', (t) => {
  const conduct = conductOf(1);
  for (let i = 0; i < MAX_STRAY_NEWS; i++) conduct.noteLost(2);
  t.notThrows(() => conduct.noteLost(1));
  t.throws(() => conduct.noteLost(2), { instanceOf: ProtocolError });
});

test('news of hot functions are two thousand a second, those of a minute at once', (t) => {
  let nowMs = 0;
  const conduct = conductOf(1, () => nowMs);
  const count = (most: number) => {
    for (let said = 0; said < most; said++)
      try {
        conduct.noteHot(1);
      } catch {
        return said;
      }
    return most;
  };
  t.is(count(1e6), 120_000);
  // Time that has passed gives as much as it is worth, and no more than a minute does.
  nowMs = 500;
  t.is(count(1e6), 999);
  nowMs = 1e9;
  t.is(count(1e6), 120_000);
});

test('trampolines end where their block does, whatever their stride', (t) => {
  const conduct = new ExecutorConduct(() => 0);
  conduct.begin(1, blockAt(START, 3), 16);
  for (const offset of [0, 16, 32]) t.notThrows(() => conduct.noteReentry(1, addrAdd(START, offset)));
  for (const offset of [8, 48, -16])
    t.throws(() => conduct.noteReentry(1, addrAdd(START, offset)), { message: /no trampoline/ });
});
