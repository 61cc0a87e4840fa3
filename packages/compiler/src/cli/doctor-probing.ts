import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How an attempt ended: with its output's first line, or the first line of what went wrong. */
export interface Attempt {
  readonly works: boolean;
  readonly words: string;
}

/** Longer than the slowest of them, loading a libLLVM from a cold disk. */
const PROBE_TIMEOUT_MS = 30_000;

/**
 * Tries something in a process of its own, since a broken addon or library may crash instead of throwing.
 * @param what one of the probes of `doctor-probe.ts`
 */
export function probe(
  what: 'libllvm' | 'llvm-bindings' | 'ffi-rs' | 'kernel',
  ...args: string[]
): Promise<Attempt> {
  const program = fileURLToPath(new URL('../../bundle/doctor-probe.cjs', import.meta.url));
  return tryCommand(process.execPath, [program, what, ...args]);
}

/** Runs a command; it works when it exists and ends with exit code 0. Never rejects. */
export function tryCommand(command: string, args: readonly string[]): Promise<Attempt> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: PROBE_TIMEOUT_MS }, (error, stdout, stderr) => {
      if (!error) return resolve({ works: true, words: firstLine(stdout) });
      const how = error.signal ? `ended by ${error.signal}` : `ended with ${error.code}`;
      resolve({ works: false, words: firstLine(stderr) || how });
    });
  });
}

function firstLine(text: string): string {
  return text.trimStart().split('\n')[0]?.trimEnd() ?? '';
}
