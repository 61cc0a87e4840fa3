import test from 'ava';
import { openJIT } from './jit-fixture.js';
import { descriptorCount, residentKiB, threadCount } from './proc.js';

const CALLBACKS = Number(process.env.FARJIT_CHURN_CALLBACKS ?? 100_000);
/** Functions added, called by one expression, and removed together. */
const BATCH = 20;
const WARM_UP = CALLBACKS / 5;
/** Heaps breathe; a leak of one function's traces (some 10 KiB) per callback would be a gigabyte. */
const ALLOWED_GROWTH_KIB = 32 * 1024;

test('a hundred thousand callbacks: memory, descriptors and threads stay where they are', async (t) => {
  t.timeout(20 * 60 * 1000);
  const { jit } = await openJIT(t, { optLevel: 0 });
  const processes = {
    compiler: process.pid,
    host: jit.localExecutorProcessId ?? 0,
    runner: jit.runner.processId,
  };
  const measure = () =>
    Object.entries(processes).map(([name, processId]) => ({
      name,
      residentKiB: residentKiB(processId),
      threads: threadCount(processId),
      descriptors: process.getuid?.() === 0 || name !== 'runner' ? descriptorCount(processId) : 0,
    }));

  let warm = measure();
  for (let callbacks = 0; callbacks < CALLBACKS; callbacks += BATCH) {
    if (callbacks === WARM_UP) warm = measure();
    const names = Array.from({ length: BATCH }, (_, i) => `f${callbacks + i}`);
    const definitions = names.map((name, i) => `def ${name}(x) x + ${i};`).join('\n');
    const items = jit.parse(`${definitions}\n${names.map((name) => `${name}(1)`).join(' + ')};`);
    const trackers = items
      .filter((item) => item.kind === 'definition')
      .map((item) => jit.addFunctionAST(item.function));
    const expression = items.at(-1);
    if (expression?.kind !== 'expression') return t.fail('the last item is the expression');
    const value = await jit.evaluate(expression.function);
    if (value !== BATCH + (BATCH * (BATCH - 1)) / 2) t.fail(`wrong value ${value}`);
    for (const tracker of trackers) jit.removeModule(tracker);
  }

  t.is(jit.statistics().compileCallbacks, CALLBACKS);
  t.is(jit.runner.generation, 1);
  t.deepEqual(await jit.stubs(), []);
  for (const [index, after] of measure().entries()) {
    const before = warm[index];
    if (!before) return t.fail();
    t.log(`${after.name}: ${before.residentKiB} KiB, then ${after.residentKiB} KiB`);
    t.is(after.threads, before.threads);
    t.is(after.descriptors, before.descriptors);
    t.true(after.residentKiB - before.residentKiB < ALLOWED_GROWTH_KIB, `${after.name} grows`);
  }
});
