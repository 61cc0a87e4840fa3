import { addrAdd } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { MAX_FRAME_ACTIONS } from '../../src/runner/commit-queue.js';
import { ExecutionSession } from '../../src/session/execution-session.js';
import { FakeHost, runnerOf } from '../executor-client/fake-host.js';
import { gate } from '../gate.js';
import { openScripted, partNamed } from '../session/session-fixture.js';
import { functionUnit } from '../session/units.js';

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

test('a callback whose answer would have to bring more than one commit carries brings all of it', async (t) => {
  const { host, session, enter, linkedOf } = await openScripted(t);
  session.define(functionUnit('f'));
  const runner = await session.runner();
  const count = MAX_FRAME_ACTIONS + 1;
  // Others link it between the callback's work and its answer.
  session.events.subscribe(({ type }) => {
    if (type !== 'callback' || queued > 0) return;
    queued = count;
    const { address } = runner.allocate('constant', 64 * count, 64);
    const sections = Array.from({ length: count }, (_, index) => ({
      address: addrAdd(address, 64 * index),
      sizeBytes: 64,
    }));
    runner.commits.registerEHFrames(sections);
  });
  let queued = 0;
  const stub = session.stubs.createStub(session.mainDylib.ref('f'));
  const first = await enter('f');
  t.like(first, { outcome: 'landed', landing: session.stubs.stubAddress(stub) });
  t.is(host.commits.at(-1)?.pointers.length, 0);
  // Sent through its stub, the thread asks again.
  const linked = await linkedOf(partNamed(session, 'f'));
  const landing = linked?.symbols.get('f$impl')?.address;
  t.like(await enter('f'), { outcome: 'landed', landing });
  const registered = host.commits.flatMap(({ actions }) =>
    actions.filter(({ action }) => action === 'registerEHFrames'),
  );
  t.is(registered.length, count + 1);
  t.is(host.pointers.get(session.stubs.pointerAddress(stub)), landing);
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
