import { Connection, createMemoryTransportPair, memory, run, session } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import type { ExecutorEvent } from '../src/events.js';
import { createHostResources, Session } from '../src/index.js';
import { CALL_VOID_PROLOGUE_BYTES, callVoid, ehFrameOf, spin, storeConstant } from './machine-code.js';
import { openOn } from './open-on.js';
import {
  callDouble,
  commitOf,
  emitStub,
  invalidates,
  load,
  openSession,
  registers,
  reserve,
  segmentOf,
  startRunner,
  until,
} from './session-fixture.js';

type Of<T extends ExecutorEvent['type']> = Extract<ExecutorEvent, { type: T }>;

/** A host of its own, and what happens in it; commits, calls and frames are left out of `told`. */
function heardHost(options: Parameters<typeof createHostResources>[0] = {}) {
  const host = createHostResources(options);
  const all: ExecutorEvent[] = [];
  host.events.subscribe((event) => all.push(event));
  const told = () => all.map(({ type }) => type).filter((type) => !/^(frame|call-|commit-)/.test(type));
  const of = <T extends ExecutorEvent['type']>(type: T) =>
    all.filter((event): event is Of<T> => event.type === type);
  return { host, told, of };
}

async function openHeard(t: ExecutionContext) {
  const heard = heardHost();
  return { ...heard, compiler: await openSession(t, heard.host) };
}

const timerCount = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test.serial('what becomes of a session is told in order', async (t) => {
  const { compiler, told, of } = await openHeard(t);
  t.deepEqual(told(), ['runner-started', 'session-opened']);
  const [started] = of('runner-started');
  t.like(started, { generation: 1, wasWarm: false, processId: compiler.opened.runner.processId });
  t.is(started?.session, compiler.session);
  const [opened] = of('session-opened');
  t.is(opened?.client, 'test');
  t.true((opened?.openMs ?? -1) > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await compiler.session.close('enough');
  await compiler.session.ended;
  t.deepEqual(told(), ['runner-started', 'session-opened', 'runner-ended', 'session-closed']);
  t.like(of('runner-ended')[0], { generation: 1, end: { kind: 'cancelled' } });
  t.like(of('session-closed')[0], { reason: 'connection closed (1001: enough)' });
  t.true((of('session-closed')[0]?.openedMs ?? 0) >= 19);
});

test.serial('a session that nobody opened is closed without a word, and leaves no timer', async (t) => {
  const { host, told } = heardHost();
  const before = timerCount();
  const hosted = new Session({ host, transport: createMemoryTransportPair()[1] });
  t.is(timerCount(), before + 1);
  t.true(hosted.isUnopened);
  await hosted.close('nobody came');
  await hosted.ended;
  t.deepEqual(told(), []);
  t.false(hosted.isUnopened);
  t.false(hosted.canResume(0));
  t.is(timerCount(), before);
});

test.serial('an open session leaves no timer either', async (t) => {
  const before = timerCount();
  const { session: hosted } = await openSession(t, createHostResources());
  t.false(hosted.isUnopened);
  await hosted.close('done');
  await hosted.ended;
  await until(() => timerCount() <= before);
  t.pass();
});

test('a runner that cannot be started is told of each time, and the session stays as it was', async (t) => {
  const { host, told, of } = heardHost({ runnerPath: '/nonexistent/runner' });
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far });
  const connection = new Connection(near);
  connection.start();
  for (let i = 0; i < 2; i++) await t.throwsAsync(openOn(connection));
  t.true(hosted.isUnopened);
  t.deepEqual(told(), ['runner-failed', 'runner-failed']);
  t.is(of('runner-failed')[0]?.session, hosted);
  connection.close();
  await hosted.ended;
});

