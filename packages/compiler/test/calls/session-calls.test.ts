import type { Commit } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { NULL_ADDR } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { MAX_CALLS_IN_FLIGHT } from '../../src/calls/session-calls.js';
import { RunnerLostError, SessionClosedError } from '../../src/core/errors.js';
import { silence } from '../executor-client/fake-host.js';
import { openScripted } from '../session/session-fixture.js';
import { functionUnit } from '../session/units.js';

const EXIT = { kind: 'exit', status: 1 } as const;

/** EH frames that a commit registers. */
const registered = (commit: Commit | undefined): number =>
  commit?.actions.filter(({ action }) => action === 'registerEHFrames').length ?? 0;

test('a call brings along what was linked for it', async (t) => {
  const { session, host, call } = await openScripted(t);
  const unit = functionUnit('f');
  await call(unit, 'f');
  const [commit] = host.commits;
  t.deepEqual(commit?.segments.map(({ prot }) => prot).sort(), ['code', 'constant']);
  t.is(registered(commit), 1);
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
  t.is(
    host.commits.map(registered).reduce((sum, count) => sum + count),
    1,
  );
});

test('a call that is cancelled from the start compiles nothing', async (t) => {
  const { session } = await openScripted(t);
  const prepare = () => t.fail() as never;
  await t.throwsAsync(session.call('f', prepare, { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
});

test('calls beyond what the executor takes wait for their turn, and can be cancelled there', async (t) => {
  const endings: (() => void)[] = [];
  const { session, call, host } = await openScripted(t, {
    call: async ({ block }) => {
      await new Promise<void>((resolve) => endings.push(resolve));
      return { block, programThreads: 0 };
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

for (const [how, prepareEnds, answers] of [
  ['are answered', false, true],
  ['fail', false, false],
  ['are cancelled before they are sent', true, true],
] as const)
  test(`calls with a signal give their turn to others when they ${how}`, async (t) => {
    const { session } = await openScripted(t, {
      call: ({ block }) => {
        if (!answers) throw new RequestError('INTERNAL', 'no');
        return { block, programThreads: 0 };
      },
    });
    let ended = 0;
    const callOnce = async () => {
      const controller = new AbortController();
      const prepare = async () => {
        if (prepareEnds) controller.abort();
        return { entry: NULL_ADDR, block: new Uint8Array(8) };
      };
      await Promise.allSettled([session.call('f', prepare, { signal: controller.signal })]);
      ended++;
    };
    const calls = Array.from({ length: 2 * MAX_CALLS_IN_FLIGHT + 1 }, callOnce);
    // A turn that is not given back makes the rest wait for ever.
    for (let turn = 0; turn < 20_000 && ended < calls.length; turn++) await new Promise(setImmediate);
    t.is(ended, calls.length);
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

test('a call under way when the connection breaks rejects', async (t) => {
  const { host, session, call } = await openScripted(t, { call: silence });
  const running = call(functionUnit('f'), 'f');
  while (host.askedFor('call') === 0) await new Promise(setImmediate);
  host.connection.close(1001, 'going away');
  await t.throwsAsync(running, { code: 'CONNECTION_CLOSED' });
  await t.throwsAsync(session.runner(), { instanceOf: SessionClosedError });
});
