import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { spawnMortal } from '#executor/test/mortal-process.js';
import { eventually } from './jit-fixture.js';

/** What ends what was started for it: a test, or all of a file's. */
export type Ending = Pick<ExecutionContext, 'teardown'>;

export interface ExecutorProcess {
  readonly child: ChildProcess;
  readonly url: string;
  /** For loopback listeners. */
  readonly token: string;
}

/** The executor's program, for Node. */
export const EXECUTOR_MAIN = fileURLToPath(
  new URL('../../bin/farjit-executor.js', import.meta.resolve('@farjit/executor')),
);

/** An executor of its own process, as an administrator starts it. */
export async function startExecutor(
  t: Ending,
  listen = socketUrl(t),
  args: readonly string[] = [],
): Promise<ExecutorProcess> {
  const child = spawnMortal([EXECUTOR_MAIN, '--listen', listen, ...args], {
    env: { ...process.env, FARJIT_LOG_FORMAT: 'pretty' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  t.teardown(() => kill(child));
  const isLoopback = listen.startsWith('ws:');
  await eventually(() => (isLoopback ? /FARJIT_TOKEN=\S+\n/ : /listening on \S+\n/).test(said), 'it listens');
  const url = /listening on (\S+)/.exec(said)?.[1] ?? '';
  return { child, url, token: /FARJIT_TOKEN=(\S+)/.exec(said)?.[1] ?? '' };
}

/** So many, each on a Unix socket. */
export function startExecutors(t: ExecutionContext, count: number): Promise<ExecutorProcess[]> {
  return Promise.all(Array.from({ length: count }, () => startExecutor(t)));
}

/** Ends a process that may have ended, or be stopped. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Where no other process listens. */
export function socketUrl(t: Ending): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return `ws+unix:${join(directory, 'executor')}`;
}
