import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const folder = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const built = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

export const FARJIT_CONFINE = built('confine/farjit-confine');
/** Prints what came of each attempt at what confined code must not be able to do. */
export const ATTEMPT = built('confine/attempt');
/** Makes the same attempts in the code generator that loads it, when it is given its first module. */
export const HOSTILE_LIBLLVM = built('codegen/hostile-llvm.so');

/** Builds them. Test files run side by side, and two of make would not go together. */
export async function buildConfinementTests(): Promise<void> {
  const sources = folder('confine');
  for (const of of [sources, folder('codegen')]) await run('flock', [sources, 'make', '-C', of, 'test']);
}

/** Lines of `name: outcome`. */
export function outcomes(text: string): Map<string, string> {
  const lines = text.trim().split('\n');
  return new Map(lines.map((line) => line.split(': ') as [string, string]));
}
