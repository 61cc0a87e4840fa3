import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection, createMemoryTransportPair, indirection, run, session, symbols } from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { HOT_INTERVAL_MS, MAX_WAITING_COUNTERS } from '../src/hot-counters.js';
import { createHostResources, type HostResources, Session } from '../src/index.js';
import { hostileRunner } from './hostile-runner-path.js';
import { commitOf, openSession, reserve, type TestCompiler } from './session-fixture.js';

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
  ['hot counter where nothing is reserved', /counts at offset 65536 of the data part/],
  ['hot counter outside of memory', /counts at offset 4294967292 of the data part/],
  ['hot counter off its boundary', /counts at offset 6 of the data part/],
  ['call that nobody made', /no call has ended in slot 63/],
];

for (const [mode, message] of FAULTS)
  test(`the runner is killed, and the call says why: ${mode}`, async (t) => {
    const error = await t.throwsAsync(callOnce(t, mode), { code: 'RUNNER_LOST', message });
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
    await t.throwsAsync(connection.request(session.openSession, { versions: [1], client: 'test' }), {
      code: 'RUNNER_START_FAILED',
    });
    t.is(hosted.generation, undefined);
    connection.close();
    await hosted.ended;
  });

test('a runner whose control thread is stuck is killed, and what was asked of it says why', async (t) => {
  const { connection, live } = await openSession(t, hostileHost('silent'));
  const error = await t.throwsAsync(connection.request(symbols.lookupSymbols, { names: ['sin'] }, live), {
    code: 'RUNNER_LOST',
    message: /control thread has not answered/,
  });
  t.like(error, { data: { end: { kind: 'fault' } } });
});

test('however often a runner rings for counters, what the compiler hears of it is bounded', async (t) => {
  const compiler = await openSession(t, hostileHost('a million hot counters'));
  await reserve(compiler, 'data', 4 * 4096);
  const sizes: number[] = [];
  compiler.connection.onNotification(indirection.functionsHot, ({ counters }) => {
    sizes.push(counters.length);
  });
  const startMs = performance.now();
  t.deepEqual([...(await callIn(compiler)).block], [5]);
  const intervals = (performance.now() - startMs) / HOT_INTERVAL_MS;
  t.true(sizes.length > 0);
  t.true(sizes.length <= intervals + 1, `${sizes.length} notifications in ${intervals} intervals`);
  t.true(Math.max(...sizes) <= MAX_WAITING_COUNTERS);
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
