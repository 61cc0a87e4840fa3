import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { heapInUseBytes } from '../llvm/heap-in-use.js';
import { irGenerator } from './bindings.js';
import { onlyFunction } from './parse.js';

const CYCLES = 3000;
/** Between the 420 bytes that llvm-bindings keeps of the function below and the 2,190 of one that is not erased. */
const ALLOWED_BYTES_PER_CYCLE = 1_200;

test('a module that is generated and discarded gives its memory back', async (t) => {
  const generator = irGenerator();
  const text =
    'def f(x) var a = 1, b in (for i = 1, i < x in b = if a < b then g(a) + b else f(b) * a) + a + b';
  const request = { function: onlyFunction(text), implementationName: 'f$impl' };
  const { prototype } = request.function;
  const run = async (cycles: number) => {
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const generated = generator.generate([request], () => prototype);
      generated.discard();
      // The wrappers' native halves are freed only when the event loop turns.
      if (cycle % 50 === 0) await setImmediate();
    }
    return heapInUseBytes();
  };
  const before = await run(500);
  const bytesPerCycle = ((await run(CYCLES)) - before) / CYCLES;
  t.log(`${Math.round(bytesPerCycle)} bytes for each module`);
  t.true(bytesPerCycle < ALLOWED_BYTES_PER_CYCLE, `${bytesPerCycle}`);
});
