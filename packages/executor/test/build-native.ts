import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Builds the runner and what tests of it need. */
export function buildNative(): Promise<void> {
  return make();
}

/** The same, watched by sanitizers, beside it in `dist/runner-sanitized`. */
export function buildSanitized(): Promise<void> {
  return make('OUT=../dist/runner-sanitized', 'SANITIZE=address,undefined,float-cast-overflow');
}

/** Test files run side by side, and two of make would not go together. */
async function make(...variables: string[]): Promise<void> {
  const sources = fileURLToPath(new URL('../../runner', import.meta.url));
  await run('flock', [sources, 'make', '-C', sources, ...variables, 'all', 'test-driver']);
}
