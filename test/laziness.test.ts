import test from 'ava';
import { evaluateAll, openJIT } from './jit-fixture.js';

/** A chain: f0 calls f1 … and the last returns its argument plus one. */
function chain(count: number): string {
  const lines = Array.from({ length: count }, (_, i) =>
    i + 1 < count ? `def f${i}(x) f${i + 1}(x) + 1;` : `def f${i}(x) x + 1;`,
  );
  return lines.join('\n');
}

test('a thousand functions defined, twenty reached: twenty compiled, in twenty round trips', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'off' });
  const lines = Array.from({ length: 1000 }, (_, i) =>
    i < 19 ? `def f${i}(x) f${i + 1}(x) + 1;` : `def f${i}(x) x + 1;`,
  );
  await jit.addSource(lines.join('\n'));
  const before = jit.statistics();
  t.deepEqual(await evaluateAll(jit, 'f0(0);'), [20]);
  const after = jit.statistics();

  t.is(after.functionsDefined, 1000);
  t.is(after.functionsCompiled, 20);
  t.is(after.compileCallbacks, 20);
  const trips = Object.entries(after.roundTrips).map(
    ([method, count]) => [method, count - (before.roundTrips[method] ?? 0)] as const,
  );
  t.deepEqual(Object.fromEntries(trips.filter(([, count]) => count > 0)), { call: 1, reenter: 20 });
});

test('new external names are looked up in one batch per callback, and once per session', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('extern sin(x); extern cos(x); extern atan(x);');
  await jit.addSource('def g(x) sin(x) + cos(x); def h(x) atan(x) + sin(x);');
  const before = jit.statistics().roundTrips.lookupSymbols ?? 0;
  const [value] = await evaluateAll(jit, 'g(1) + h(1);');
  t.is(value, Math.sin(1) + Math.cos(1) + (Math.atan(1) + Math.sin(1)));
  // One batch for sin and cos, one for atan; sin is known by then.
  t.is((jit.statistics().roundTrips.lookupSymbols ?? 0) - before, 2);
});

test('defining costs no message', async (t) => {
  const { jit } = await openJIT(t);
  const before = jit.statistics();
  await jit.addSource(chain(5000));
  const after = jit.statistics();
  t.deepEqual(after.roundTrips, before.roundTrips);
  t.is(after.bytesSent, before.bytesSent);
});

test('a chain longer than the first stub block', async (t) => {
  const { jit } = await openJIT(t, { optLevel: 0, speculate: 'off' });
  await jit.addSource(chain(700));
  t.deepEqual(await evaluateAll(jit, 'f0(0);'), [700]);
  t.is(jit.statistics().functionsCompiled, 700);
  t.is(jit.statistics().compileCallbacks, 700);
});

test('a second call compiles nothing and calls back for nothing', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource(chain(10));
  const f = await jit.lookup('f0');
  t.is(await f(1), 11);
  const before = jit.statistics();
  t.is(await f(5), 15);
  const after = jit.statistics();
  t.is(after.functionsCompiled, before.functionsCompiled);
  t.is(after.compileCallbacks, before.compileCallbacks);
  t.is(after.wrappersCompiled, before.wrappersCompiled);
});

test('only the branch that is taken is compiled', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'off' });
  await jit.addSource('def yes(x) x; def no(x) 0 - x; def choose(c x) if c then yes(x) else no(x);');
  t.deepEqual(await evaluateAll(jit, 'choose(1, 7);'), [7]);
  t.is(jit.statistics().functionsCompiled, 2);
  t.deepEqual(await evaluateAll(jit, 'choose(0, 7);'), [-7]);
  t.is(jit.statistics().functionsCompiled, 3);
});
