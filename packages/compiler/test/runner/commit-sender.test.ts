import { RequestError } from '@farjit/protocol/errors';
import test from 'ava';
import { openScripted } from '../session/session-fixture.js';
import { functionUnit } from '../session/units.js';

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

test('a commit that finds its runner gone is nothing to fail over: what comes next goes on in another', async (t) => {
  for (const [code, data] of [
    ['RUNNER_LOST', { end: { kind: 'signal', signal: 'SIGKILL' }, own: false }],
    ['STALE_GENERATION', undefined],
  ] as const) {
    const { host, session, call } = await openScripted(t);
    const f = functionUnit('f');
    await call(f, 'f');
    session.discard(f);
    host.answers.commitMemory = () => {
      throw new RequestError(code, 'it is gone', data);
    };
    await t.notThrowsAsync(session.flush());
    await call(functionUnit('g'), 'g');
    t.is(host.runner.generation, 2);
  }
});
