import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Connection,
  createMemoryTransportPair,
  hostFunctions,
  indirection,
  run,
  session,
  symbols,
} from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { COUNTERS_PER_MS, HOT_INTERVAL_MS } from '../src/hot-counters.js';
import { createHostResources, type HostResources, Session } from '../src/index.js';
import { CountedUsers } from './counted-users.js';
import { hostileRunner } from './hostile-runner-path.js';
import {
  commitOf,
  emitStub,
  OPEN,
  openSession,
  reserve,
  type TestCompiler,
  until,
} from './session-fixture.js';

const directory = mkdtempSync(join(tmpdir(), 'farjit-hostile-'));
test.after.always(() => rmSync(directory, { recursive: true }));

/** A host whose runners behave as `mode` says. */
function hostileHost(mode: string): HostResources {
  return createHostResources({ runnerPath: hostileRunner(directory, mode) });
}

async function callOnce(t: ExecutionContext, mode: string) {
  return callIn(await openSession(t, hostileHost(mode)));
}

async function callIn({ connection, live }: TestCompiler) {
  const params = { entry: toExecutorAddr(0x1000n), block: Uint8Array.of(5), commit: commitOf() };
  return connection.request(run.call, params, live);
}

const FAULTS: readonly [string, RegExp][] = [
  ['unknown bell', /rang with kind 99/],
  ['hello again', /rang with kind 1/],
  ['reentry slot out of range', /kind 3, slot 256/],
  ['call slot out of range', /kind 4, slot 64/],
  ['done with nothing to do', /nobody asked for/],
  ['reentry slot that is not posted', /slot 3 is in state 0/],
  ['reentry of an unknown kind', /unknown kind 77/],
  ['call that is still posted', /no call has ended in slot 0/],
  ['hot counter where the threshold is', /counts in page 0 of the data part/],
  ['hot counter where the bits are', /counts in page 0 of the data part/],
  ['a flood of hot bells', /rang with HOT before anybody had looked/],
  ['reentry slot posted twice', /reentry slot 1 was posted twice/],
  ['limit reached twice', /rang with limit 3/],
  ['limit that there is not', /rang with limit 99/],
  ['call that nobody made', /no call has ended in slot 63/],
  ['host call slot out of range', /kind 7, slot 256/],
  ['host call slot that is not posted', /host call slot 3 is in state 0/],
  ['host call of what was not given', /calls function 8 of the compiler's, which it was not given/],
  ['host call of a number that is none', /calls function 18446744073709551615 of the compiler's/],
  ['host call of a number that a double rounds', /calls function 9007199254740999 of the compiler's/],
  ['host call that comes back from nowhere', /host call slot 0 is in state 7, not posted/],
  ['host call slot posted twice', /host call slot 1 was posted twice/],
  ['host call with too little', /passes 0 arguments to a function of 1 \(function 7 of the compiler's\)/],
  ['host call with more than there is', /passes 31 arguments to a function of 1/],
  ['host call with what is of another type', /passes what is no i8 as argument 1/],
];

for (const [mode, message] of FAULTS)
  test(`the runner is killed, and the call says why: ${mode}`, async (t) => {
    const compiler = await openSession(t, hostileHost(mode));
    await emitStub(compiler);
    const limits: string[] = [];
    compiler.connection.onNotification(session.limitReached, ({ limit }) => {
      limits.push(limit.name);
    });
    compiler.onReenter = () => new Promise(() => {});
    const functions = [{ number: 7, result: 'void' as const, parameters: ['i8' as const] }];
    compiler.connection.notify(hostFunctions.giveHostFunctions, { functions }, compiler.live.generation);
    compiler.connection.handle(hostFunctions.callHost, () => new Promise(() => {}));
    const error = await t.throwsAsync(callIn(compiler), { code: 'RUNNER_LOST', message });
    t.deepEqual(limits, mode === 'limit reached twice' ? ['threads'] : []);
    t.like(error, { data: { end: { kind: 'fault' } } });
  });

for (const mode of [
  'base in kernel space',
  'base not on a page',
  'no resolver',
  'no count function',
  'process id of another',
  'bell before hello',
])
  test(`a runner is not accepted: ${mode}`, async (t) => {
    const [near, far] = createMemoryTransportPair();
    const hosted = new Session({ host: hostileHost(mode), transport: far });
    const connection = new Connection(near);
    connection.start();
    await t.throwsAsync(connection.request(session.openSession, OPEN), {
      code: 'RUNNER_START_FAILED',
    });
    t.is(hosted.runner, undefined);
    connection.close();
    await hosted.ended;
  });

test('a user is given back, once, whenever a runner cannot be confined', async (t) => {
  const users = new CountedUsers();
  const host = { ...hostileHost('ends when it is to be confined'), users };
  for (let attempt = 0; attempt < 3; attempt++) {
    await t.throwsAsync(openSession(t, host), { code: 'RUNNER_START_FAILED' });
    t.is(users.count, 0);
  }
});

test('a runner whose control thread is stuck is killed, and what was asked of it says why', async (t) => {
  const { connection, live } = await openSession(t, hostileHost('silent'));
  const error = await t.throwsAsync(connection.request(symbols.lookupSymbols, { names: ['sin'] }, live), {
    code: 'RUNNER_LOST',
    message: /control thread has not answered/,
  });
  t.like(error, { data: { end: { kind: 'fault' } } });
});

test('however often a runner sets counters, what the compiler hears of them is bounded', async (t) => {
  const compiler = await openSession(t, hostileHost('a million hot counters'));
  reserve(compiler, 'data', 4 * 4096);
  const sizes: number[] = [];
  compiler.connection.onNotification(indirection.functionsHot, ({ counters }) => {
    sizes.push(counters.length);
  });
  const startMs = performance.now();
  t.deepEqual([...(await callIn(compiler)).block], [5]);
  const elapsedMs = performance.now() - startMs;
  const told = sizes.reduce((sum, size) => sum + size, 0);
  t.true(sizes.length > 0);
  t.true(sizes.length <= elapsedMs / HOT_INTERVAL_MS + 1, `${sizes.length} notifications in ${elapsedMs} ms`);
  // What the last look found is paid for afterwards.
  t.true(told <= elapsedMs * COUNTERS_PER_MS + indirection.MAX_HOT_COUNTERS, `${told} in ${elapsedMs} ms`);
  t.is(compiler.lost.length, 0);
});

test('a forged trap report is passed on within its bounds', async (t) => {
  const error = await t.throwsAsync(callOnce(t, 'forged trap'), { code: 'RUNNER_LOST' });
  t.like(error, { data: { end: { kind: 'trap', trap: { signal: 'signal -16' } } } });
  const { data } = error as unknown as { data: { end: { trap: { frames: bigint[] } } } };
  t.is(data.end.trap.frames.length, 64);
});

test('a bell that comes byte by byte is one bell', async (t) => {
  const result = await callOnce(t, 'bells in pieces');
  t.deepEqual([...result.block], [5]);
});

/** Whether a process's first thread has ended. */
function hasEnded(processId: number): boolean {
  return /^State:\s+Z/m.test(readFileSync(`/proc/${processId}/status`, 'latin1'));
}

test('what a runner rang before it ended is heard, also when that is more than one turn hears', async (t) => {
  const compiler = await openSession(t, hostileHost('more bells than a turn hears, and ends'));
  await emitStub(compiler);
  compiler.onReenter = () => new Promise(() => {});
  const called = callIn(compiler);
  await until(() => compiler.session.runner?.callsInFlight === 1);
  // So that all bells and the end are there at the same time.
  while (!hasEnded(compiler.opened.runner.processId));
  t.deepEqual(await called, { block: Buffer.of(5), programThreads: 0 });
  await until(() => compiler.lost.length === 1);
  t.deepEqual(compiler.lost[0]?.end, { kind: 'exit', status: 0 });
});
