import { RequestError } from '@farjit/protocol/errors';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { ExecutionSession } from '../../src/session/execution-session.js';
import { FakeHost } from '../executor-client/fake-host.js';
import { addressesFor, openScripted } from './session-fixture.js';
import { functionUnit } from './units.js';

const EXIT = { kind: 'exit', status: 1 } as const;

test('a runner that is lost while the session opens is no accident', async (t) => {
  const host = new FakeHost();
  const reserve = host.answers.reserveMemory;
  host.answers.reserveMemory = (params, context) => {
    if (context.generation === 1 && host.askedFor('reserveMemory') === 1) host.loseRunner(EXIT, 1);
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
