import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePaths, COMMANDS } from './bundle.mjs';
import { ROOT } from './paths.mjs';

const WRITER = fileURLToPath(new URL('./code-cache-writer.cjs', import.meta.url));
/** A program that takes the ways through the code which programs take. */
const PROGRAM = fileURLToPath(new URL('./code-cache.ks', import.meta.url));
const HOST = join(ROOT, 'packages/executor/bin/farjit-executor.js');
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
  // The compiler ends its executor's process at once. The first of them shall write its code cache before it ends, so
  // the compiler is told of another process.
  const standIn = startNode(['-e', 'setInterval(() => {}, 1000)'], 'ignore');
  const hosts = [writer(executor, ['--inherit-fd', '3']), [HOST, '--inherit-fd', '3']].map((args) =>
    startNode(args, ['ignore', 'ignore', 'ignore', 'pipe']),
  );
  const sockets = hosts.map(({ stdio }) => stdio[3]);
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-build-'));
  // One run that compiles, and one that finds what the first has kept.
  const runs = [standIn, hosts[1]].map(({ pid }, index) => [
    `--adopt-executor=${3 + index}:${pid}`,
    ...['run', '--cache-dir', cacheDir, PROGRAM],
  ]);
  const run = startNode(writer(compiler, ...runs), ['ignore', 'ignore', 'ignore', ...sockets]);
  for (const socket of sockets) socket.destroy();
  await Promise.all([hosts[0], run].map((child) => once(child, 'exit')));
  for (const child of [standIn, hosts[1]]) child.kill('SIGKILL');
  rmSync(cacheDir, { recursive: true });
}

function writer({ script, codeCache, main }, ...runs) {
  return [WRITER, script, codeCache, main, ...runs.map((args) => JSON.stringify(args))];
}

function startNode(args, stdio) {
  // Without a home, an executor keeps no code cache of its own.
  const { HOME: _home, XDG_CACHE_HOME: _cache, ...env } = process.env;
  return spawn(process.execPath, args, { stdio, env, timeout: TIMEOUT_MS });
}
