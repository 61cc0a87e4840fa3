import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { session } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { createHostResources } from '../src/index.js';
import { RunnerPool } from '../src/runner-pool.js';
import { UserPool } from '../src/user-pool.js';
import { RANGE_USERS, UserRanges } from '../src/user-ranges.js';
import { storeConstant } from './machine-code.js';
import { callDouble, load, openSession, until, WANTED } from './session-fixture.js';

const host = createHostResources();

/** Descriptors of this process, by what they refer to. */
function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, 'N')];
    } catch {
      return []; // the directory's own
    }
  });
}

/** Waits for looks at processes that were under way when these ended. */
function settled(): Promise<void> {
  return until(() => !descriptors().some((target) => target.startsWith('/proc/N/')));
}

function mappedMemfds(): number {
  return readFileSync('/proc/self/maps', 'utf8').match(/memfd:farjit/g)?.length ?? 0;
}

/** Mappings nearly as large as a session's reservation. A thread's arena, of which more may come at any time, has 64 MiB. */
function largeMappings(): number {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  const sizes = lines.map((line) => {
    const [start = 0n, end = 0n] = (line.match(/[0-9a-f]+/g) ?? [])
      .slice(0, 2)
      .map((hex) => BigInt(`0x${hex}`));
    return end - start;
  });
  return sizes.filter((sizeBytes) => sizeBytes >= 96n << 20n).length;
}

async function liveAndEnd(t: ExecutionContext, round: number): Promise<number> {
  const compiler = await openSession(t, host);
  const { connection, opened, lost, session: hosted } = compiler;
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0n))), 0);
  // Each way to end: closing, terminating, and losing two runners on the way.
  if (round % 3 === 0) await connection.request(session.terminateSession, {});
  if (round % 3 === 1) {
    process.kill(opened.runner.processId, 'SIGKILL');
    await until(() => lost.length === 1);
    await connection.request(session.startRunner, WANTED);
  }
  connection.close();
  await hosted.ended;
  return opened.runner.processId;
}

test.serial('fifty sessions leave no descriptor, mapping or process', async (t) => {
  for (let round = 0; round < 10; round++) await liveAndEnd(t, round);
  await settled();
  const descriptorsBefore = descriptors().sort();
  const mappingsBefore = largeMappings();
  t.is(mappedMemfds(), 0);
  const processIds: number[] = [];
  for (let round = 0; round < 40; round++) processIds.push(await liveAndEnd(t, round));
  await settled();
  t.deepEqual(descriptors().sort(), descriptorsBefore);
  t.is(mappedMemfds(), 0);
  t.is(largeMappings(), mappingsBefore);
  for (const processId of processIds) t.throws(() => process.kill(processId, 0), { code: 'ESRCH' });
});

test.serial('a session holds two memfds, mapped and open, until it ends', async (t) => {
  const { connection, session: hosted } = await openSession(t, host);
  const openMemfds = () => descriptors().filter((target) => target.includes('memfd:farjit'));
  t.is(mappedMemfds(), 2);
  t.is(openMemfds().length, 2);
  connection.close();
  await hosted.ended;
  t.is(mappedMemfds(), 0);
  t.deepEqual(openMemfds(), []);
});

test.serial('sessions at the same time have ranges and users of their own', async (t) => {
  const compilers = await Promise.all([openSession(t, host), openSession(t, host), openSession(t, host)]);
  t.is(mappedMemfds(), 6);
  const values = await Promise.all(
    compilers.map(async (compiler, index) => {
      const bits = Buffer.alloc(8);
      bits.writeDoubleLE(index);
      return callDouble(compiler, await load(compiler, storeConstant(bits.readBigUInt64LE())));
    }),
  );
  t.deepEqual(values, [0, 1, 2]);
  if (process.getuid?.() === 0) {
    const users = compilers.map(({ opened }) => {
      const status = readFileSync(`/proc/${opened.runner.processId}/status`, 'utf8');
      return /^Uid:\s+(\d+)/m.exec(status)?.[1];
    });
    t.is(new Set(users).size, 3);
    t.false(users.includes('0'));
  }
});

test.serial('no user of a host is a user of another', async (t) => {
  if (process.getuid?.() !== 0) return t.pass('only root gives users');
  const hosts = [createHostResources(), createHostResources()];
  const compilers = await Promise.all([...hosts, ...hosts].map((each) => openSession(t, each)));
  const users = compilers.map(({ opened }) => {
    t.true(opened.runner.confinement.ownUser);
    return Number(
      /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${opened.runner.processId}/status`, 'utf8'))?.[1],
    );
  });
  t.is(new Set(users).size, 4);
  t.is(new Set(users.map((user) => Math.floor(user / RANGE_USERS))).size, 2);
  // Away from those that are given to containers, and from all accounts.
  t.true(users.every((user) => user >= 0x7000_0000 && user < 0x7ffe_0000));
  for (const each of hosts) each.users.close();
});

test.serial('a host that has no users to give runs programs without, and says why', async (t) => {
  if (process.getuid?.() !== 0) return t.pass('only root gives users');
  const users = new UserPool(new UserRanges({ mapFiles: ['/proc/self/comm'] }));
  const resources = { ...createHostResources(), users };
  const { opened } = await openSession(t, { ...resources, runners: new RunnerPool(resources, 0) });
  const { ownUser, root, missing } = opened.runner.confinement;
  t.deepEqual({ ownUser, root }, { ownUser: false, root: true });
  t.true(
    missing.startsWith('own user (/proc/self/comm does not have the users from 1879048192 on)'),
    missing,
  );
});

test.serial('a session that fails to open leaves nothing', async (t) => {
  const failing = createHostResources({ runnerPath: '/bin/false' });
  const attempt = () => t.throwsAsync(openSession(t, failing), { code: 'RUNNER_START_FAILED' });
  await attempt();
  const before = descriptors().sort();
  for (let round = 0; round < 10; round++) await attempt();
  t.deepEqual(descriptors().sort(), before);
  t.is(mappedMemfds(), 0);
});
