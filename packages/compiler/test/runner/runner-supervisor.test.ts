import { RequestError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { ExecutionSession } from '../../src/session/execution-session.js';
import { FakeHost } from '../executor-client/fake-host.js';
import { addressesFor, openScripted } from '../session/session-fixture.js';
import { functionUnit } from '../session/units.js';

const EXIT = { kind: 'exit', status: 1 } as const;

test('a runner that is lost as soon as the session is open is no accident', async (t) => {
  const host = new FakeHost();
  const { openSession } = host.answers;
  host.answers.openSession = async (params, context) => {
    setImmediate(() => host.loseRunner(EXIT, 1));
    return openSession(params, context);
  };
  const session = await ExecutionSession.open(host.transport);
  t.teardown(() => session.close());
  await new Promise((resolve) => setTimeout(resolve, 10));
  const runner = await session.runner();
  t.is(runner.generation, 2);
  t.false(runner.lost);
});

test('news of a loss that comes right behind the answer is of the session', async (t) => {
  const host = new FakeHost();
  const { openSession } = host.answers;
  host.answers.openSession = (params, context) => {
    // The answer is sent in a microtask, and this behind it.
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => host.loseRunner(EXIT, 1))));
    return openSession(params, context);
  };
  const session = await ExecutionSession.open(host.transport);
  t.teardown(() => session.close());
  await new Promise((resolve) => setTimeout(resolve, 10));
  t.is((await session.runner()).generation, 2);
});

test('a runner that is lost while it is set up is replaced', async (t) => {
  const { session, host } = await openScripted(t);
  const { startRunner } = host.answers;
  host.answers.startRunner = async (params, context) => {
    const runner = await startRunner(params, context);
    if (runner.generation === 2) throw new RequestError('RUNNER_LOST', 'gone', { end: EXIT, own: false });
    return runner;
  };
  host.loseRunner(EXIT);
  await new Promise(setImmediate);
  t.is((await session.runner()).generation, 3);
});

test('runners that are all lost at once are not started for ever', async (t) => {
  const { session, host } = await openScripted(t);
  const { startRunner } = host.answers;
  host.answers.startRunner = () => {
    throw new RequestError('RUNNER_LOST', 'gone', { end: EXIT, own: false });
  };
  host.loseRunner(EXIT);
  await new Promise(setImmediate);
  await t.throwsAsync(session.runner(), { code: 'RUNNER_LOST' });
  t.is(host.askedFor('startRunner'), 4);
  // And the session lives, should the host get well.
  host.answers.startRunner = startRunner;
  t.is((await session.runner()).generation, 2);
});

test('a runner begins with as many stubs as the one before it had', async (t) => {
  const { session, host } = await openScripted(t);
  await (await session.runner()).stubBlocks.ensure(513);
  host.loseRunner(EXIT);
  await new Promise(setImmediate);
  t.is((await session.runner()).stubBlocks.capacity, 1024);
  t.is(host.askedFor('emitStubs'), 1);
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
