import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ScriptError } from './report.mjs';

/** Lines of a failed command's output that are shown: the first that speak of an error, and the last of all. */
const ERROR_LINES = 12;
const TAIL_LINES = 20;

/**
 * Runs a command to its end, handing over each line of its output (stdout and stderr).
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void, advice?: readonly string[] }} [options]
 * @throws {ScriptError} with the telling lines of the output and `advice` when the command fails.
 */
export async function run(command, args, { cwd, env = process.env, onLine, advice = [] } = {}) {
  const log = [];
  const { code, signal } = await lines(command, args, { cwd, env }, (line) => {
    log.push(line);
    onLine?.(line);
  });
  if (code === 0) return;
  const tailStart = Math.max(0, log.length - TAIL_LINES);
  const errors = log.slice(0, tailStart).filter((line) => /\berr(or)?\b/i.test(line));
  const shown = [...errors.slice(0, ERROR_LINES), ...log.slice(tailStart)];
  const how = signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
  throw new ScriptError(`${[command, ...args].join(' ')} ${how}`, [
    ...shown.map((line) => `| ${line}`),
    ...advice,
  ]);
}

/**
 * Runs a command and calls `onLine` for each line of stdout and stderr.
 * @returns {Promise<{ code: number, signal: NodeJS.Signals | null }>} 127 when the command does not exist.
 */
export function lines(command, args, { cwd, env = process.env }, onLine) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
    child.on('error', (error) => {
      if (error.code !== 'ENOENT') return reject(error);
      onLine(`${command}: command not found`);
      resolve({ code: 127, signal: null });
    });
    child.on('close', (code, signal) => resolve({ code: code ?? 1, signal }));
  });
}

/**
 * Runs a command with this process's own terminal.
 * @returns {Promise<number>} its exit code; 128 and the signal's number, as a shell has it, when a signal ended it.
 */
export function runInForeground(command, args, { cwd, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' });
    // Ctrl-C reaches the child through the terminal; it decides when to end.
    const ignore = () => {};
    process.on('SIGINT', ignore);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}

/**
 * Asks a command something.
 * @returns {string | undefined} its trimmed stdout; undefined when it does not exist or fails.
 */
export function ask(command, args, env = process.env) {
  const { status, stdout } = spawnSync(command, args, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** Whether `PATH` leads to a command. */
export function onPath(command) {
  return (process.env.PATH ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
