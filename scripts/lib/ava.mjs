import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { AvaCounter } from './ava-output.mjs';
import { BIN, ROOT } from './paths.mjs';

/**
 * Runs ava, passing its output on as it comes.
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {number} [user] user and group to run it as, for root
 * @returns {Promise<AvaCounter>}
 */
export function runAva(args, env, user) {
  // `figures`, which ava draws with, falls back to other signs on the kernel's console.
  const term = process.env.TERM === 'linux' ? 'dumb' : process.env.TERM;
  const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined ? { FORCE_COLOR: '1' } : {};
  const child = spawn(process.execPath, [`${BIN}ava`, ...args], {
    cwd: ROOT,
    env: { ...env, ...colour, TERM: term },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  const counter = new AvaCounter();
  createInterface({ input: child.stdout }).on('line', (line) => {
    counter.read(line);
    process.stdout.write(`${line}\n`);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      counter.finish(code ?? 1);
      resolve(counter);
    });
  });
}
