import { MaterializationError } from '@farjit/compiler';
import test from 'ava';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

function chain(count: number): string {
  const lines = Array.from({ length: count }, (_, i) =>
    i + 1 < count ? `def f${i}(x) f${i + 1}(x) + 1;` : `def f${i}(x) x + 1;`,
  );
  return lines.join('\n');
}

test('a chain of 200 functions takes two callbacks, each is made once, and none in vain', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource(chain(200));
  t.deepEqual(await evaluateAll(jit, 'f0(0);'), [200]);
  // 64 and two for f0, which the first answer brings; then two for each of 68.
  t.like(jit.statistics(), {
    functionsCompiled: 200,
    functionsGuessed: 0,
    functionsLinkedAhead: 198,
    linkedAheadOpen: 0,
    compileCallbacks: 2,
  });
  t.is(jit.statistics().roundTrips.reenter, 2);
});

test('of what may be called so many first codes are made ahead, and two for each that was called', async (t) => {
  const { jit } = await openJIT(t);
  const leaves = Array.from({ length: 300 }, (_, index) => `def leaf${index}(x) x + ${index};`);
  const choice = leaves.reduceRight(
    (rest, _, index) => (index < 100 ? `if x < ${index + 1} then leaf${index}(x) else ${rest}` : rest),
    '0',
  );
  await jit.addSource(`${leaves.join('\n')} def choose(x) ${choice}; def other(x) leaf299(x);`);
  t.like(jit.statistics(), { functionsCompiled: 0 });
  t.deepEqual(await evaluateAll(jit, 'choose(0);'), [0]);
  // Which of them was called nobody tells.
  t.like(jit.statistics(), {
    functionsCompiled: 67,
    functionsLinkedAhead: 66,
    linkedAheadOpen: 66,
    guessesOpen: 0,
  });
  t.deepEqual(await evaluateAll(jit, 'choose(90);'), [180]);
  // And two more for leaf90.
  t.like(jit.statistics(), { functionsCompiled: 70, functionsLinkedAhead: 68, compileCallbacks: 2 });
});

test('a chain of 200 functions takes LLVM few callbacks, each is compiled once, and none in vain', async (t) => {
  const { jit } = await openJIT(t, { baseline: 'off' });
  await jit.addSource(chain(200));
  t.deepEqual(await evaluateAll(jit, 'f0(0);'), [200]);
  const statistics = jit.statistics();
  t.is(statistics.functionsCompiled, 200);
  // 2, 4, 8 and 16 functions; from then on the thread and what is pushed to it race. 8 if all is pushed in time.
  const { compileCallbacks } = statistics;
  t.true(compileCallbacks >= 8 && compileCallbacks <= 16, `${compileCallbacks} callbacks`);
  t.is(statistics.roundTrips.reenter, compileCallbacks);
  t.is(statistics.guessesOpen, 0);
});

test('a guess that cannot be compiled harms nobody, until it is called', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'eager' });
  const source = 'def bad(x) nowhere(x); def good(x) x; def f(c) if c then bad(1) else good(7);';
  t.deepEqual(await evaluateAll(jit, `${source} f(0);`), [7]);
  const [result] = await jit.addSource('f(1);');
  t.true(result?.status === 'rejected' && result.reason instanceof MaterializationError);
});

test('a guess that does not link harms nobody, until it is called', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'eager' });
  const source =
    'extern nosuchfunction(x); def bad(x) nosuchfunction(x); def good(x) x; def f(c) if c then bad(1) else good(7);';
  t.deepEqual(await evaluateAll(jit, `${source} f(0);`), [7]);
  const [result] = await jit.addSource('f(1);');
  t.true(result?.status === 'rejected' && result.reason instanceof MaterializationError);
  t.deepEqual(await evaluateAll(jit, 'def bad(x) x + 1; f(1);'), [2]);
});

test('a function compiled in a batch is redefined and removed singly', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'eager' });
  await jit.addSource(chain(10));
  t.deepEqual(await evaluateAll(jit, 'f0(0);'), [10]);
  t.deepEqual(await evaluateAll(jit, 'def f5(x) 100; f0(0);'), [105]);
  t.is(jit.statistics().functionsCompiled, 11);
});

test('after a trap, functions of a batch are linked again without compiling', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'eager' });
  await jit.addSource(chain(10));
  t.deepEqual(await evaluateAll(jit, 'f0(0);'), [10]);
  await jit.addModule(
    parseAssembly('declare void @abort()\ndefine void @stop() {\n call void @abort()\n ret void\n}'),
  );
  const stop = await jit.lookup('stop');
  await t.throwsAsync(stop(), { code: 'RUNNER_LOST' });
  t.deepEqual(await evaluateAll(jit, 'f0(0);'), [10]);
  t.is(jit.statistics().functionsCompiled, 10);
});

test('functions that an expression calls directly are compiled once each', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'auto' });
  t.deepEqual(
    await evaluateAll(jit, 'def a(x) x; def b(x) a(x) + a(x); def c(x) b(x) + a(x); c(1) + b(1) + a(1);'),
    [6],
  );
  t.is(jit.statistics().functionsCompiled, 3);
});

test('many threads and guesses together compile each function once', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'auto' });
  await jit.addSource(chain(64));
  const callables = await Promise.all(Array.from({ length: 64 }, (_, i) => jit.lookup(`f${i}`)));
  const results = await Promise.all(callables.map((f) => f(0)));
  t.deepEqual(
    results,
    Array.from({ length: 64 }, (_, i) => 64 - i),
  );
  t.is(jit.statistics().functionsCompiled, 64);
});

test('with a profile, a chain of 200 functions takes callbacks for what is on its way, and none is compiled in vain', async (t) => {
  const recording = await openJIT(t, { recordCalls: true });
  await recording.jit.addSource(`${chain(200)}\ndef never(x) f7(x);`);
  t.deepEqual(await evaluateAll(recording.jit, 'f0(0);'), [200]);
  const called = recording.jit.calledFunctions();
  t.deepEqual(
    called,
    Array.from({ length: 200 }, (_, i) => `f${i}`),
  );
  t.is(recording.jit.statistics().compileCallbacks, 200);

  for (const baseline of ['on', 'off'] as const) {
    const { jit } = await openJIT(t, { speculateOrder: called, baseline });
    await jit.addSource(`${chain(200)}\ndef never(x) f7(x);`);
    t.deepEqual(await evaluateAll(jit, 'f0(0);'), [200]);
    const { functionsCompiled, functionsGuessed, functionsLinkedAhead, compileCallbacks } = jit.statistics();
    t.is(functionsCompiled, 200);
    t.deepEqual([functionsGuessed, functionsLinkedAhead], baseline === 'on' ? [0, 199] : [199, 0]);
    // The one for f0, and from LLVM at most one for each of the six modules that come after its answer.
    t.true(compileCallbacks <= (baseline === 'on' ? 1 : 7), `${compileCallbacks} callbacks`);
    t.like(jit.statistics(), { guessesOpen: 0, linkedAheadOpen: 0 });
  }
});
