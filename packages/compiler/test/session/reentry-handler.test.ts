import test from 'ava';
import { ExecutionSession } from '../../src/session/execution-session.js';
import { FakeHost, runnerOf } from '../executor-client/fake-host.js';
import { gate } from '../gate.js';
import { openScripted } from './session-fixture.js';
import { functionUnit } from './units.js';

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

test('the reentry of a runner that is not the current one fails, also before there is one', async (t) => {
  const host = new FakeHost();
  const { openSession } = host.answers;
  const answers: string[] = [];
  host.answers.openSession = async (params, context) => {
    const answer = await host.reenter(runnerOf(1).stubs.trampolines, 2);
    answers.push(answer.outcome);
    return openSession(params, context);
  };
  const session = await ExecutionSession.open(host.transport);
  t.teardown(() => session.close());
  t.deepEqual(answers, ['failed']);
  t.is((await host.reenter(runnerOf(1).memory.code.address, 7)).outcome, 'failed');
});
