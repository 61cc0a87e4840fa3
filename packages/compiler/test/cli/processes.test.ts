import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { descendants, ENDLESS, eventually, farjit, folderWith, gone, start } from './run-farjit.js';

/** A run that is in its endless loop, and the executor's and the runner's process ids. */
async function startEndless(t: ExecutionContext) {
  const cwd = await folderWith(t, { 'endless.ks': ENDLESS });
  const running = start(t, ['run', 'endless.ks'], { cwd });
  await running.printed('stdout', '7.000000\n');
  const helpers = await descendants(running.processId);
  t.true(helpers.length >= 2, 'an executor and its runner');
  return { ...running, helpers };
}

async function executorOf(helpers: readonly number[]): Promise<number> {
  for (const helper of helpers)
    if ((await readFile(`/proc/${helper}/cmdline`, 'utf8')).includes('--inherit-fd')) return helper;
  throw new Error('there is no executor');
}

const SIGNALS = [
  ['SIGINT', 130, 'interrupted'],
  ['SIGTERM', 143, 'ended by SIGTERM'],
  ['SIGHUP', 129, 'ended by SIGHUP'],
] as const;

for (const [signal, exitCode, words] of SIGNALS)
  test.serial(
    `${signal} ends a running call and the command with ${exitCode}, and no process is left`,
    async (t) => {
      const { child, finished, helpers } = await startEndless(t);
      child.kill(signal);
      t.deepEqual(await finished, {
        stdout: '7.000000\n',
        stderr: `endless.ks:3:1: error: ${words}\nspin(7);\n^\n`,
        end: exitCode,
      });
      await gone(helpers);
    },
  );

test.serial('an executor of our own that has stopped to answer is waited for once, and killed', async (t) => {
  const { child, finished, helpers } = await startEndless(t);
  process.kill(await executorOf(helpers), 'SIGSTOP');
  const startMs = performance.now();
  child.kill('SIGINT');
  t.deepEqual(await finished, {
    stdout: '7.000000\n',
    stderr: 'endless.ks:3:1: error: interrupted\nspin(7);\n^\n',
    end: 130,
  });
  // Two seconds for the call. To ask for the session's end would take five more, and the executor's own end two.
  t.true(performance.now() - startMs < 5000);
  await gone(helpers);
});

test.serial('killing the command leaves neither executor nor runner', async (t) => {
  const { child, finished, helpers } = await startEndless(t);
  child.kill('SIGKILL');
  t.is((await finished).end, 'SIGKILL');
  await gone(helpers);
});

test.serial('a run whose executor is killed says so and ends', async (t) => {
  const { processId, finished, helpers } = await startEndless(t);
  const executor = helpers.find((helper) => helper !== processId);
  process.kill(executor ?? 0, 'SIGKILL');
  const { stderr, end } = await finished;
  t.is(end, 1);
  t.regex(stderr, /^endless\.ks:3:1: error: the executor is gone: .*\nspin\(7\);\n\^\n$/);
  await gone(helpers);
});

const EXECUTOR = fileURLToPath(
  new URL('../../bin/farjit-executor.js', import.meta.resolve('@farjit/executor')),
);

async function startExecutor(t: ExecutionContext, args: string[], env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [EXECUTOR, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  t.teardown(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  return { child, printed: () => text };
}

test.serial('an executor that has stopped to answer keeps nobody from interrupting', async (t) => {
  const cwd = await folderWith(t, { 'endless.ks': ENDLESS });
  const url = `ws+unix:${join(cwd, 'socket')}`;
  const { child: executor, printed } = await startExecutor(t, ['--listen', url], {});
  await eventually(() => printed().includes('listening'), 'the executor listens');
  const { child, printed: shown, finished } = start(t, ['run', '--executor', url, 'endless.ks'], { cwd });
  await shown('stdout', '7.000000\n');
  executor.kill('SIGSTOP');
  t.teardown(() => executor.kill('SIGCONT'));
  child.kill('SIGINT');
  t.deepEqual(await finished, {
    stdout: '7.000000\n',
    stderr: 'endless.ks:3:1: error: interrupted\nspin(7);\n^\n',
    end: 130,
  });
});

test.serial(
  '--executor runs on an executor that somebody else started, one session after the other',
  async (t) => {
    const cwd = await folderWith(t, { 'program.ks': 'extern printd(x);\nprintd(1);' });
    const url = `ws+unix:${join(cwd, 'socket')}`;
    await startExecutor(t, ['--listen', url], {});
    await eventually(async () => {
      const { end } = await farjit(t, ['run', '--executor', url, 'program.ks'], { cwd });
      return end === 0;
    }, 'the executor answers');
    t.deepEqual(await farjit(t, ['run', '--executor', url, 'program.ks'], { cwd }), {
      stdout: '1.000000\nEvaluated to 0.000000\n',
      stderr: '',
      end: 0,
    });
  },
);

test.serial('the token for a ws:// executor comes from FARJIT_TOKEN', async (t) => {
  const cwd = await folderWith(t, { 'program.ks': '1;' });
  const { printed } = await startExecutor(t, ['--listen', 'ws://127.0.0.1:0'], {
    FARJIT_TOKEN: 'a-test-token-of-32-characters-00',
  });
  await eventually(() => /ws:\/\/127\.0\.0\.1:\d+/.test(printed()), 'the executor says where it listens');
  const url = /ws:\/\/127\.0\.0\.1:\d+/.exec(printed())?.[0] ?? '';
  const run = (token: string) =>
    farjit(t, ['run', '--executor', url, 'program.ks'], { cwd, env: { FARJIT_TOKEN: token } });
  const refused = await run('wrong');
  t.is(refused.end, 1);
  t.regex(refused.stderr, /401 \(this executor does not know the token\); give the token/);
  t.deepEqual(await run('a-test-token-of-32-characters-00'), {
    stdout: 'Evaluated to 1.000000\n',
    stderr: '',
    end: 0,
  });
});