test('counts go on over runners', async (t) => {
  const { compiler, of } = await openHeard(t);
  const { connection } = compiler;
  const status = () => connection.request(session.sessionStatus, {});
  const entry = await load(compiler, storeConstant(1n));
  await callDouble(compiler, entry);
  await callDouble(compiler, entry);
  const before = await status();
  t.like(before, { generation: 1, commitsApplied: 1, callsStarted: 2, callsInFlight: 0, callbackWaitUs: 0 });
  t.is(before.processId, compiler.opened.runner.processId);
  t.true(before.commitUs > 0);
  const runner = await startRunner(compiler);
  t.is(runner.generation, 2);
  t.deepEqual(compiler.lost, [
    { generation: 1, end: { kind: 'fault', message: 'the compiler asked for another runner' } },
  ]);
  t.like(await status(), { generation: 2, commitsApplied: 1, callsStarted: 2, commitUs: before.commitUs });
  await callDouble(compiler, await load(compiler, storeConstant(1n)));
  t.like(await status(), { generation: 2, processId: runner.processId, commitsApplied: 2, callsStarted: 3 });
  t.true((await status()).commitUs > before.commitUs);
  process.kill(runner.processId, 'SIGKILL');
  await until(() => compiler.lost.length === 2);
  t.like(await status(), { generation: 2, processId: 0, commitsApplied: 2, callsStarted: 3, blocked: [] });
  t.deepEqual(await connection.request(session.runnerMaps, {}), { maps: '' });
  t.is(of('runner-ended').length, 2);
});

test('commits that change nothing are not counted', async (t) => {
  const { compiler, of } = await openHeard(t);
  const { connection, live } = compiler;
  await connection.request(memory.commitMemory, { commit: commitOf() }, live);
  t.is(of('commit-applied').length, 0);
  const entry = await load(compiler, storeConstant(1n));
  t.is(of('commit-applied').length, 1);
  await connection.request(
    memory.commitMemory,
    { commit: commitOf({ actions: [invalidates(entry, 8)] }) },
    live,
  );
  const segments = [segmentOf(entry, 'code', storeConstant(2n))];
  await connection.request(memory.commitMemory, { commit: commitOf({ segments }) }, live);
  t.is(of('commit-applied').length, 3);
  t.true(of('commit-applied').every(({ durationMs }) => durationMs > 0));
  t.is((await connection.request(session.sessionStatus, {})).commitsApplied, 3);
});

test('how callbacks and their calls end is told, with the time that they took', async (t) => {
  const { compiler, of } = await openHeard(t);
  const { connection, live } = compiler;
  const { trampoline } = await emitStub(compiler);
  const code = callVoid(trampoline);
  const asks = await load(compiler, code);
  const frames = reserve(compiler, 'constant', 4096);
  const section = ehFrameOf(asks, code.byteLength, CALL_VOID_PROLOGUE_BYTES);
  const commit = commitOf({
    segments: [segmentOf(frames, 'constant', section)],
    actions: [registers(frames, section)],
  });
  await connection.request(memory.commitMemory, { commit }, live);
  const landing = await load(compiler, Uint8Array.of(0xc3));
  const call = () =>
    connection.request(run.call, { entry: asks, block: new Uint8Array(8), commit: commitOf() }, live);
  compiler.onReenter = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { outcome: 'landed', landing, commit: commitOf() };
  };
  await call();
  const { callbackWaitUs } = await connection.request(session.sessionStatus, {});
  t.true(callbackWaitUs >= 19_000, `${callbackWaitUs}`);
  compiler.onReenter = async () => ({ outcome: 'failed', token: 7, message: 'no' });
  await t.throwsAsync(call(), { code: 'CALLBACK_FAILED' });
  compiler.onReenter = () => new Promise(() => {});
  const lost = t.throwsAsync(call(), { code: 'RUNNER_LOST' });
  await until(() => compiler.reenterCount() === 3);
  await startRunner(compiler);
  await lost;
  t.deepEqual(
    of('callback-ended').map(({ outcome }) => outcome),
    ['landed', 'failed', 'lost'],
  );
  t.true((of('callback-ended')[0]?.durationMs ?? 0) >= 19);
  t.deepEqual(
    of('call-ended').map(({ outcome }) => outcome),
    ['returned', 'callback_failed', 'runner_lost'],
  );
  t.is(of('call-started').length, 3);
});

test('rejected calls are answered before the loss of their runner is told', async (t) => {
  const { compiler } = await openHeard(t);
  const { connection, live } = compiler;
  const entry = await load(compiler, spin());
  const params = { entry, block: new Uint8Array(8), commit: commitOf() };
  const calls = [1, 2].map((index) =>
    connection.request(run.call, params, live).catch(() => compiler.events.push(`call ${index}`)),
  );
  await until(async () => (await connection.request(session.sessionStatus, {})).callsStarted === 2);
  process.kill(compiler.opened.runner.processId, 'SIGKILL');
  await Promise.all(calls);
  await until(() => compiler.lost.length === 1);
  t.deepEqual(compiler.events, ['call 1', 'call 2', 'lost 1']);
});
