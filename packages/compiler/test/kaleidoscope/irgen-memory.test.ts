import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { irGenerator } from './bindings.js';
import { onlyFunction } from './parse.js';

/** Without erasing, a cycle of the function below keeps about 11 KB: this many would add some 55 MB. */
const CYCLES = 5000;

const ALLOWED_GROWTH_BYTES = 16 << 20;

test('memory stays flat over many generated and discarded modules', async (t) => {
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
  };
  await run(2000);
  const before = process.memoryUsage.rss();
  await run(CYCLES);
  const growth = process.memoryUsage.rss() - before;
  t.true(growth < ALLOWED_GROWTH_BYTES, `grew by ${growth} bytes`);
});
