import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RunnerLostError } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { randomFrom } from '#compiler/test/random.js';
import { socketUrl, startExecutor } from '../executor-process.js';
import { eventually, openJIT } from '../jit-fixture.js';
import { descriptorTargets, isAlive, threadCount } from '../proc.js';
import { rounds } from './length.js';

const RUNNER_KILLS = rounds(10, 1000);
const PROCESS_KILLS = rounds(2, 1000);
const LONG_MS = 3 * 60 * 60 * 1000;

/** Descriptors of a process by what they lead to, without numbers of sockets and pipes. */
function descriptors(processId: number): string {
  return descriptorTargets(processId)
    .map((target) => target.replace(/\d+/g, 'N'))
    .sort()
    .join(' ');
}

test.serial(
  'the runner killed during callbacks: the error says so, and nothing of it is left in the host',
  async (t) => {
    t.timeout(LONG_MS);
    const { jit } = await openJIT(t, { optLevel: 0 });
    const host = jit.localExecutorProcessId ?? 0;
    const random = randomFrom(16_180_339);
    await jit.addSource(
      Array.from({ length: 8 }, (_, i) => `def c${i}(x) ${i === 0 ? 'x' : `c${i - 1}(x)`} + 1;`).join('\n'),
    );
    const call = await jit.lookup('c7');
    t.is(await call(0), 8);
    const { functionsCompiled } = jit.statistics();
    const before = { descriptors: descriptors(host), threads: threadCount(host) };
    let lost = 0;
    for (let round = 1; round <= RUNNER_KILLS; round++) {
      const { processId, generation } = jit.runner;
      // Until the loss is known; a kill between two calls makes none of them fail.
      const calls = (async () => {
        while (jit.statistics().runnersLost === round - 1) {
          await call(round);
          // A callback again: the same definition anew.
          await jit.addSource('def c3(x) c2(x) + 1;');
        }
      })();
      const failed = calls.then(
        () => undefined,
        (error: unknown) => error,
      );
      await delay(random(12));
      process.kill(processId, 'SIGKILL');
      const error = await failed;
      if (error instanceof RunnerLostError) {
        lost++;
        t.deepEqual(error.end, { kind: 'signal', signal: 'SIGKILL' });
      } else if (error) return t.fail(String(error));
      await eventually(() => jit.statistics().runnersLost === round, 'the loss is known');
      t.false(isAlive(processId));
      t.is(await call(round), 8 + round);
      t.is(jit.runner.generation, generation + 1);
      await eventually(() => descriptors(host) === before.descriptors, 'descriptors are as they were');
    }
    t.is(threadCount(host), before.threads);
    t.log(`${RUNNER_KILLS} kills, ${lost} of them lost a call`);
    t.true(lost > 0);
    // Not even what was defined anew: it is the same function.
    t.is(jit.statistics().functionsCompiled, functionsCompiled);
    t.deepEqual((await jit.executorStatus()).blocked, []);
  },
);

interface Victim {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  readonly executor: number;
  readonly runner: number;
  readonly printed: () => string;
  readonly directory: string;
}

/** @param url of an executor that is there already. */
async function startVictim(t: ExecutionContext, url = ''): Promise<Victim> {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-victim-'));
  const child = spawn(process.execPath, [fileURLToPath(new URL('./victim.js', import.meta.url)), url], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: directory },
  });
  t.teardown(() => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const exited = once(child, 'close');
  await eventually(() => text.includes('\n'), 'the victim has said its processes');
  const [line = ''] = text.split('\n');
  const { executor, runner } = JSON.parse(line) as { executor: number; runner: number };
  return { child, exited, executor, runner, printed: () => text.slice(line.length + 1), directory };
}

/** Processes that were started with the victim's environment: all of them but the runner, which has none. */
function processesOf({ directory }: Victim): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false;
    try {
      return isAlive(Number(name)) && readFileSync(`/proc/${name}/environ`, 'latin1').includes(directory);
    } catch {
      return false;
    }
  });
}

/** Nothing is left of it: processes, and with them descriptors, memfds and threads; files; shared memory. */
async function isGone(t: ExecutionContext, victim: Victim): Promise<number> {
  const startMs = performance.now();
  await eventually(
    () => processesOf(victim).length === 0 && ![victim.executor, victim.runner].some(isAlive),
    'all processes are gone',
  );
  const goneMs = performance.now() - startMs;
  t.deepEqual(readdirSync(victim.directory), []);
  t.deepEqual(
    readdirSync('/dev/shm').filter((name) => name.startsWith('farjit')),
    [],
  );
  rmSync(victim.directory, { recursive: true });
  return goneMs;
}

for (const [who, expected] of [
  ['compiler', ''],
  ['host', /^(CONNECTION_CLOSED|SESSION_CLOSED), then SESSION_CLOSED\n$/],
] as const)
  test.serial(`the ${who} killed during callbacks: nothing is left`, async (t) => {
    t.timeout(LONG_MS);
    const random = randomFrom(who === 'host' ? 577_215 : 693_147);
    let slowestMs = 0;
    for (let round = 0; round < PROCESS_KILLS; round++) {
      const victim = await startVictim(t);
      await delay(random(60));
      if (who === 'compiler') victim.child.kill('SIGKILL');
      else process.kill(victim.executor, 'SIGKILL');
      const goneMs = await isGone(t, victim);
      const [code, signal] = await victim.exited;
      if (expected === '') t.is(signal, 'SIGKILL');
      else {
        t.is(code, 0);
        t.regex(victim.printed(), expected);
      }
      slowestMs = Math.max(slowestMs, goneMs);
    }
    t.log(`${PROCESS_KILLS} times; gone after ${Math.ceil(slowestMs)} ms at most`);
  });

test.serial(
  "a server's compiler killed during callbacks: after the time to live nothing of its session is left",
  async (t) => {
    t.timeout(LONG_MS);
    const { child, url } = await startExecutor(t, socketUrl(t), ['--session-ttl=0.1', '--pool=0']);
    const host = child.pid ?? 0;
    const { jit } = await openJIT(t, { executor: { url } });
    const before = { descriptors: descriptors(host), threads: threadCount(host) };
    const random = randomFrom(141_421);
    for (let round = 0; round < PROCESS_KILLS; round++) {
      const victim = await startVictim(t, url);
      await delay(random(60));
      victim.child.kill('SIGKILL');
      await isGone(t, { ...victim, executor: victim.runner });
      await eventually(() => descriptors(host) === before.descriptors, 'descriptors are as they were');
    }
    t.is(threadCount(host), before.threads);
    t.deepEqual(await jit.addSource('1 + 1;'), [{ status: 'fulfilled', value: 2 }]);
  },
);
