import { createMemoryTransportPair, indirection, memory, run, session } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { Account } from '../src/accounts.js';
import type { ExecutorEvent } from '../src/events.js';
import { createHostResources, Session } from '../src/index.js';
import { callUntil, illegalInstruction, storeConstant } from './machine-code.js';
import {
  commitOf,
  load,
  openOver,
  openSession,
  reserve,
  segmentOf,
  startRunner,
  type TestCompiler,
  until,
} from './session-fixture.js';

const BLOCK_BYTES = 8;

/** Calls that run until they are told to end, and memory that they may answer with. */
async function waiting(compiler: TestCompiler) {
  const { connection, live } = compiler;
  const flag = await reserve(compiler, 'data', 4096);
  const content = await reserve(compiler, 'data', run.MAX_READ_BYTES);
  const nothing = await load(compiler, Uint8Array.of(0xc3));
  const entry = await load(compiler, callUntil(nothing, flag));
  const block = new Uint8Array(BLOCK_BYTES);
  const begin = (sizeBytes: number) =>
    connection.request(
      run.callAndRead,
      { entry, block, commit: commitOf(), read: { address: content, sizeBytes } },
      live,
    );
  const release = () =>
    connection.request(
      memory.commitMemory,
      { commit: commitOf({ segments: [segmentOf(flag, 'data', Uint8Array.of(1, 0, 0, 0))] }) },
      live,
    );
  return { begin, release };
}

const inFlight = async ({ connection }: TestCompiler) =>
  (await connection.request(session.sessionStatus, {})).callsInFlight;

test('answers of calls under way have so many bytes together, blocks and memory, and come back', async (t) => {
  const compiler = await openSession(t);
  const { begin, release } = await waiting(compiler);
  const { MAX_PROMISED_BYTES, MAX_READ_BYTES } = run;
  const count = Math.floor(MAX_PROMISED_BYTES / (MAX_READ_BYTES + BLOCK_BYTES));
  const leftBytes = MAX_PROMISED_BYTES - count * (MAX_READ_BYTES + BLOCK_BYTES) - BLOCK_BYTES;
  const calls = Array.from({ length: count }, () => begin(MAX_READ_BYTES));
  const refused = { code: 'LIMIT_EXCEEDED', message: /33554432 bytes together/ };
  await t.throwsAsync(begin(leftBytes + 1), refused);
  const last = begin(leftBytes);
  await until(async () => (await inFlight(compiler)) === count + 1);
  await t.throwsAsync(begin(0), refused);
  await release();
  await Promise.all([...calls, last]);
  await t.notThrowsAsync(begin(MAX_READ_BYTES));
});

test('a call that is refused is not counted as begun, and what came with it is there', async (t) => {
  const host = createHostResources();
  const account = new Account({ kind: 'token', name: 'a', quotas: { calls: 1 } }, () => 0);
  const outcomes: string[] = [];
  let startedCount = 0;
  host.events.subscribe((event: ExecutorEvent) => {
    if (event.type === 'call-ended') outcomes.push(event.outcome);
    if (event.type === 'call-started') startedCount++;
  });
  const [near, far] = createMemoryTransportPair();
  const hosted = new Session({ host, transport: far, account });
  t.teardown(() => hosted.ended);
  const compiler = await openOver(t, near);
  const { connection, live } = compiler;
  const { begin, release } = await waiting(compiler);
  const first = begin(0);
  await until(async () => (await inFlight(compiler)) === 1);
  t.is(account.callCount, 1);

  const address = await reserve(compiler, 'data', 64);
  const read = async (at: ExecutorAddr) =>
    (await connection.request(memory.readMemory, { address: at, sizeBytes: 1 }, live)).content[0];
  const params = (offset: number, prot: 'data' | 'code' = 'data') => ({
    entry: address,
    block: new Uint8Array(0),
    commit: commitOf({ segments: [segmentOf(addrAdd(address, offset), prot, Uint8Array.of(7))] }),
  });
  await t.throwsAsync(connection.request(run.call, params(0), live), {
    code: 'QUOTA_EXCEEDED',
    message: /calls=1 of token a/,
  });
  t.is(await read(address), 7);
  t.is(account.callCount, 1);
  await release();
  await first;
  t.is(account.callCount, 0);
  // One that fails gives its place back, too.
  const trap = await load(compiler, illegalInstruction());
  await t.throwsAsync(connection.request(run.call, { ...params(16), entry: trap }, live), {
    code: 'RUNNER_LOST',
  });
  t.is(account.callCount, 0);
  await startRunner(compiler);
  const refused = connection.request(run.call, params(16, 'code'), compiler.live);
  await t.throwsAsync(refused, { code: 'INVALID_ADDRESS' });
  t.is(account.callCount, 0);
  t.deepEqual(outcomes, ['quota', 'returned', 'trap', 'refused']);
  t.is(startedCount, 4);
});

test('a session adds up what its runners have done', async (t) => {
  const compiler = await openSession(t);
  const { connection } = compiler;
  const status = () => connection.request(session.sessionStatus, {});
  for (const generation of [1, 2]) {
    const entry = await load(compiler, storeConstant(1n));
    const params = { entry, block: new Uint8Array(8), commit: commitOf() };
    await connection.request(run.call, params, compiler.live);
    t.like(await status(), { generation, commitsApplied: generation, callsStarted: generation });
    const { commitUs } = await status();
    t.true(commitUs > 0);
    compiler.session.runner?.kill({ kind: 'cancelled' });
    await until(() => compiler.lost.length === generation);
    const gone = await status();
    t.like(gone, {
      generation,
      processId: 0,
      callsInFlight: 0,
      programThreads: 0,
      blocked: [],
      commitsApplied: generation,
      callsStarted: generation,
      commitUs,
    });
    for (const stale of [generation - 1, generation, generation + 1])
      await t.throwsAsync(
        connection.request(indirection.emitStubs, { stubCount: 1 }, { generation: stale }),
        {
          code: 'STALE_GENERATION',
          message: `emitStubs: the runner of generation ${generation} is gone`,
        },
      );
    t.is((await startRunner(compiler)).generation, generation + 1);
    await t.throwsAsync(connection.request(indirection.emitStubs, { stubCount: 1 }, { generation }), {
      code: 'STALE_GENERATION',
      message: `emitStubs is for generation ${generation}, the runner is generation ${generation + 1}`,
    });
  }
});
