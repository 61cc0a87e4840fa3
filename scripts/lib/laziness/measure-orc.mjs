// What one more lazy function of a module costs, with LLVM's own lli and with FarJIT.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../paths.mjs';
import { ask, onPath, run } from '../processes.mjs';
import { ScriptError } from '../report.mjs';
import { moduleOf } from './module-of.mjs';
import { medians, repeat } from './samples.mjs';

const LLI = ['lli-22', '/usr/lib/llvm-22/bin/lli'];
const FUNCTION_COUNTS = [200, 1000, 4000];
const CALLED_COUNTS = { few: 20, more: 120 };

/**
 * Milliseconds, by the number of functions in the module.
 * @param {number} sampleCount
 * @param {(words: string) => void} progress
 * @throws {ScriptError} where there is no lli 22.
 */
export async function measureOrc(sampleCount, progress) {
  const lli = onPath(LLI[0]) ? LLI[0] : LLI.find((file) => existsSync(file));
  if (lli === undefined)
    throw new ScriptError('lli of LLVM 22 is not there', [
      'On Debian 12 it is in llvm-22; npm run bench installs it.',
    ]);
  const folder = mkdtempSync(join(tmpdir(), 'farjit-orc-'));
  const measured = {};
  try {
    for (const functionCount of FUNCTION_COUNTS) {
      progress(`lli and FarJIT: ${functionCount} functions`);
      const paths = {};
      for (const [name, calledCount] of Object.entries(CALLED_COUNTS)) {
        paths[name] = join(folder, `${functionCount}-${name}.ll`);
        writeFileSync(paths[name], moduleOf(functionCount, calledCount));
      }
      measured[functionCount] = medians(await repeat(sampleCount, () => sampleOf(lli, paths)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return {
    lli: /LLVM version ([\d.]+)/.exec(ask(lli, ['--version']) ?? '')?.[1],
    functions: measured,
  };
}

async function sampleOf(lli, { few, more }) {
  const eagerMs = await wallMs(lli, ['-O0', '-jit-kind=orc', few]);
  const lazyMs = await wallMs(lli, ['-O0', '-jit-kind=orc-lazy', few]);
  const lazyMoreMs = await wallMs(lli, ['-O0', '-jit-kind=orc-lazy', more]);
  const pieceMs = (await callMs(more, 'off')) - (await callMs(few, 'off'));
  const guessedMs = (await callMs(more, 'auto')) - (await callMs(few, 'auto'));
  const each = { oneMoreMs: lazyMoreMs - lazyMs, pieceMs, guessedMs };
  const added = CALLED_COUNTS.more - CALLED_COUNTS.few;
  const perFunction = Object.entries(each).map(([name, ms]) => [name, ms / added]);
  return { eagerMs, lazyMs, ...Object.fromEntries(perFunction) };
}

async function wallMs(command, args) {
  const started = performance.now();
  await run(command, args);
  return performance.now() - started;
}

async function callMs(path, speculate) {
  const args = ['scripts/lib/laziness/call.mjs', path, speculate];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return Number(stdout);
}
