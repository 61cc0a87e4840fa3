import { KaleidoscopeJIT } from '@farjit/compiler';
import { createHostResources, Session } from '@farjit/executor';
import { Connection, createMemoryTransportPair, memory, run } from '@farjit/protocol';
import test from 'ava';
import { openOn } from '#executor/test/open-on.js';
import { startExecutor } from '../executor-process.js';
import { heapBytes } from '../heap.js';
import { eventually } from '../jit-fixture.js';
import { descriptorTargets, isAlive, residentKiB, threadCount } from '../proc.js';
import { startServer } from '../server-fixture.js';
import { rounds } from './length.js';

const SESSIONS = rounds(100, 10_000);
const AT_ONCE = rounds(12, 200);
/**
 * The heap, garbage collected, goes up and down by some 400 KiB. A session kept would be 17 KiB, with its compiler more
 * than 100.
 */
const ALLOWED_BYTES = 512 * 1024;
const ALLOWED_BYTES_PER_SESSION = 2 * 1024;
/** Of an idle session: its runner and its part of the host. */
const ALLOWED_KIB_IDLE = 5 * 1024;
const LONG_MS = 3 * 60 * 60 * 1000;
const RET = 0xc3;

async function measure() {
  const targets = descriptorTargets(process.pid).map((target) => target.replace(/\d+/g, 'N'));
  return {
    descriptors: targets.sort().join(' '),
    threads: threadCount(process.pid),
    heapBytes: await heapBytes(),
  };
}

test.serial(
  'sessions one after the other: descriptors, threads and memory stay where they are',
  async (t) => {
    t.timeout(LONG_MS);
    const host = createHostResources();
    const live = async () => {
      const [near, far] = createMemoryTransportPair();
      const hosted = new Session({ host, transport: far });
      const connection = new Connection(near);
      connection.start();
      const { runner } = await openOn(connection);
      const { generation } = runner;
      const entry = runner.memory.code.address;
      const segment = { address: entry, prot: 'code' as const, content: Uint8Array.of(RET), memoryBytes: 1 };
      const commit = { ...memory.emptyCommit(), segments: [segment] };
      const result = await connection.request(
        run.call,
        { entry, block: Uint8Array.of(7), commit },
        { generation },
      );
      if (result.block[0] !== 7) throw new Error('a wrong block');
      connection.close();
      await hosted.ended;
      return runner.processId;
    };
    const warmUp = Math.ceil(SESSIONS / 4);
    for (let i = 0; i < warmUp; i++) await live();
    const before = await measure();
    const processes: number[] = [];
    for (let i = warmUp; i < SESSIONS; i++) processes.push(await live());
    const after = await measure();
    t.is(after.descriptors, before.descriptors);
    t.is(after.threads, before.threads);
    const grownBytes = after.heapBytes - before.heapBytes;
    t.log(`${SESSIONS} sessions: ${before.heapBytes} bytes, then ${grownBytes} more`);
    t.true(
      grownBytes < ALLOWED_BYTES + ALLOWED_BYTES_PER_SESSION * (SESSIONS - warmUp),
      `${grownBytes} bytes`,
    );
    t.deepEqual(processes.filter(isAlive), []);
  },
);

test.serial('many sessions at once, no more than allowed, and all is given back', async (t) => {
  t.timeout(LONG_MS);
  const { server, url } = await startServer(t, { maxSessions: AT_ONCE });
  const open = () => KaleidoscopeJIT.create({ executor: { url } });
  const round = async () => {
    const jits = await Promise.all(Array.from({ length: AT_ONCE }, open));
    t.is(server.sessions.size, AT_ONCE);
    await t.throwsAsync(open(), { code: 'CONNECT_FAILED', message: /503.*as many as it may have/ });
    const runners = jits.map(({ runner }) => runner.processId);
    t.is(new Set(runners).size, AT_ONCE);
    const sines = await Promise.all(jits.map((jit) => jit.findSymbol('sin')));
    t.true(sines.every((symbol) => symbol !== undefined && symbol.address > 0n));
    await Promise.all(jits.map((jit) => jit.close()));
    await eventually(() => server.sessions.size === 0, 'all sessions have ended', 60_000);
    t.deepEqual(runners.filter(isAlive), []);
  };
  await round();
  const before = await measure();
  await round();
  await round();
  await eventually(
    async () => (await measure()).descriptors === before.descriptors,
    'descriptors are as they were',
  );
  const after = await measure();
  t.is(after.threads, before.threads);
  const grownBytes = after.heapBytes - before.heapBytes;
  t.log(`${AT_ONCE} sessions: ${before.heapBytes} bytes, then ${grownBytes} more`);
  t.true(grownBytes < 2 * ALLOWED_BYTES + 2 * AT_ONCE * ALLOWED_BYTES_PER_SESSION, `${grownBytes} bytes`);
});

test.serial('an idle session costs its executor at most 5 MiB', async (t) => {
  t.timeout(LONG_MS);
  const { child, url } = await startExecutor(t);
  const hostKiB = () => residentKiB(child.pid ?? 0);
  const open = () => KaleidoscopeJIT.create({ executor: { url } });
  // What the first one has loaded is not its own.
  await (await open()).close();
  const beforeKiB = hostKiB();
  const jits = await Promise.all(Array.from({ length: AT_ONCE }, open));
  t.teardown(() => Promise.all(jits.map((jit) => jit.close())));
  // Pages that a runner shares with others count in full.
  const runnersKiB = jits.map(({ runner }) => residentKiB(runner.processId));
  const sumKiB = hostKiB() - beforeKiB + runnersKiB.reduce((sum, kib) => sum + kib, 0);
  t.log(`${AT_ONCE} idle sessions: ${Math.round(sumKiB / AT_ONCE)} KiB each`);
  t.true(sumKiB <= AT_ONCE * ALLOWED_KIB_IDLE, `${sumKiB} KiB`);
});
