import { CodegenPool } from '@farjit/compiler';
import test from 'ava';
import { heapBytes } from './heap.js';
import { eventually, openJIT } from './jit-fixture.js';
import { descriptorCount, residentKiB, threadCount } from './proc.js';
import { startServer } from './server-fixture.js';

const CALLBACKS = Number(process.env.FARJIT_CHURN_CALLBACKS ?? 20_000);
/** By then all code of our own has been compiled by V8, and every pool is as large as it gets. */
const WARM_UP = 5_000;
/** Functions added, called by one expression, and removed together. */
const BATCH = 20;
/** In every so many batches one function becomes hot. */
const HOT_EVERY = 10;
const HOT_THRESHOLD = 50;
/**
 * Of compiler and host together, garbage collected: it goes up and down by some 0.3 MB. An object kept for each callback,
 * with its place in a map, would be more than 100 bytes.
 */
const ALLOWED_HEAP_BYTES = 1_500_000;
/** The runner is a C program whose resident pages do not change; 64 bytes kept for each callback would be as much. */
const ALLOWED_RUNNER_KIB = 960;
/** It does not change either. The least module kept for each expression would be more. */
const ALLOWED_CODEGEN_KIB = 8 * 1024;

test('functions come, become hot and go: what compiler, host and runner hold for them is used again', async (t) => {
  t.timeout(20 * 60 * 1000);
  // The host is in this process: a heap is exact only where it can be collected.
  const { url } = await startServer(t);
  const codegen = new CodegenPool();
  t.teardown(() => codegen.stop());
  const { jit } = await openJIT(t, {
    executor: { url },
    codegen,
    hotThreshold: HOT_THRESHOLD,
    speculate: 'off',
  });
  const measure = async () => {
    await jit.flush();
    return {
      allocatedBytes: jit.allocatedBytes,
      threads: threadCount(process.pid),
      descriptors: descriptorCount(process.pid),
      codegenProcesses: codegen.processIds.length,
      heapBytes: await heapBytes(),
      runnerKiB: residentKiB(jit.runner.processId),
      codegenKiB: Math.max(...codegen.processIds.map(residentKiB)),
    };
  };

  let hotCount = 0;
  const callBatch = async (first: number) => {
    const names = Array.from({ length: BATCH }, (_, i) => `f${first + i}`);
    const definitions = names.map((name, i) => `def ${name}(x) x + ${i};`).join('\n');
    const isHot = (first / BATCH) % HOT_EVERY === 0;
    const loop = isHot ? `+ 0 * (for i = 0, i < ${HOT_THRESHOLD} in ${names[0]}(i))` : '';
    const items = jit.parse(`${definitions}\n${names.map((name) => `${name}(1)`).join(' + ')} ${loop};`);
    const trackers = items
      .filter((item) => item.kind === 'definition')
      .map((item) => jit.addFunctionAST(item.function));
    const expression = items.at(-1);
    if (expression?.kind !== 'expression') throw new Error('the last item is the expression');
    const value = await jit.evaluate(expression.function);
    if (value !== BATCH + (BATCH * (BATCH - 1)) / 2) t.fail(`wrong value ${value}`);
    if (isHot) {
      hotCount++;
      await eventually(() => jit.statistics().functionsOptimized === hotCount, 'it is optimised');
    }
    for (const tracker of trackers) jit.removeModule(tracker);
  };
  for (let callbacks = 0; callbacks < WARM_UP; callbacks += BATCH) await callBatch(callbacks);
  const warm = await measure();
  for (let callbacks = WARM_UP; callbacks < CALLBACKS; callbacks += BATCH) await callBatch(callbacks);
  const after = await measure();

  t.is(jit.statistics().compileCallbacks, CALLBACKS);
  t.is(jit.runner.generation, 1);
  t.deepEqual(await jit.stubs(), []);
  t.log(`warm: ${JSON.stringify(warm)}`);
  t.log(`after: ${JSON.stringify(after)}`);
  for (const exact of ['allocatedBytes', 'threads', 'descriptors', 'codegenProcesses'] as const)
    t.is(after[exact], warm[exact], exact);
  t.true(after.heapBytes - warm.heapBytes < ALLOWED_HEAP_BYTES, 'the heap grows');
  t.true(after.runnerKiB - warm.runnerKiB < ALLOWED_RUNNER_KIB, 'the runner grows');
  t.true(after.codegenKiB - warm.codegenKiB < ALLOWED_CODEGEN_KIB, 'the code generator grows');
});
