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
