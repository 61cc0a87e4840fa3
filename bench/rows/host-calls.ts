import assert from 'node:assert';
import { KaleidoscopeJIT } from '@farjit/compiler';
import type { Benchmark } from '../benchmark.js';
import { chain } from '../programs.js';
import { interleave } from '../rounds.js';
import { ratios, summarize } from '../samples.js';

const WHAT = 'a call of a function in JavaScript, beside a compile callback';
const COUNT = 200;
/** Before anything is measured: V8 has seen the code by then. */
const WARM_UP_ROUNDS = 5;

/** Either is one round trip from a thread of the runner to the compiler and back. */
export const hostCalls: Benchmark = {
  id: 'hostcalls',
  title: WHAT,
  budgetSeconds: { full: 6, smoke: 1 },
  async run({ progress, rounds }) {
    progress(WHAT);
    const jit = await KaleidoscopeJIT.create({ speculate: 'off' });
    try {
      jit.define({ next: { signature: 'double(double)', call: (_run, x) => x + 1 } });
      await jit.addSource('def calls(n) for i = 0, i < n in next(i); def none(n) n;');
      let number = 0;
      const hostCallUs = async () => {
        const [ms, calls] = await counted(jit, `calls(${COUNT});`, 'callHost');
        assert(calls >= COUNT, `${calls} calls of JavaScript`);
        return (1000 * (ms - (await milliseconds(jit, 'none(1);')))) / calls;
      };
      const callbackUs = async () => {
        // Functions that nobody has called before.
        const name = `c${number++}x`;
        const { kaleidoscope } = chain(COUNT, name);
        const source = kaleidoscope.trimEnd();
        const at = source.lastIndexOf('\n') + 1;
        await jit.addSource(source.slice(0, at));
        const call = source.slice(at);
        const [ms, callbacks] = await counted(jit, call, 'reenter');
        assert(callbacks >= COUNT, `${callbacks} callbacks`);
        return (1000 * (ms - (await milliseconds(jit, call)))) / callbacks;
      };
      for (let warmUp = 0; warmUp < WARM_UP_ROUNDS; warmUp++) {
        await hostCallUs();
        await callbackUs();
      }
      const samples = await interleave(rounds(), { hostCallUs, callbackUs });
      return {
        figures: [
          {
            what: WHAT,
            target: { limit: 1.2, unit: '×', digits: 2 },
            measured: ratios(samples.hostCallUs, samples.callbackUs),
            farjit: `${summarize(samples.hostCallUs).median.toFixed(0)} µs`,
            peer: `callback: ${summarize(samples.callbackUs).median.toFixed(0)} µs`,
            how:
              `${COUNT} calls of \`x => x + 1\` by a loop in Kaleidoscope, and the first call of a chain of ${COUNT} functions without ` +
              'speculation, whose first code is made without LLVM; each less the same way without them, divided by their number',
          },
        ],
        tables: [],
        plots: [],
        data: samples,
      };
    } finally {
      await jit.close();
    }
  },
};

/** @returns the time of a call, and how many requests of a method it took. */
async function counted(
  jit: KaleidoscopeJIT,
  source: string,
  method: string,
): Promise<readonly [ms: number, count: number]> {
  const before = jit.statistics().roundTrips[method] ?? 0;
  const ms = await milliseconds(jit, source);
  return [ms, (jit.statistics().roundTrips[method] ?? 0) - before];
}

/** Of an expression's call, compiling it not included. */
async function milliseconds(jit: KaleidoscopeJIT, source: string): Promise<number> {
  let callMs = 0;
  const end = jit.subscribe((event) => {
    if (event.type === 'called') callMs += event.wallMs;
  });
  const [result] = await jit.addSource(source);
  end();
  if (result?.status !== 'fulfilled') throw result?.reason;
  return callMs;
}
