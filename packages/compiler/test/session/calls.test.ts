import { NULL_ADDR, RequestError, toExecutorAddr } from '@farjit/protocol';
import test from 'ava';
import { RunnerLostError, SessionClosedError } from '../../src/session/errors.js';
import { ExecutionSession } from '../../src/session/execution-session.js';
import { FakeHost, runnerOf, silence } from '../executor-client/fake-host.js';
import { addressesFor, openScripted } from './session-fixture.js';
import { functionUnit, gate } from './units.js';

const EXIT = { kind: 'exit', status: 1 } as const;

test('a call brings along what was linked for it', async (t) => {
  const { session, host, call } = await openScripted(t);
  const unit = functionUnit('f');
  await call(unit, 'f');
  const [commit] = host.commits;
  t.deepEqual(commit?.segments.map(({ prot }) => prot).sort(), ['code', 'constant']);
  t.is(commit?.registerEHFrames.length, 1);
  t.is(host.askedFor('commitMemory'), 0);
  t.is(session.statistics.snapshot().calls, 1);
});

test('a call that is cancelled before it is sent loses nothing that was queued', async (t) => {
  const { host, session, call } = await openScripted(t);
  const unit = functionUnit('f');
  const controller = new AbortController();
  const cancelled = session.call(
    'f',
    async (runner) => {
      const entry = await session.link(unit, 'f', runner);
      controller.abort(new Error('changed my mind'));
      return { entry, block: new Uint8Array(8) };
    },
    { signal: controller.signal },
  );
  const error = await t.throwsAsync(cancelled, { code: 'CANCELLED' });
  t.regex(String(error?.cause), /changed my mind/);
  t.is(host.askedFor('call'), 0);
  await call(unit, 'f');
  t.is(host.runner.generation, 1);
  t.is(host.commits.flatMap(({ segments }) => segments).length, 2);
  t.is(host.commits.flatMap(({ registerEHFrames }) => registerEHFrames).length, 1);
});

