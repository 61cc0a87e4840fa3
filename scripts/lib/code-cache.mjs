import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePaths, COMMANDS } from './bundle.mjs';

const WRITER = fileURLToPath(new URL('./code-cache-writer.cjs', import.meta.url));
/** A program that takes the ways through the code which programs take. */
const PROGRAM = fileURLToPath(new URL('./code-cache.ks', import.meta.url));
/** A run takes a fraction of a second; one that hangs must not keep the build. */
const TIMEOUT_MS = 60_000;

/** Whether the bundles lack what V8 made of them. */
export function codeCachesAreMissing() {
  return COMMANDS.some((command) => !existsSync(bundlePaths(command).codeCache));
}

/**
 * Writes the bundles' code caches: what V8 has compiled of them in the course of running a program, which it need not
 * do again. Does nothing where a program cannot be run: a code cache is only faster.
 */
export async function writeCodeCaches() {
  const [compiler, executor] = COMMANDS.map((command) => ({ ...bundlePaths(command), main: command.main }));
  for (const { codeCache } of [compiler, executor]) rmSync(codeCache, { force: true });
  const host = startWriter(executor, ['--inherit-fd', '3'], ['ignore', 'ignore', 'ignore', 'pipe']);
  const [, , , socket] = host.stdio;
  // The compiler ends its executor's process at once; this one shall write its code cache.
  const standIn = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { timeout: TIMEOUT_MS });
  const adopt = `--adopt-executor=3:${standIn.pid}`;
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-build-'));
  const run = startWriter(
    compiler,
    [adopt, 'run', '--cache-dir', cacheDir, PROGRAM],
    ['ignore', 'ignore', 'ignore', socket],
  );
  socket.destroy();
  await Promise.all([host, run].map((child) => once(child, 'exit')));
  standIn.kill('SIGKILL');
  rmSync(cacheDir, { recursive: true });
}

function startWriter({ script, codeCache, main }, args, stdio) {
  return spawn(process.execPath, [WRITER, script, codeCache, main, ...args], { stdio, timeout: TIMEOUT_MS });
}
