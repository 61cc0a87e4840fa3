import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodegenPool, connectExecutors, type ExecutorPool, type ExecutorPoolOptions } from '@farjit/compiler';
import type { ExecutionContext } from 'ava';
import { eventually } from './jit-fixture.js';

/** An executor of its own process, on a Unix socket. */
export interface ProcessExecutor {
  readonly child: ChildProcess;
  readonly url: string;
}

const MAIN = fileURLToPath(new URL('../../bin/farjit-executor.js', import.meta.resolve('@farjit/executor')));

/** Where an executor may listen. */
export function socketUrl(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return `ws+unix:${join(directory, 'executor')}`;
}

export async function startExecutor(
  t: ExecutionContext,
  url = socketUrl(t),
  args: readonly string[] = [],
): Promise<ProcessExecutor> {
  const child = spawn(process.execPath, [MAIN, '--listen', url, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  t.teardown(() => kill(child));
  await eventually(() => said.includes('listening on '), 'it listens');
  return { child, url };
}

export function startExecutors(t: ExecutionContext, count: number): Promise<ProcessExecutor[]> {
  return Promise.all(Array.from({ length: count }, () => startExecutor(t)));
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** A pool, closed with the test. */
export async function openPool(
  t: ExecutionContext,
  urls: readonly string[],
  options: ExecutorPoolOptions = {},
): Promise<ExecutorPool> {
  const pool = await connectExecutors(urls, { speculate: 'off', ...options });
  t.teardown(() => pool.close());
  return pool;
}

/** Code generators that count what each is asked for, by target. */
export class CountingCodegen extends CodegenPool {
  /** Modules compiled, as `name for features`. */
  readonly compiled: string[] = [];

  override compile(input: Parameters<CodegenPool['compile']>[0]): ReturnType<CodegenPool['compile']> {
    this.compiled.push(`${input.name} for ${input.target.cpuFeatures || 'baseline'}`);
    return super.compile(input);
  }
}

export function countingCodegen(t: ExecutionContext): CountingCodegen {
  const codegen = new CountingCodegen();
  t.teardown(() => codegen.stop());
  return codegen;
}

/** `count` doubles, each different. */
export function doubles(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => index / 8 - 100);
}
