import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { createHostResources, type HostResources } from '../src/index.js';
import type { RunnerEvents } from '../src/runner-start.js';
import { storeConstant } from './machine-code.js';
import { callDouble, load, openSession, until } from './session-fixture.js';

/** A host with a pool, which the test's end closes. */
async function hostWith(t: ExecutionContext, poolSize: number, runnerPath?: string): Promise<HostResources> {
  const host = createHostResources({ poolSize, ...(runnerPath === undefined ? {} : { runnerPath }) });
  t.teardown(() => host.runners.close());
  host.runners.fill();
  await host.runners.settled();
  return host;
}

/** Child processes of this one: there are no others than runners. */
function runners(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

function statusOf(processId: number, field: string): string {
  const status = readFileSync(`/proc/${processId}/status`, 'utf8');
  return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '';
}

test.serial('without a size nothing is started in advance', async (t) => {
  const host = await hostWith(t, 0);
  t.is(host.runners.warmCount, 0);
  t.deepEqual(runners(), []);
  const { session } = await openSession(t, host);
  await session.close('done');
  await host.runners.settled();
  t.is(host.runners.warmCount, 0);
});

test.serial('a session takes a runner that waits, and is confined while it does', async (t) => {
  const host = await hostWith(t, 2);
  t.is(host.runners.warmCount, 2);
  const waiting = runners();
  t.is(waiting.length, 2);
  for (const processId of waiting) {
    t.is(statusOf(processId, 'Seccomp'), '2');
    if (process.getuid?.() === 0) t.not(statusOf(processId, 'Uid').split('\t')[0], '0');
  }
  const compiler = await openSession(t, host);
  const { processId, confinement } = compiler.opened.runner;
  t.true(waiting.includes(processId));
  t.true(confinement.seccomp && confinement.noNewPrivileges && !confinement.dumpable);
  t.is(await callDouble(compiler, await load(compiler, storeConstant(0x3ff0_0000_0000_0000n))), 1);
  await compiler.session.close('done');
});

test.serial('what was taken is replaced later, and there are never more than the size says', async (t) => {
  const host = await hostWith(t, 2);
  const sessions = await Promise.all([openSession(t, host), openSession(t, host), openSession(t, host)]);
  const ids = sessions.map(({ opened }) => opened.runner.processId);
  t.is(new Set(ids).size, 3);
  await until(() => host.runners.warmCount === 2);
  t.is(runners().length, 5);
  host.runners.fill();
  await host.runners.settled();
  t.is(host.runners.warmCount, 2);
  for (const { session } of sessions) await session.close('done');
});

test.serial('two sessions on pooled runners are different users', async (t) => {
  if (process.getuid?.() !== 0) return t.pass('only root can give users');
  const host = await hostWith(t, 2);
  const sessions = await Promise.all([openSession(t, host), openSession(t, host)]);
  const users = sessions.map(({ opened }) => statusOf(opened.runner.processId, 'Uid'));
  t.is(new Set(users).size, 2);
  for (const { session } of sessions) await session.close('done');
});

test.serial('one that ends while it waits is forgotten, with its memory', async (t) => {
  const host = await hostWith(t, 1);
  const [waiting = 0] = runners();
  process.kill(waiting, 'SIGKILL');
  await until(() => host.runners.warmCount === 0);
  t.notRegex(readFileSync('/proc/self/maps', 'utf8'), /memfd:farjit/);
  const { opened, session } = await openSession(t, host);
  t.not(opened.runner.processId, waiting);
  await until(() => host.runners.warmCount === 1);
  await session.close('done');
});

test.serial(
  'one that has just ended, which nobody knows yet, costs a session nothing but time',
  async (t) => {
    const host = await hostWith(t, 2);
    const waiting = runners();
    for (const processId of waiting) process.kill(processId, 'SIGKILL');
    // Without a turn of the event loop, in which there would be news of it.
    for (const processId of waiting) while (!statusOf(processId, 'State').startsWith('Z'));
    t.is(host.runners.warmCount, 2);
    const { opened, session } = await openSession(t, host);
    t.false(waiting.includes(opened.runner.processId));
    await session.close('done');
  },
);

test.serial(
  'where runners cannot be started, sessions are told and nothing is tried over and over',
  async (t) => {
    const host = await hostWith(t, 2, '/bin/false');
    t.is(host.runners.warmCount, 0);
    await t.throwsAsync(openSession(t, host), { code: 'RUNNER_START_FAILED' });
  },
);

test.serial('closing ends those that wait, and starts no more', async (t) => {
  const host = await hostWith(t, 2);
  const { session } = await openSession(t, host);
  await session.close('done');
  const closing = host.runners.close();
  host.runners.fill();
  await closing;
  t.is(host.runners.warmCount, 0);
  t.deepEqual(runners(), []);
  // A fill that was to come later does not.
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.deepEqual(runners(), []);
});

test.serial('a runner that has ended cannot be taken into use, as often as it is asked', async (t) => {
  const host = await hostWith(t, 1);
  const { process: runner, release } = await host.runners.take();
  const told: unknown[] = [];
  const events = new Proxy({}, { get: (_, name) => () => told.push(name) }) as RunnerEvents;
  process.kill(runner.processId, 'SIGKILL');
  while (!statusOf(runner.processId, 'State').startsWith('Z'));
  t.throws(() => runner.use(events), { code: 'RUNNER_START_FAILED', message: /ended just now/ });
  await runner.ended;
  t.throws(() => runner.use(events), { code: 'RUNNER_START_FAILED', message: /SIGKILL/ });
  t.deepEqual(told, []);
  release();
});

test.serial('a runner is taken into use once', async (t) => {
  const host = await hostWith(t, 1);
  const { process: runner, release } = await host.runners.take();
  const events = new Proxy({}, { get: () => () => {} }) as RunnerEvents;
  runner.use(events);
  t.throws(() => runner.use(events), { code: 'RUNNER_START_FAILED', message: /in use already/ });
  runner.kill({ kind: 'cancelled' });
  await runner.ended;
  release();
});
