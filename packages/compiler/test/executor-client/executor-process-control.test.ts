import { FEATURE_NAMES, memory, type RunnerStarted, type StubBlock } from '@farjit/protocol';
import { ConnectionClosedError, ProtocolError, RemoteError, RequestError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { ExecutorProcessControl } from '../../src/executor-client/executor-process-control.js';
import { type Answers, DEAF_HANDLERS, FakeHost, runnerOf, silence } from './fake-host.js';

/** Short, because these tests wait for it to pass. */
const ANSWER_TIMEOUT_MS = 50;

async function openOn(
  t: ExecutionContext,
  answers: Partial<Answers> = {},
  options: { answerTimeoutMs?: number } = {},
): Promise<{ host: FakeHost; executor: ExecutorProcessControl }> {
  const host = new FakeHost(answers);
  const executor = await ExecutorProcessControl.open(host.transport, DEAF_HANDLERS, options);
  t.teardown(() => executor.disconnect());
  return { host, executor };
}

/** What opening a session fails with, and that the connection is closed then. */
async function openFails(t: ExecutionContext, change: (host: FakeHost) => void): Promise<Error> {
  const host = new FakeHost();
  change(host);
  const error = await t.throwsAsync(
    ExecutorProcessControl.open(host.transport, DEAF_HANDLERS, { answerTimeoutMs: ANSWER_TIMEOUT_MS }),
  );
  await host.connection.closed;
  return error ?? new Error();
}

function openedWith(host: FakeHost, change: object): Answers['openSession'] {
  const honest = host.answers.openSession;
  return async (params, context) => ({ ...(await honest(params, context)), ...change });
}

function ofOneStub(runner: RunnerStarted): RunnerStarted {
  return { ...runner, stubs: { ...runner.stubs, count: 1 } };
}

function memoryOf(change: Partial<RunnerStarted['memory']>): RunnerStarted {
  const runner = runnerOf(1);
  return { ...runner, memory: { ...runner.memory, ...change } };
}

test('an executor that confines less than required is refused, with what is missing', async (t) => {
  const weak = runnerOf(1);
  const confinement = { ...weak.confinement, landlockAbi: 0, missing: 'landlock (\u001b[31mno)' };
  const host = new FakeHost();
  host.runner = { ...weak, confinement };
  const error = await t.throwsAsync(
    ExecutorProcessControl.open(host.transport, DEAF_HANDLERS, { requireSandbox: 'strict' }),
    { code: 'SANDBOX_TOO_WEAK' },
  );
  t.is(
    error?.message,
    'the sandbox is required to be strict, and the runner lacks landlock; the executor says: landlock (\\u{1b}[31mno)',
  );
  await host.connection.closed;
  // Less is required: the same runner will do.
  const again = new FakeHost();
  again.runner = { ...weak, confinement };
  const executor = await ExecutorProcessControl.open(again.transport, DEAF_HANDLERS, {
    requireSandbox: 'default',
  });
  t.is(executor.runner.confinement.landlockAbi, 0);
  executor.disconnect();
});

test('a later runner is held to what was required too', async (t) => {
  const host = new FakeHost();
  const executor = await ExecutorProcessControl.open(host.transport, DEAF_HANDLERS, {
    requireSandbox: 'default',
  });
  t.teardown(() => executor.disconnect());
  const next = runnerOf(2);
  const weak = { ...next, confinement: { ...next.confinement, seccomp: false } };
  host.answers.startRunner = async () => ofOneStub(weak);
  await t.throwsAsync(executor.startRunner(1), { code: 'SANDBOX_TOO_WEAK', message: /lacks seccomp$/ });
  t.is(executor.generation, 1);
});

test('a session opens with what the host says of itself', async (t) => {
  const { executor } = await openOn(t);
  t.is(executor.server, 'fake');
  t.is(executor.info.triple, 'x86_64-pc-linux-gnu');
  t.is(executor.generation, 1);
});

test('a host that refuses the session', async (t) => {
  const error = await openFails(t, (host) => {
    host.answers.openSession = () => {
      throw new RequestError('VERSION_MISMATCH', 'use releases that go together');
    };
  });
  t.true(error instanceof RemoteError && error.code === 'VERSION_MISMATCH');
});

test('a host that has not what the session wants says so, and is not taken for an old one', async (t) => {
  const refuseWith = (message: string) => (host: FakeHost) => {
    host.answers.openSession = () => {
      throw new RequestError('INVALID_PARAMS', message);
    };
  };
  const words = 'the runner has no library "fortran": it has kaleidoscope';
  t.like(await openFails(t, refuseWith(words)), { code: 'INVALID_PARAMS', message: words });
  const old = await openFails(t, refuseWith('openSession: features: Invalid key: Expected never'));
  t.like(old, { code: 'VERSION_MISMATCH' });
});

test('a protocol version that was not offered', async (t) => {
  const error = await openFails(t, (host) => {
    host.answers.openSession = openedWith(host, { version: 3 });
  });
  t.true(error instanceof ProtocolError);
  t.is(error.message, 'the executor chose protocol 3, which was not offered');
});

for (const [what, change] of [
  ['pointers of four bytes', { pointerBytes: 4 }],
  ['no page size', { pageBytes: 0 }],
  ['a page size that is no power of two', { pageBytes: 5000 }],
  ['trampolines without a size', { trampolineBytes: 0 }],
  ['enormous stubs', { stubBytes: 1 << 20 }],
] as const)
  test(`a host that reports ${what}`, async (t) => {
    const error = await openFails(t, (host) => {
      const honest = host.answers.openSession;
      host.answers.openSession = async (params, context) => {
        const opened = await honest(params, context);
        return { ...opened, info: { ...opened.info, ...change } };
      };
    });
    t.true(error instanceof ProtocolError);
    t.regex(
      error.message,
      /^the executor reports pointers of \d+, pages of \d+, trampolines of \d+ and stubs of \d+ bytes$/,
    );
  });

for (const [what, change, message] of [
  [
    'that spans more than 2 GiB',
    { data: { address: toExecutorAddr(0x7f00_8000_0000n), sizeBytes: 4096 } },
    /spans more than 2 GiB/,
  ],
  [
    'that is itself larger than 2 GiB',
    { code: { address: toExecutorAddr(0x7f00_0000_0000n), sizeBytes: 2 ** 31 } },
    /spans more than 2 GiB/,
  ],
  [
    'that does not begin at a page',
    { constant: { address: toExecutorAddr(0x7f00_0000_0008n), sizeBytes: 4096 } },
    /reports memory at 0x7f0000000008/,
  ],
  [
    'that is code and data at once',
    { data: { address: toExecutorAddr(0x7f00_007f_f000n), sizeBytes: 8192 } },
    /reports memory at 0x7f00007ff000 for two uses|reports memory at 0x7f0000800000 for two uses/,
  ],
  [
    'beyond what user space has',
    { code: { address: toExecutorAddr(0xffff_ffff_ffff_f000n), sizeBytes: 4096 } },
    /reports memory at 0xfffffffffffff000/,
  ],
] as const)
  test(`a host that reports memory ${what}`, async (t) => {
    const error = await openFails(t, (host) => {
      host.answers.openSession = openedWith(host, { runner: memoryOf(change) });
    });
    t.true(error instanceof ProtocolError);
    t.regex(error.message, message);
  });

test('an answer to openSession that does not fit its declaration', async (t) => {
  const error = await openFails(t, (host) => {
    host.answers.openSession = openedWith(host, { runner: 7 });
  });
  t.true(error instanceof ProtocolError);
  t.regex(error.message, /^answer to openSession: /);
});

test('a host that never answers openSession', async (t) => {
  const error = await openFails(t, (host) => {
    host.answers.openSession = silence;
  });
  t.true(error instanceof ConnectionClosedError);
  t.is(error.message, 'openSession: connection closed (1008: no answer to openSession within 0.05 s)');
});

test('a host that closes instead of answering', async (t) => {
  const error = await openFails(t, (host) => {
    host.answers.openSession = () => {
      host.connection.close(1011, 'fell over');
      return silence();
    };
  });
  t.true(error instanceof ConnectionClosedError);
  t.is(error.message, 'openSession: connection closed (1011: fell over)');
});

for (const generation of [1, 2, 3, 0xffff_ffff])
  test(`a new runner of generation ${generation} where 2 is the newest`, async (t) => {
    const { host, executor } = await openOn(t);
    await executor.startRunner(1);
    t.is(executor.generation, 2);
    host.answers.startRunner = () => ofOneStub(runnerOf(generation));
    if (generation > 2) {
      await executor.startRunner(1);
      t.is(executor.generation, generation);
    } else
      await t.throwsAsync(executor.startRunner(1), {
        instanceOf: ProtocolError,
        message: `generation ${generation} follows 2`,
      });
  });

for (const [what, change, message] of [
  ['stubs in the memory that the compiler allots', { stubs: 0x7f00_0000_0000n }, /stubs .*in the memory of/],
  ['trampolines that reach into it', { trampolines: 0x7eff_ffff_fff8n }, /trampolines .*in the memory of/],
  ['pointers in it', { pointers: 0x7f00_0100_0000n }, /pointers .*in the memory of/],
  ['stubs at null', { stubs: 0n }, /stubs at 0x0, out of its reach/],
  ['trampolines beyond 2 GiB', { trampolines: 0x7f00_8000_0000n }, /trampolines .*out of its reach/],
  ['pointers at the end', { pointers: 0xffff_ffff_ffff_fff8n }, /pointers .*out of its reach/],
  ['fewer stubs than asked for', { count: 511 }, /^the executor emitted 511 stubs where 512/],
] as const)
  test(`a host that emits ${what}`, async (t) => {
    const stubs = { ...runnerOf(1).stubs, ...change } as StubBlock;
    const error = await openFails(t, (host) => {
      host.answers.openSession = openedWith(host, { runner: { ...runnerOf(1), stubs } });
    });
    t.true(error instanceof ProtocolError);
    t.regex(error.message, message);
    // And later.
    const { executor, host } = await openOn(t);
    host.answers.emitStubs = () => stubs;
    await t.throwsAsync(executor.emitStubs(512, 1), { instanceOf: ProtocolError, message });
  });

test('an executor that lacks a feature is asked for what it has, and says in words what it has not', async (t) => {
  const host = new FakeHost();
  host.answers.openSession = openedWith(host, { features: ['hot-counters', 'of-the-future'] });
  const executor = await ExecutorProcessControl.open(host.transport, DEAF_HANDLERS);
  t.teardown(() => executor.disconnect());
  t.deepEqual(
    FEATURE_NAMES.filter((name) => executor.has(name)),
    ['hot-counters'],
  );
  await t.throwsAsync(executor.status(), {
    code: 'FEATURE_MISSING',
    message:
      'sessionStatus: this session has no feature "inspection": the executor (fake) is of another release',
  });
  // A call that reads is a call, and a read.
  const { code, data } = host.runner.memory;
  const read = { address: data.address, sizeBytes: 2 * memory.MAX_READ_MEMORY_BYTES + 1 };
  const answer = await executor.callAndRead(code.address, new Uint8Array(8), memory.emptyCommit(), read, {
    generation: 1,
  });
  t.is(answer.content.byteLength, read.sizeBytes);
  t.deepEqual(host.asked.slice(1), ['call', 'readMemory', 'readMemory', 'readMemory']);
});

test('a lookup that is answered with too few or too many addresses', async (t) => {
  const { host, executor } = await openOn(t);
  for (const count of [0, 1, 3]) {
    host.answers.lookupSymbols = () => ({ addresses: new Array(count).fill(toExecutorAddr(1)) });
    await t.throwsAsync(executor.lookupSymbols(['a', 'b'], 1), {
      instanceOf: ProtocolError,
      message: `${count} addresses for 2 names`,
    });
  }
});

test('more names than a lookup takes go in several', async (t) => {
  const { host, executor } = await openOn(t);
  host.answers.lookupSymbols = ({ names }) => ({
    addresses: names.map((name) => toExecutorAddr(Number(name.slice(1)))),
  });
  const names = Array.from({ length: 5000 }, (_, i) => `n${i}`);
  const addresses = await executor.lookupSymbols(names, 1);
  t.deepEqual(addresses.map(Number), [...names.keys()]);
  t.is(host.askedFor('lookupSymbols'), 2);
});

test('memory that is not as long as was asked for', async (t) => {
  const { executor } = await openOn(t, { readMemory: () => ({ content: new Uint8Array(9) }) });
  await t.throwsAsync(executor.readMemory(runnerOf(1).memory.data.address, 8), {
    instanceOf: ProtocolError,
    message: '9 bytes of memory where 8 were asked for',
  });
});

test('a block that comes back from a call in another length', async (t) => {
  const { executor } = await openOn(t, { call: () => ({ block: new Uint8Array(7), programThreads: 0 }) });
  const { address } = runnerOf(1).memory.code;
  await t.throwsAsync(executor.call(address, new Uint8Array(8), memory.emptyCommit(), { generation: 1 }), {
    instanceOf: ProtocolError,
    message: "the call's block came back with 7 bytes",
  });
});

for (const method of ['startRunner', 'lookupSymbols', 'commitMemory', 'sessionStatus', 'emitStubs'] as const)
  test(`a host that never answers ${method} loses the connection`, async (t) => {
    const { executor } = await openOn(t, { [method]: silence }, { answerTimeoutMs: ANSWER_TIMEOUT_MS });
    const requests = {
      startRunner: () => executor.startRunner(1),
      lookupSymbols: () => executor.lookupSymbols(['f'], 1),
      commitMemory: () => executor.commit(memory.emptyCommit(), 1),
      sessionStatus: () => executor.status(),
      emitStubs: () => executor.emitStubs(1, 1),
    };
    const other = executor.call(runnerOf(1).memory.code.address, new Uint8Array(8), memory.emptyCommit(), {
      generation: 1,
    });
    await t.notThrowsAsync(other);
    const error = await t.throwsAsync(requests[method](), { instanceOf: ConnectionClosedError });
    t.is(error?.message, `${method}: connection closed (1008: no answer to ${method} within 0.05 s)`);
    t.regex((await executor.closed).message, /no answer/);
  });

test('a call may take as long as it likes', async (t) => {
  const { host, executor } = await openOn(t, {}, { answerTimeoutMs: ANSWER_TIMEOUT_MS });
  host.answers.call = async ({ block }) => {
    await new Promise((resolve) => setTimeout(resolve, 4 * ANSWER_TIMEOUT_MS));
    return { block, programThreads: 0 };
  };
  const { address } = runnerOf(1).memory.code;
  await t.notThrowsAsync(executor.call(address, new Uint8Array(8), memory.emptyCommit(), { generation: 1 }));
});

for (const what of ['deadline', 'abort'] as const)
  test(`a host that does not act on a call's ${what} loses the connection`, async (t) => {
    const { host, executor } = await openOn(t, { call: silence }, { answerTimeoutMs: ANSWER_TIMEOUT_MS });
    const { address } = runnerOf(1).memory.code;
    const controller = new AbortController();
    const call = executor.call(address, new Uint8Array(8), memory.emptyCommit(), {
      generation: 1,
      ...(what === 'deadline' ? { deadlineMs: 10 } : { signal: controller.signal }),
    });
    const rejected = t.throwsAsync(call, { instanceOf: ConnectionClosedError, message: /no answer to call/ });
    while (host.askedFor('call') === 0) await new Promise(setImmediate);
    controller.abort();
    await rejected;
  });

test('time in which nothing is received does not count', async (t) => {
  const { host, executor } = await openOn(t, {}, { answerTimeoutMs: ANSWER_TIMEOUT_MS });
  let answer!: () => void;
  host.answers.sessionStatus = async (...args) => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return new FakeHost().answers.sessionStatus(...args);
  };
  const status = executor.status();
  const held = new Promise<void>((resolve) => setTimeout(resolve, 4 * ANSWER_TIMEOUT_MS));
  await executor.holdBack(held);
  answer();
  t.is((await status).generation, 1);
});

test('everything that waits rejects when the host closes', async (t) => {
  const { host, executor } = await openOn(t, {
    lookupSymbols: silence,
    call: silence,
    commitMemory: silence,
  });
  const { address } = runnerOf(1).memory.code;
  const waiting = [
    executor.lookupSymbols(['f'], 1),
    executor.commit(memory.emptyCommit(), 1),
    executor.call(address, new Uint8Array(8), memory.emptyCommit(), { generation: 1 }),
  ];
  while (host.askedFor('call') === 0) await new Promise(setImmediate);
  host.connection.close(1012, 'restarting');
  for (const result of await Promise.allSettled(waiting))
    t.true(result.status === 'rejected' && result.reason instanceof ConnectionClosedError);
  await t.throwsAsync(executor.status(), { instanceOf: ConnectionClosedError });
  await executor.terminate();
});

test('terminate ends the session at the host, then the connection', async (t) => {
  const { host, executor } = await openOn(t);
  await executor.terminate();
  t.is(host.askedFor('terminateSession'), 1);
  await host.connection.closed;
  await executor.terminate();
  t.is(host.askedFor('terminateSession'), 1);
});
