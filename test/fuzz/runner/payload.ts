import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { vocabulary } from './program.js';

const run = promisify(execFile);

/** Builds the native half, where it is not built yet. @returns the library to preload. */
export async function buildPayload(): Promise<string> {
  const folder = fileURLToPath(new URL('native/', import.meta.url));
  const sources = fileURLToPath(new URL('../../../fuzz/runner/native', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const header = join(folder, 'vocabulary.h');
  if (!existsSync(header) || readFileSync(header, 'utf8') !== vocabulary())
    writeFileSync(header, vocabulary());
  // Two of make would not go together.
  await run('flock', [sources, 'make', '-C', sources, `OUT=${folder}`]);
  return join(folder, 'fuzz-payload.so');
}
