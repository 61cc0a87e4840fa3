import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Builds the runner and what tests of it need. Test files run side by side, and two of make would not go together. */
export async function buildNative(): Promise<void> {
  const sources = fileURLToPath(new URL('../../runner', import.meta.url));
  await run('flock', [sources, 'make', '-C', sources, 'all', 'test-driver']);
}
