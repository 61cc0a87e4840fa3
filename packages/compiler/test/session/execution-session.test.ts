import { RequestError } from '@farjit/protocol/errors';
import test from 'ava';
import { SessionClosedError } from '../../src/core/errors.js';
import { ExecutionSession } from '../../src/session/execution-session.js';
import { FakeHost } from '../executor-client/fake-host.js';
import { openScripted } from './session-fixture.js';
import { functionUnit } from './units.js';

test('a session that cannot be set up closes its connection', async (t) => {
  const host = new FakeHost({
    openSession: () => {
      throw new RequestError('LIMIT_EXCEEDED', 'no room for 512 more stubs');
    },
  });
  await t.throwsAsync(ExecutionSession.open(host.transport), { code: 'LIMIT_EXCEEDED' });
  await host.connection.closed;
  t.pass();
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

test('a new runner gives stubs back that only its predecessor held', async (t) => {
  const { session, call, host } = await openScripted(t);
  const callee = functionUnit('callee');
  const caller = functionUnit('caller', { calls: ['callee'] });
  session.define(callee);
  await call(caller, 'caller');
  // Linked code still leads through the stub.
  session.remove(callee);
  const held = session.stubs.findStub(session.mainDylib.ref('callee'));
  t.is(held?.referenceCount, 1);
  host.loseRunner({ kind: 'exit', status: 0 });
  await new Promise(setImmediate);
  await session.runner();
  t.deepEqual([...session.stubs.stubs()], []);
  t.is(held?.index, session.stubs.createStub(session.mainDylib.ref('other')).index);
});
