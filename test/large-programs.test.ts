import { KaleidoscopeJIT } from '@farjit/compiler';
import test from 'ava';

const DEFINED = 100_000;

test('a hundred thousand definitions send nothing, and a call pays for what it reaches', async (t) => {
  const jit = await KaleidoscopeJIT.create({ speculate: 'off' });
  t.teardown(() => jit.close());
  const before = jit.statistics();
  // Each calls the next, but for every hundredth.
  const source = Array.from({ length: DEFINED }, (_, index) =>
    index % 100 === 99 ? `def f${index}(x) x + 1;` : `def f${index}(x) f${index + 1}(x) + 1;`,
  );
  await jit.addSource(source.join('\n'));
  const defined = jit.statistics();
  t.is(defined.functionsDefined, DEFINED);
  t.is(defined.bytesSent, before.bytesSent);
  t.deepEqual(defined.roundTrips, before.roundTrips);

  const [result] = await jit.addSource('f54300(0);');
  t.like(result, { status: 'fulfilled', value: 100 });
  const called = jit.statistics();
  t.is(called.functionsCompiled, 100);
  t.is(called.compileCallbacks, 100);
  // The block of stubs that the session began with is enough.
  const more = (method: string) => (called.roundTrips[method] ?? 0) - (before.roundTrips[method] ?? 0);
  t.deepEqual(Object.fromEntries(Object.keys(called.roundTrips).map((method) => [method, more(method)])), {
    ...Object.fromEntries(Object.keys(before.roundTrips).map((method) => [method, 0])),
    reenter: 100,
    call: 1,
  });
});

test('stubs are emitted in blocks that double, when they are first needed', async (t) => {
  const jit = await KaleidoscopeJIT.create({ speculate: 'off' });
  t.teardown(() => jit.close());
  const functions = Array.from({ length: 2000 }, (_, index) => `def f${index}(x) x + ${index};`);
  await jit.addSource(functions.join('\n'));
  const emitted = () => jit.statistics().roundTrips.emitStubs ?? 0;
  t.is(emitted(), 0);
  // Looking a name up assigns its stub: 512, then as many again, then twice as many.
  for (const [count, blocks] of [
    [512, 0],
    [513, 1],
    [1024, 1],
    [1025, 2],
    [2000, 2],
  ] as const) {
    for (let index = 0; index < count; index++) await jit.findSymbol(`f${index}`);
    t.is(emitted(), blocks);
  }
});
