import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { AvaCounter } from './ava-output.mjs';
import { BIN, ROOT } from './paths.mjs';
import { descendantsOf, killAll } from './process-tree.mjs';
import { say } from './report.mjs';

/** No test of the short form takes as long; ava itself no longer looks at the time while a test has a limit of its own. */
const SILENCE_MS = 10 * 60_000;
/** What ava needs to say which tests were pending, and to end what runs them. */
const INTERRUPTION_MS = 30_000;

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
  const silence = env.FARJIT_SECURITY === 'long' ? undefined : setTimeout(() => interrupt(child), SILENCE_MS);
  createInterface({ input: child.stdout }).on('line', (line) => {
    silence?.refresh();
    counter.read(line);
    process.stdout.write(`${line}\n`);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(silence);
      counter.finish(code ?? 1);
      resolve(counter);
    });
  });
}

/** Ends a run in which nothing happens any more: what runs is told, and ava tells which tests had not ended. */
function interrupt(ava) {
  say(`\ntests: nothing for ${SILENCE_MS / 60_000} minutes; these run:`);
  for (const { id, command, waitsIn } of descendantsOf(ava.pid)) say(`  ${id} (${waitsIn}) ${command}`);
  ava.kill('SIGINT');
  const killing = setTimeout(() => killAll(descendantsOf(ava.pid)), INTERRUPTION_MS);
  ava.once('close', () => clearTimeout(killing));
}
