import { createMemoryTransportPair, type MemProt, memory, run, session } from '@farjit/protocol';
import { addrAdd } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { Accounts } from '../src/accounts.js';
import { createHostResources, Session } from '../src/index.js';
import { spin, storeConstant } from './machine-code.js';
import {
  callDouble,
  commitOf,
  load,
  openOver,
  openSession,
  reserve,
  segmentOf,
  type TestCompiler,
  until,
} from './session-fixture.js';

const MIB = 1024 ** 2;

/** Commits so much, a mebibyte at a time. */
async function fill(compiler: TestCompiler, prot: MemProt, sizeMiB: number): Promise<void> {
  const { connection, live } = compiler;
  const address = reserve(compiler, prot, sizeMiB * MIB);
  for (let done = 0; done < sizeMiB; done++) {
    const segment = segmentOf(addrAdd(address, done * MIB), prot, new Uint8Array(MIB).fill(1));
    await connection.request(memory.commitMemory, { commit: commitOf({ segments: [segment] }) }, live);
  }
}

test('what commits have filled counts, though the runner has touched none of it', async (t) => {
  const limit = { name: 'memory' as const, value: 16 * MIB };
  const host = createHostResources({ limits: { memory: limit.value } });
  const compiler = await openSession(t, host);
  await fill(compiler, 'code', 7);
  await fill(compiler, 'constant', 7);
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0n))), 0);
  t.deepEqual(compiler.lost, []);
  // The runner may be gone before all of it is there.
  await fill(compiler, 'data', 5).catch(() => {});
  await until(() => compiler.lost.length > 0);
  t.deepEqual(compiler.lost[0]?.end, { kind: 'limit', limit });
});

test('what commits have filled counts for their identity', async (t) => {
  const host = createHostResources();
  const identity = { kind: 'token' as const, name: 'a', quotas: { memory: 40 * MIB } };
  const account = new Accounts().of(identity);
  const open = (t: ExecutionContext) => {
    const [near, far] = createMemoryTransportPair();
    const hosted = new Session({ host, transport: far, account });
    t.teardown(() => hosted.ended);
    return openOver(t, near);
  };
  const [small, large] = [await open(t), await open(t)];
  await fill(small, 'code', 12);
  await until(() => account.memoryBytes > 12 * MIB);
  t.true(account.memoryBytes < 24 * MIB, `${account.memoryBytes} bytes`);
  await fill(large, 'code', 30).catch(() => {});
  await until(() => large.lost.length > 0);
  const quota = { name: 'memory' as const, value: 40 * MIB, identity: 'token a' };
  t.deepEqual(large.lost[0]?.end, { kind: 'quota', quota });
  t.deepEqual(small.lost, []);
  t.true(account.memoryBytes < 24 * MIB, `${account.memoryBytes} bytes`);
});

test('where memory is small, what a runner can write in its session is no larger', async (t) => {
  const { opened } = await openSession(t, createHostResources({ limits: { memory: 16 * MIB } }));
  const { code, constant, data } = opened.runner.memory;
  for (const { sizeBytes } of [code, constant])
    t.true(sizeBytes > 12 * MIB && sizeBytes < 16 * MIB, `${sizeBytes} bytes`);
  t.true(data.sizeBytes > 8 * MIB && data.sizeBytes < 16 * MIB, `${data.sizeBytes} bytes`);
});

test('as many calls run as there is memory for their stacks, and the others wait', async (t) => {
  const host = createHostResources({ limits: { memory: 32 * MIB } });
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const entry = await load(compiler, spin());
  const calls = [1, 2, 3, 4].map(() => {
    const block = new Uint8Array(8);
    return t.throwsAsync(connection.request(run.call, { entry, block, commit: commitOf() }, live), {
      code: 'RUNNER_LOST',
    });
  });
  const status = () => connection.request(session.sessionStatus, {});
  await until(async () => (await status()).callsInFlight === 4);
  t.is((await status()).callsStarted, 2);
  await connection.request(session.terminateSession, {});
  await Promise.all(calls);
});
