import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** The command under test: the launcher. */
export const FARJIT = fileURLToPath(new URL('../../launcher/farjit', import.meta.url));
/** What it becomes, which works alone too. */
export const FARJIT_JS = fileURLToPath(new URL('../../../bin/farjit.js', import.meta.url));
export const EXAMPLES = fileURLToPath(new URL('../../../../../examples/', import.meta.url));

/** A program that prints a line when its endless loop begins. */
export const ENDLESS = 'extern printd(x);\ndef spin(x) for i = printd(x), 1 < 2 in x;\nspin(7);\n8;\n';

/** Far beyond what any of it takes, on a busy machine too. */
const TIMEOUT_MS = 60_000;

/** What a command left behind. */
export interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code, or the signal that ended it. */
  readonly end: number | NodeJS.Signals | null;
}

/** A command that is running. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly processId: number;
  readonly finished: Promise<Finished>;
  /** What has come on standard output. */
  readonly stdoutSoFar: () => string;
  /** Waits until standard output or standard error has the text. */
  printed(stream: 'stdout' | 'stderr', text: string): Promise<void>;
}

/** A folder of files that goes away with the test. */
export async function folderWith(t: ExecutionContext, files: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'farjit-cli-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

/**
 * Starts `farjit`, in a pseudo-terminal's stead on pipes, without colours and with an empty cache of its own; it does not
 * outlive the test.
 */
export function start(
  t: ExecutionContext,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; command?: readonly string[] } = {},
): Running {
  const [command = '', ...before] = options.command ?? [FARJIT];
  const env = { ...process.env, NO_COLOR: '1', XDG_CACHE_HOME: cacheHome(t), ...options.env };
  const child = spawn(command, [...before, ...args], { cwd: options.cwd, env, stdio: 'pipe' });
  t.teardown(() => child.kill('SIGKILL'));
  const { pid } = child;
  if (pid === undefined) throw new Error(`cannot start ${command}`);
  // A command that has ended does not read what is left for it.
  child.stdin.on('error', () => {});
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk;
    });
  const finished = once(child, 'close').then(([code, signal]) => ({ ...text, end: code ?? signal }));
  const printed = (stream: 'stdout' | 'stderr', wanted: string) => {
    let searched = 0;
    const isThere = () => {
      const from = Math.max(0, searched - wanted.length);
      searched = text[stream].length;
      return text[stream].includes(wanted, from);
    };
    return eventually(isThere, `${JSON.stringify(wanted)} on ${stream}`).catch((error) => {
      const [stdout, stderr] = [text.stdout.slice(-1000), text.stderr.slice(-1000)];
      throw new Error(`${error.message}; there is ${JSON.stringify({ stdout, stderr })}`);
    });
  };
  return { child, processId: pid, finished, stdoutSoFar: () => text.stdout, printed };
}

/** No test may see what the user has, or another test has left. */
function cacheHome(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-cache-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `farjit` to its end. */
export function farjit(
  t: ExecutionContext,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; input?: string } = {},
): Promise<Finished> {
  const { child, finished } = start(t, args, options);
  child.stdin.end(options.input ?? '');
  return finished;
}

/** Runs a program from a file `program.ks` in a folder of its own. */
export async function runProgram(
  t: ExecutionContext,
  program: string,
  args: readonly string[] = [],
): Promise<Finished> {
  const cwd = await folderWith(t, { 'program.ks': program });
  return farjit(t, ['run', 'program.ks', ...args], { cwd });
}

/** Asks until the answer is yes. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  for (const endMs = Date.now() + timeoutMs; Date.now() < endMs; ) {
    if (await condition()) return;
    await delay(10);
  }
  throw new Error(`still not so after ${timeoutMs} ms: ${what}`);
}

/** The processes a process has started, and those they have started. */
export async function descendants(processId: number): Promise<number[]> {
  const text = await readFile(`/proc/${processId}/task/${processId}/children`, 'utf8').catch(() => '');
  const children = text.split(' ').filter(Boolean).map(Number);
  const below = await Promise.all(children.map(descendants));
  return [...children, ...below.flat()];
}

/** Waits until processes are gone; one that only waits to be reaped is. */
export async function gone(processIds: readonly number[]): Promise<void> {
  const isGone = async (processId: number) => {
    const stat = await readFile(`/proc/${processId}/stat`, 'utf8').catch(() => undefined);
    return stat === undefined || stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  };
  for (const processId of processIds)
    await eventually(() => isGone(processId), `process ${processId} is gone`);
}
