import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { KaleidoscopeJIT } from '@farjit/compiler';
import { FarJITError } from '@farjit/protocol/errors';
import test, { type ExecutionContext } from 'ava';
import { spawnMortal } from '#executor/test/mortal-process.js';
import { EXECUTOR_MAIN, kill } from '../executor-process.js';
import { evaluateAll, eventually } from '../jit-fixture.js';
import { descriptorCount, isAlive, threadCount } from '../proc.js';
import { cannotRunAsUser } from './as-user.js';

const MIB = 1024 ** 2;
/** More than fits into any of the limits. */
const MAX_SESSIONS = 40;
/** An ordinary user that runs nothing else here: the kernel counts processes by user. */
const LONELY_USER = 64_321;

interface LimitedHost {
  readonly processId: number;
  readonly url: string;
}

/** An executor, which a session has used, and from then on has a limit of prlimit(1). */
async function startLimited(
  t: ExecutionContext,
  limitOf: (processId: number) => string,
  user?: number,
): Promise<LimitedHost> {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-pressure-'));
  chmodSync(directory, 0o777);
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const url = `ws+unix:${join(directory, 'executor')}`;
  const as = user === undefined ? {} : { uid: user, gid: user, env: { PATH: process.env.PATH, HOME: '/' } };
  const child = spawnMortal([EXECUTOR_MAIN, '--listen', url, '--pool', '0'], {
    ...as,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => kill(child));
  await once(child.stderr as Readable, 'data');
  child.stderr?.resume();
  await (await KaleidoscopeJIT.create({ executor: { url } })).close();
  const processId = child.pid ?? 0;
  execFileSync('prlimit', ['--pid', String(processId), limitOf(processId)], as);
  return { url, processId };
}

/** Opens sessions until one is refused, and answers them and the refusal. */
async function openAll(t: ExecutionContext, { url }: LimitedHost) {
  const jits: KaleidoscopeJIT[] = [];
  t.teardown(() => Promise.all(jits.map((jit) => jit.close())));
  while (jits.length < MAX_SESSIONS)
    try {
      jits.push(await KaleidoscopeJIT.create({ executor: { url } }));
    } catch (error) {
      if (!(error instanceof FarJITError)) throw error;
      t.log(`${jits.length} sessions, then ${error.message}`);
      t.is(error.code, 'RUNNER_START_FAILED');
      return { jits, reason: error.message };
    }
  throw new Error(`${MAX_SESSIONS} sessions, and none was refused`);
}

function bytesOf(processId: number, field: string): number {
  const status = readFileSync(`/proc/${processId}/status`, 'utf8');
  return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
}

interface Case {
  readonly limit: string;
  /** Room for some sessions. */
  readonly limitOf: (processId: number) => string;
  readonly reason: RegExp;
  readonly user?: number;
}

const CASES: readonly Case[] = [
  {
    limit: 'limit on descriptors',
    limitOf: (id) => `--nofile=${descriptorCount(id) + 40}`,
    reason: /EMFILE|descriptors have run out/,
  },
  {
    limit: 'limit on address space',
    limitOf: (id) => `--as=${bytesOf(id, 'VmSize') + 1024 * MIB}`,
    reason: /ENOMEM/,
  },
  { limit: 'limit on data', limitOf: (id) => `--data=${bytesOf(id, 'VmData') + 66 * MIB}`, reason: /ENOMEM/ },
  {
    limit: 'limit on processes',
    limitOf: (id) => `--nproc=${threadCount(id) + 6}`,
    reason: /EAGAIN/,
    user: LONELY_USER,
  },
];

for (const { limit, limitOf, reason, user } of CASES)
  test.serial(
    `a host at its ${limit} refuses one more session, and serves when others have ended`,
    async (t) => {
      const obstacle = user === undefined ? undefined : cannotRunAsUser();
      if (obstacle !== undefined) return t.pass(obstacle);
      const host = await startLimited(t, limitOf, user);
      for (let round = 0; round < 2; round++) {
        const { jits, reason: words } = await openAll(t, host);
        t.regex(words, reason);
        const [first] = jits;
        if (!first) return t.fail('no session at all');
        await Promise.all(jits.slice(1).map((jit) => jit.close()));
        t.deepEqual(await evaluateAll(first, '2 + 2;'), [4]);
        await first.close();
        t.true(isAlive(host.processId));
      }
    },
  );

test.serial(
  'whichever descriptor is one too many, a session is refused and nothing is left of it',
  async (t) => {
    const host = await startLimited(t, (id) => `--nofile=${descriptorCount(id)}:`);
    const openCount = descriptorCount(host.processId);
    const codes = new Set<string>();
    const isOpenedWith = async (moreCount: number) => {
      const limit = `--nofile=${openCount + moreCount}:`;
      execFileSync('prlimit', ['--pid', String(host.processId), limit]);
      try {
        const jit = await KaleidoscopeJIT.create({ executor: { url: host.url } });
        t.deepEqual(await evaluateAll(jit, '1 + 1;'), [2]);
        await jit.close();
        return true;
      } catch (error) {
        codes.add(error instanceof FarJITError ? error.code : String(error));
        return false;
      }
    };
    let moreCount = 0;
    while (moreCount < 64 && !(await isOpenedWith(moreCount))) moreCount++;
    t.log(`a session needs ${moreCount} descriptors of its host`);
    t.true(moreCount > 4 && moreCount < 64);
    codes.delete('CONNECT_FAILED');
    t.deepEqual([...codes], ['RUNNER_START_FAILED']);
    await eventually(() => descriptorCount(host.processId) <= openCount, 'nothing is left');
    t.true(isAlive(host.processId));
  },
);

test.serial(
  'a host that may write no file as large as a session’s memory refuses it, and lives',
  async (t) => {
    const host = await startLimited(t, () => `--fsize=${MIB}`);
    const { jits, reason } = await openAll(t, host);
    t.is(jits.length, 0);
    t.regex(reason, /EFBIG/);
    t.true(isAlive(host.processId));
  },
);
