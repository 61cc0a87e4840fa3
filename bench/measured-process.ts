import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A command to run; `stdinPath` is a file for its standard input, `cwd` its folder. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly stdinPath?: string;
  readonly cwd?: string;
}

/** How a process ended, and how long it took from its start to its exit. */
export interface ProcessRun {
  readonly wallMs: number;
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that is measured may take this long: a hundred times what the slowest takes on a slow machine. */
const PROCESS_TIMEOUT_MS = 120_000;

/**
 * Runs a command. Its output goes to files in `folder`, so that nobody else works while it does.
 * @throws {Error} when it cannot be started or does not end in time.
 */
export function runMeasured({ program, args, stdinPath, cwd }: Command, folder: string): Promise<ProcessRun> {
  const outputs = ['stdout', 'stderr'].map((name) => join(folder, name));
  const descriptors = outputs.map((path) => openSync(path, 'w'));
  const stdin = stdinPath === undefined ? undefined : openSync(stdinPath, 'r');
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const child = spawn(program, args, {
      cwd,
      stdio: [stdin ?? 'ignore', ...descriptors],
      timeout: PROCESS_TIMEOUT_MS,
    });
    for (const descriptor of [...descriptors, ...(stdin === undefined ? [] : [stdin])]) closeSync(descriptor);
    child.on('error', (cause) => reject(new Error(`cannot run ${program}: ${cause.message}`, { cause })));
    child.on('exit', (exitCode, signal) => {
      const wallMs = performance.now() - startMs;
      const [stdout = '', stderr = ''] = outputs.map((path) => readFileSync(path, 'utf8'));
      if (signal === 'SIGTERM')
        return reject(new Error(`${program} did not end within ${PROCESS_TIMEOUT_MS / 1000} s`));
      resolve({ wallMs, exitCode, stdout, stderr });
    });
  });
}
