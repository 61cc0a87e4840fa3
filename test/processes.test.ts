import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';
import { isAlive } from './proc.js';

interface Victim {
  readonly child: ChildProcess;
  readonly executor: number;
  readonly runner: number;
  /** What the child has printed since. */
  readonly printed: () => string;
  /** Everything in its temporary directory, and shared memory objects of ours. */
  readonly leftovers: () => string[];
}

/** A compiler in a process of its own, with a temporary directory of its own and an endless call under way. */
async function startVictim(t: ExecutionContext): Promise<Victim> {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  const script = fileURLToPath(new URL('./endless-call.js', import.meta.url));
  const child = spawn(process.execPath, [script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: directory },
  });
  t.teardown(() => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await eventually(() => text.includes('\n'), 'the child has said its processes');
  const [line = ''] = text.split('\n');
  const { executor, runner } = JSON.parse(line) as { executor: number; runner: number };
  t.true(isAlive(executor) && isAlive(runner));
  const leftovers = () => [
    ...readdirSync(directory),
    ...readdirSync('/dev/shm').filter((name) => name.startsWith('farjit')),
  ];
  return { child, executor, runner, printed: () => text.slice(line.length + 1), leftovers };
}

test('killing the compiler leaves no process, socket file or shared memory', async (t) => {
  const { child, executor, runner, leftovers } = await startVictim(t);
  child.kill('SIGKILL');
  await eventually(() => !isAlive(executor) && !isAlive(runner), 'executor and runner are gone');
  t.deepEqual(leftovers(), []);
});

test('killing the executor leaves no runner, and the compiler says what happened', async (t) => {
  const { child, executor, runner, printed, leftovers } = await startVictim(t);
  const exited = once(child, 'exit');
  process.kill(executor, 'SIGKILL');
  await eventually(() => !isAlive(runner), 'the runner is gone');
  t.deepEqual(await exited, [0, null]);
  t.is(printed(), 'CONNECTION_CLOSED, then SESSION_CLOSED\n');
  t.deepEqual(leftovers(), []);
});

test('closing leaves no process', async (t) => {
  const { jit } = await openJIT(t);
  await evaluateAll(jit, '1;');
  const processes = [jit.localExecutorProcessId ?? 0, jit.runner.processId];
  t.true(processes.every(isAlive));
  await jit.close();
  t.deepEqual(processes.filter(isAlive), []);
});
