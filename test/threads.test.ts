import test from 'ava';
import { eventually, holdCompilations, openJIT } from './jit-fixture.js';

test('eight threads blocked at one trampoline: one compilation, eight results', async (t) => {
  const { open, transforms } = holdCompilations((name) => name === 'slow');
  const { jit } = await openJIT(t, { transforms });
  await jit.addSource('def slow(x) x * x;');
  const slow = await jit.lookup('slow');
  const results = Array.from({ length: 8 }, (_, i) => slow(i));
  await eventually(
    async () => (await jit.executorStatus()).blocked.length === 8,
    'eight threads are blocked',
  );
  const { blocked } = await jit.executorStatus();
  t.is(new Set(blocked.map(({ trampoline }) => trampoline)).size, 1);
  t.is(new Set(blocked.map(({ threadId }) => threadId)).size, 8);
  open();
  t.deepEqual(await Promise.all(results), [0, 1, 4, 9, 16, 25, 36, 49]);
  t.is(jit.statistics().functionsCompiled, 1);
  t.deepEqual((await jit.executorStatus()).blocked, []);
});

test('threads at different trampolines are all served', async (t) => {
  const { open, transforms } = holdCompilations((name) => /^f\d$/.test(name));
  const { jit } = await openJIT(t, { transforms });
  await jit.addSource(Array.from({ length: 8 }, (_, i) => `def f${i}(x) x + ${i};`).join('\n'));
  const results = Array.from({ length: 8 }, async (_, i) => (await jit.lookup(`f${i}`))(100));
  await eventually(
    async () => (await jit.executorStatus()).blocked.length === 8,
    'eight threads are blocked',
  );
  t.is(new Set((await jit.executorStatus()).blocked.map(({ trampoline }) => trampoline)).size, 8);
  open();
  t.deepEqual(await Promise.all(results), [100, 101, 102, 103, 104, 105, 106, 107]);
  t.is(jit.statistics().functionsCompiled, 8);
  t.is(jit.statistics().compileCallbacks, 8);
});

test('more calls than the runner has slots for all get their turn', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) x + 1;');
  const f = await jit.lookup('f');
  const results = await Promise.all(Array.from({ length: 200 }, (_, i) => f(i)));
  t.deepEqual(
    results,
    Array.from({ length: 200 }, (_, i) => i + 1),
  );
});
