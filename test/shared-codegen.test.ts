import { CodegenPool, KaleidoscopeJIT } from '@farjit/compiler';
import test from 'ava';

test('sessions that are given code generators share them, and leave them running', async (t) => {
  const codegen = new CodegenPool({ size: 1 });
  t.teardown(() => codegen.stop());
  const processIds = new Set<number>();
  for (let count = 1; count <= 2; count++) {
    const jit = await KaleidoscopeJIT.create({ codegen, baseline: 'off' });
    t.like((await jit.addSource(`def f(x) x + ${count}; f(1);`))[0], {
      status: 'fulfilled',
      value: count + 1,
    });
    for (const processId of codegen.processIds) processIds.add(processId);
    await jit.close();
    t.is(codegen.processIds.length, 1);
  }
  t.is(processIds.size, 1);
});
