// What ORC's lazy compilation costs, measured with LLVM's own lli: modules of more and more functions, of which a chain is called.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, onPath, run } from '../processes.mjs';
import { ScriptError } from '../report.mjs';
import { medians, repeat } from './samples.mjs';

const LLI = ['lli-22', '/usr/lib/llvm-22/bin/lli'];
const FUNCTION_COUNTS = [200, 1000, 4000];
const CALLED_COUNTS = { few: 20, more: 120 };
const KINDS = { eager: ['-jit-kind=orc'], lazy: ['-jit-kind=orc-lazy'] };

/**
 * Milliseconds of whole processes, by the number of functions in the module.
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
      progress(`lli: ${functionCount} functions`);
      const path = (name) => join(folder, `${functionCount}-${name}.ll`);
      for (const [name, calledCount] of Object.entries(CALLED_COUNTS))
        writeFileSync(path(name), moduleOf(functionCount, calledCount));
      const sample = async () => {
        const eagerMs = await timeOf(lli, [...KINDS.eager, path('few')]);
        const lazyMs = await timeOf(lli, [...KINDS.lazy, path('few')]);
        const moreMs = await timeOf(lli, [...KINDS.lazy, path('more')]);
        return { eagerMs, lazyMs, oneMoreMs: (moreMs - lazyMs) / (CALLED_COUNTS.more - CALLED_COUNTS.few) };
      };
      measured[functionCount] = medians(await repeat(sampleCount, sample));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { lli: /LLVM version ([\d.]+)/.exec(ask(lli, ['--version']) ?? '')?.[1], functions: measured };
}

async function timeOf(lli, args) {
  const started = performance.now();
  await run(lli, ['-O0', ...args]);
  return performance.now() - started;
}

/** LLVM assembly: functions of which the first ones call each the next. */
function moduleOf(functionCount, calledCount) {
  const define = (_, i) => {
    const isLast = i === calledCount - 1 || i === functionCount - 1;
    const call = isLast ? '' : `  %y = call double @f${i + 1}(double %x)\n`;
    return `define double @f${i}(double %x) {\n${call}  %z = fadd double ${isLast ? '%x' : '%y'}, 1.0\n  ret double %z\n}\n`;
  };
  const main = 'define i32 @main() {\n  %x = call double @f0(double 0.0)\n  ret i32 0\n}\n';
  return `${Array.from({ length: functionCount }, define).join('')}${main}`;
}
