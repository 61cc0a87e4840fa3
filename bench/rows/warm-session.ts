import assert from 'node:assert';
import { join } from 'node:path';
import { CodegenPool, KaleidoscopeJIT } from '@farjit/compiler';
import type { Benchmark } from '../benchmark.js';
import { interleave } from '../rounds.js';
import { RunningExecutor } from '../running-executor.js';
import { summarize } from '../samples.js';

const TITLE = 'session on a warm executor: connect, define, call, result';

/** Everything runs already, compiler and executor: what a user of the library waits for. */
export const warmSession: Benchmark = {
  id: 'warmsession',
  title: TITLE,
  budgetSeconds: { full: 6, smoke: 1 },
  async run({ folder, progress, rounds }) {
    progress(TITLE);
    const executor = await RunningExecutor.listen(`ws+unix:${join(folder, 'warm')}`);
    // One compiler, many sessions: its code generators are not each session's own.
    const codegen = new CodegenPool();
    try {
      // Each session has a function of its own, which was never compiled before.
      let number = 0;
      // LLVM is loaded by then, and V8 has seen the code.
      for (let warmUp = 0; warmUp < 20; warmUp++) await session(executor.url, codegen, number++);
      const several = async () => {
        const samples: number[] = [];
        for (let count = 0; count < 10; count++) samples.push(await session(executor.url, codegen, number++));
        return summarize(samples).median;
      };
      const { sessionMs } = await interleave(rounds(), { sessionMs: several });
      return {
        figures: [
          {
            what: TITLE,
            target: { limit: 15, unit: 'ms', digits: 1 },
            measured: summarize(sessionMs),
            how:
              'the library in a process that had sessions before, and a `farjit-executor --listen ws+unix:…`; each session ' +
              'with a function that is new to both',
          },
        ],
        tables: [],
        plots: [],
        data: sessionMs,
      };
    } finally {
      await Promise.all([executor.stop(), codegen.stop()]);
    }
  },
};

/** @returns milliseconds until there is a result; closing is not in it. */
async function session(url: string, codegen: CodegenPool, number: number): Promise<number> {
  const startMs = performance.now();
  const jit = await KaleidoscopeJIT.create({ executor: { url }, codegen });
  try {
    const [result] = await jit.addSource(`def f(x) x + ${number}; f(1);`);
    const wallMs = performance.now() - startMs;
    assert.deepEqual(result, { status: 'fulfilled', value: number + 1 });
    return wallMs;
  } finally {
    await jit.close();
  }
}