test('a call that is cancelled from the start compiles nothing', async (t) => {
  const { session } = await openScripted(t);
  const prepare = () => t.fail() as never;
  await t.throwsAsync(session.call('f', prepare, { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
});

test('what a call is prepared with is not given to others before the call has ended', async (t) => {
  const { session } = await openScripted(t);
  const f = functionUnit('f');
  session.define(f);
  const { wait, reached, open } = gate();
  const running = session.call('f', async () => {
    const symbol = await session.findSymbol('f');
    await wait();
    return { entry: symbol?.address ?? NULL_ADDR, block: new Uint8Array(8) };
  });
  await reached;
  const before = session.stubs.findStub('f')?.index;
  session.remove(f);
  session.define(functionUnit('g'));
  t.not(session.stubs.createStub('g').index, before);
  open();
  await running;
  t.is(session.stubs.findStub('f'), undefined);
});

test('a function removed while it runs keeps its memory until the call has ended', async (t) => {
  const { wait, reached, open } = gate();
  const { session, call, codeBytes } = await openScripted(t, {
    call: async ({ block }) => {
      await wait();
      return { block, foreignThreads: 0 };
    },
  });
  const f = functionUnit('f');
  const running = call(f, 'f');
  await reached;
  session.discard(f);
  t.is(await codeBytes(), 64);
  open();
  await running;
  await session.flush();
  t.is(await codeBytes(), 0);
});

for (const isAnswered of [true, false])
  test(`threads that outlive a call which failed keep memory from being used again; status ${isAnswered ? 'known' : 'refused'}`, async (t) => {
    let threads = 0;
    const { session, call, host, codeBytes } = await openScripted(t, {
      call: ({ block }) => ({ block, foreignThreads: threads }),
    });
    const { call: honest, sessionStatus } = host.answers;
    host.answers.sessionStatus = async (...args) => {
      if (!isAnswered) throw new RequestError('INTERNAL', 'cannot read the maps');
      return { ...(await sessionStatus(...args)), foreignThreads: threads };
    };
    const f = functionUnit('f');
    await call(f, 'f');
    // Its thread made another one, then was unwound: the error does not say how many are left.
    host.answers.call = () => {
      threads = 1;
      throw new RequestError('CALLBACK_FAILED', 'unwound', { token: 1 });
    };
    await t.throwsAsync(call(f, 'f'), { code: 'MATERIALIZATION_FAILED' });
    session.discard(f);
    await session.flush();
    t.is(await codeBytes(), 64);
    host.answers.call = honest;
    const g = functionUnit('g');
    await call(g, 'g');
    t.is(await codeBytes(), 128);
    threads = 0;
    await call(g, 'g');
    await session.flush();
    t.is(await codeBytes(), 64);
  });

test('after a failed call without threads, memory is used again', async (t) => {
  const { session, call, host, codeBytes } = await openScripted(t);
  const f = functionUnit('f');
  await call(f, 'f');
  host.answers.call = () => {
    throw new RequestError('CALLBACK_FAILED', 'unwound', { token: 1 });
  };
  await t.throwsAsync(call(f, 'f'), { code: 'MATERIALIZATION_FAILED' });
  session.discard(f);
  await session.flush();
  t.is(await codeBytes(), 0);
});

test('calls beyond what the executor takes wait for their turn, and can be cancelled there', async (t) => {
  const endings: (() => void)[] = [];
  const { session, call, host } = await openScripted(t, {
    call: async ({ block }) => {
      await new Promise<void>((resolve) => endings.push(resolve));
      return { block, foreignThreads: 0 };
    },
  });
  const f = functionUnit('f');
  const running = Array.from({ length: 514 }, () => call(f, 'f'));
  const controller = new AbortController();
  const waiting = session.call('g', silence, { signal: controller.signal });
  while (endings.length < 512) await new Promise(setImmediate);
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  t.is(host.askedFor('call'), 512);
  controller.abort();
  await t.throwsAsync(waiting, { code: 'CANCELLED', message: 'g was cancelled before it was called' });
  while (endings.length < 514) {
    for (const end of endings) end();
    await new Promise(setImmediate);
  }
  for (const end of endings) end();
  await Promise.all(running);
  t.is(host.askedFor('call'), 514);
});

test('a runner that is lost while the session opens is no accident', async (t) => {
  const host = new FakeHost();
  const reserve = host.answers.reserveMemory;
  host.answers.reserveMemory = (params, context) => {
    if (context.generation === 1) host.loseRunner(EXIT, 1);
    return reserve(params, context);
  };
  const session = await ExecutionSession.open(host.transport);
  t.teardown(() => session.close());
  const runner = await session.runner();
  t.is(runner.generation, 2);
  t.false(runner.lost);
});

test('a runner that is lost while it is set up is replaced', async (t) => {
  const { session, host } = await openScripted(t);
  const reserve = host.answers.reserveMemory;
  host.answers.reserveMemory = (params, context) => {
    if (context.generation === 2)
      throw new RequestError('STALE_GENERATION', 'the runner of generation 2 is gone');
    return reserve(params, context);
  };
  host.loseRunner(EXIT);
  await new Promise(setImmediate);
  t.is((await session.runner()).generation, 3);
});

test('runners that are all lost at once are not started for ever', async (t) => {
  const { session, host } = await openScripted(t);
  host.answers.reserveMemory = () => {
    throw new RequestError('STALE_GENERATION', 'gone');
  };
  host.loseRunner(EXIT);
  await new Promise(setImmediate);
  await t.throwsAsync(session.runner(), { code: 'STALE_GENERATION' });
  t.is(host.askedFor('startRunner'), 4);
  // And the session lives, should the host get well.
  host.answers.reserveMemory = new FakeHost().answers.reserveMemory;
});

for (const code of ['STALE_GENERATION', 'RUNNER_LOST'] as const) {
  test(`a lookup refused with ${code} while a call is prepared is made again in a new runner`, async (t) => {
    const { host, call, session } = await openScripted(t);
    host.answers.lookupSymbols = ({ names }, { generation }) => {
      if (generation === 1) throw new RequestError(code, 'gone', { end: EXIT, own: false });
      return addressesFor({ sin: 0x5000n })({ names });
    };
    await call(functionUnit('f', { calls: ['sin'] }), 'f');
    t.is(host.runner.generation, 2);
    t.is(session.statistics.snapshot().runnersLost, 1);
    t.is(session.statistics.snapshot().functionsCompiled, 1);
  });
}

test('a symbol is looked up again in a new runner', async (t) => {
  const { host, session } = await openScripted(t);
  host.answers.lookupSymbols = ({ names }, { generation }) => {
    if (generation === 1) throw new RequestError('STALE_GENERATION', 'gone');
    return addressesFor({ sin: 0x5000n })({ names });
  };
  t.deepEqual(await session.findSymbol('sin'), { address: toExecutorAddr(0x5000), kind: 'process' });
});

test('a call refused because its runner is gone is made again; one that was started is not', async (t) => {
  const { host, call } = await openScripted(t);
  const honest = host.answers.call;
  host.answers.call = (params, context) => {
    if (context.generation === 1) throw new RequestError('STALE_GENERATION', 'gone');
    return honest(params, context);
  };
  const f = functionUnit('f');
  await call(f, 'f');
  t.is(host.askedFor('call'), 2);
  host.answers.call = () => {
    throw new RequestError('RUNNER_LOST', 'gone', { end: EXIT, own: false });
  };
  await t.throwsAsync(call(f, 'f'), { instanceOf: RunnerLostError });
  t.is(host.askedFor('call'), 3);
});

test('a call whose answer never comes rejects when its runner is said to be gone', async (t) => {
  const { host, call } = await openScripted(t, { call: silence });
  const running = call(functionUnit('f'), 'f');
  while (host.askedFor('call') === 0) await new Promise(setImmediate);
  host.loseRunner(EXIT);
  const error = await t.throwsAsync(running, { instanceOf: RunnerLostError });
  t.deepEqual(error?.end, EXIT);
});

test('a refused commit costs the runner, not the session', async (t) => {
  const { host, session, call } = await openScripted(t);
  const honest = host.answers.call;
  host.answers.call = () => {
    throw new RequestError('INVALID_ADDRESS', 'not yours');
  };
  const f = functionUnit('f');
  await t.throwsAsync(call(f, 'f'), { code: 'INVALID_ADDRESS' });
  host.answers.call = honest;
  await call(f, 'f');
  t.is(host.runner.generation, 2);
  t.is(session.statistics.snapshot().functionsCompiled, 1);
});

test('a callback is answered after the commits that went ahead of it', async (t) => {
  const { wait, reached, open } = gate();
  const { host, session, enter } = await openScripted(t, {
    commitMemory: async () => {
      await wait();
      return {};
    },
  });
  session.define(functionUnit('f'));
  session.define(functionUnit('g'));
  await enter('f');
  // Queues a pointer, which the flush takes along with whatever `g` has queued by then.
  session.define(functionUnit('f'));
  void session.flush();
  await reached;
  let answered = false;
  const entered = enter('g').then((answer) => {
    answered = true;
    return answer;
  });
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  t.false(answered);
  open();
  t.is((await entered).outcome, 'landed');
  t.is(host.runner.generation, 1);
});

test('a session that cannot be set up closes its connection', async (t) => {
  const host = new FakeHost({
    createIndirectStubsOwner: () => {
      throw new RequestError('LIMIT_EXCEEDED', 'no more owners');
    },
  });
  await t.throwsAsync(ExecutionSession.open(host.transport), { code: 'LIMIT_EXCEEDED' });
  await host.connection.closed;
  t.pass();
});

test('the reentry of a runner that is not the current one fails, also before there is one', async (t) => {
  const host = new FakeHost();
  const reserve = host.answers.reserveMemory;
  const answers: string[] = [];
  host.answers.reserveMemory = async (params, context) => {
    const answer = await host.reenter(runnerOf(1).memory.code.address);
    answers.push(answer.outcome);
    return reserve(params, context);
  };
  const session = await ExecutionSession.open(host.transport);
  t.teardown(() => session.close());
  t.deepEqual(answers, ['failed', 'failed', 'failed']);
  t.is((await host.reenter(runnerOf(1).memory.code.address, 7)).outcome, 'failed');
});

test('a listener that throws is not taken for the session', async (t) => {
  const { session, call } = await openScripted(t);
  const uncaught: string[] = [];
  const own = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => uncaught.push(error.message));
  t.teardown(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of own) process.on('uncaughtException', listener);
  });
  session.events.subscribe((event) => {
    if (event.type === 'linked') throw new Error('a bug of the listener');
  });
  await call(functionUnit('f'), 'f');
  await new Promise(setImmediate);
  t.deepEqual(uncaught, ['a bug of the listener']);
});

test('after closing, calls and lookups say so', async (t) => {
  const { session, call } = await openScripted(t);
  await session.close();
  await t.throwsAsync(call(functionUnit('f'), 'f'), { instanceOf: SessionClosedError });
  await t.throwsAsync(session.findSymbol('f'), { instanceOf: SessionClosedError });
  await session.close();
});

test('a call under way when the connection breaks rejects', async (t) => {
  const { host, session, call } = await openScripted(t, { call: silence });
  const running = call(functionUnit('f'), 'f');
  while (host.askedFor('call') === 0) await new Promise(setImmediate);
  host.connection.close(1001, 'going away');
  await t.throwsAsync(running, { code: 'CONNECTION_CLOSED' });
  await t.throwsAsync(session.runner(), { instanceOf: SessionClosedError });
});
