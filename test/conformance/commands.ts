import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { signalNumber } from '#compiler/src/calls/signal-numbers.js';
import type { Outcome } from './program.js';

/** More output than any program here has. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

const WATCH_MS = 500;
/** Of `/proc/PID/stat`, on every Linux. */
const TICK_MS = 10;
/** Where `utime` and `stime` are behind the name of the program. */
const [USER_FIELD, SYSTEM_FIELD] = [11, 12];

/** How a command is run. */
export interface CommandOptions {
  readonly cwd?: string;
  /** Its whole environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array;
  readonly timeoutMs: number;
  /** How long it may run, without the time in which the machine does other things. */
  readonly cpuMs?: number;
  /** What it is told to be called. */
  readonly argv0?: string;
}

/** A command did not end in its time, or would not stop to print. */
export class EndlessError extends Error {}

/**
 * Runs a command to its end.
 * @throws {EndlessError}
 */
export function runCommand(
  command: string,
  args: readonly string[],
  { cwd, env, stdin = new Uint8Array(), timeoutMs, cpuMs = Infinity, argv0 }: CommandOptions,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: env ?? process.env,
      ...(argv0 === undefined ? {} : { argv0 }),
    });
    const output = { stdout: '', stderr: '' };
    let endless: string | undefined;
    const stop = (words: string) => {
      endless = `${command} ${words}`;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop(`has not ended after ${timeoutMs} ms`), timeoutMs);
    const watch = setInterval(() => {
      if (usedCpuMs(child.pid) > cpuMs) stop(`has not ended after running for ${cpuMs} ms`);
    }, WATCH_MS);
    const endTimers = () => {
      clearTimeout(timer);
      clearInterval(watch);
    };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('latin1').on('data', (text: string) => {
        output[name] += text;
        if (output[name].length > MAX_OUTPUT_BYTES) stop(`prints more than ${MAX_OUTPUT_BYTES} bytes`);
      });
    // It may end without reading it.
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
    child.on('error', (error) => {
      endTimers();
      reject(error);
    });
    child.on('close', (code, signal) => {
      endTimers();
      if (endless !== undefined) reject(new EndlessError(endless));
      else resolve({ exitCode: code ?? 128 + signalNumber(signal ?? ''), ...output });
    });
  });
}

/** How long a process has run; 0 when it is there no more. */
function usedCpuMs(processId: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[USER_FIELD]) + Number(fields[SYSTEM_FIELD])) * TICK_MS;
  } catch {
    // It has just ended.
    return 0;
  }
}

/** A compiler ends, sooner or later: on a machine that is busy sqlite takes many minutes. */
const TOOL_TIMEOUT_MS = 3_600_000;

/**
 * Runs a command that is expected to do what it is told.
 * @throws {Error} with what it says when it does not.
 */
export async function runTool(command: string, args: readonly string[], cwd?: string): Promise<void> {
  const { exitCode, stderr } = await runCommand(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    timeoutMs: TOOL_TIMEOUT_MS,
  });
  if (exitCode !== 0)
    throw new Error(`${command} ended with exit code ${exitCode}:\n${stderr.slice(0, 4000)}`);
}
