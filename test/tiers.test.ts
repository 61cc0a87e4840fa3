import {
  ArgumentError,
  type BaselineMode,
  Diagnostic,
  type IRTransform,
  MaterializationError,
  type ResourceTracker,
  type SessionEvent,
} from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

type JIT = Awaited<ReturnType<typeof openJIT>>['jit'];
type Options = Parameters<typeof openJIT>[1];

/** With first code that the front end makes, and with LLVM's. */
function inBothWays(title: string, run: (t: ExecutionContext) => Promise<void>): void {
  for (const baseline of ['on', 'off'] as const)
    test(`${title}, baseline ${baseline}`, (t) => {
      t.context = { baseline };
      return run(t);
    });
}

/** A tiered JIT with a low threshold, and what it says of tiers. */
async function openTiered(t: Parameters<typeof openJIT>[0], hotThreshold: number, options: Options = {}) {
  const { baseline = 'on' } = t.context as { baseline?: BaselineMode };
  const { jit } = await openJIT(t, { hotThreshold, speculate: 'off', baseline, ...options });
  const events: SessionEvent[] = [];
  let hotMessageCount = 0;
  jit.subscribe((event) => {
    if (event.type === 'frame' && event.method === 'functionsHot') hotMessageCount++;
    if (event.type.startsWith('tier-')) events.push(event);
  });
  const namesOf = (type: SessionEvent['type']) =>
    events.flatMap((event) => (event.type === type && 'name' in event ? [event.name] : []));
  return {
    jit,
    namesOf,
    hotMessageCount: () => hotMessageCount,
    /** Waits for the `count`th time that `name` has been optimised. */
    optimized: (name: string, count = 1) =>
      eventually(
        () => namesOf('tier-up').filter((one) => one === name).length === count,
        `${name} optimised ${count} times`,
      ),
  };
}

function define(jit: JIT, text: string): ResourceTracker {
  const [item] = jit.parse(text);
  if (item?.kind !== 'definition') throw new Error(`no definition: ${text}`);
  return jit.addFunctionAST(item.function);
}

async function call(jit: JIT, name: string, ...args: number[]): Promise<number> {
  return Number(await (await jit.lookup(name))(...args));
}

async function callTimes(jit: JIT, count: number, name: string, ...args: number[]): Promise<Set<number>> {
  const values = new Set<number>();
  for (let i = 0; i < count; i++) values.add(await call(jit, name, ...args));
  return values;
}

/** Where a name's stub leads. */
async function targetOf(jit: JIT, name: string) {
  return (await jit.stubs()).find((stub) => stub.name === name);
}

/** Holds optimising compilations of a function back: the first of its compilations is the baseline's. */
function holdOptimizing(name: string) {
  const waiting: (() => void)[] = [];
  let count = 0;
  const transform: IRTransform = async (bitcode, module) => {
    if (module.name === name && ++count > 1) await new Promise<void>((resolve) => waiting.push(resolve));
    return bitcode;
  };
  return { transforms: [transform], waiting };
}

inBothWays(
  'a function becomes hot after exactly its threshold: one notification, one recompilation, one swap',
  async (t) => {
    const { jit, optimized, hotMessageCount } = await openTiered(t, 10);
    await jit.addSource('def f(x) x * 2 + 1;');
    t.deepEqual(await jit.tierOf('f'), { tier: 'lazy', hotThreshold: 10, available: [], dependencies: [] });
    t.deepEqual(await callTimes(jit, 9, 'f', 4), new Set([9]));
    t.is((await jit.tierOf('f'))?.count, 9);
    t.is((await jit.tierOf('f'))?.tier, 'baseline');
    t.is(hotMessageCount(), 0);
    const before = await targetOf(jit, 'f');
    t.is(await call(jit, 'f', 4), 9);
    await optimized('f');
    const after = await targetOf(jit, 'f');
    t.false(after?.lazy);
    t.not(after?.target, before?.target);
    t.is(after?.stub, before?.stub);
    t.deepEqual(await callTimes(jit, 30, 'f', 4), new Set([9]));
    t.is(hotMessageCount(), 1);
    t.deepEqual(await jit.tierOf('f'), {
      tier: 'optimized',
      hotThreshold: 10,
      available: [],
      dependencies: [],
    });
    const { functionsCompiled, functionsOptimized, compileCallbacks, failedCallbacks } = jit.statistics();
    t.deepEqual([functionsCompiled, functionsOptimized, compileCallbacks, failedCallbacks], [1, 1, 1, 0]);
  },
);

inBothWays('iterations of a loop count like entries, so a loop that calls nothing becomes hot', async (t) => {
  const { jit, optimized } = await openTiered(t, 100);
  await jit.addSource('def f(n) var s = 0 in (for i = 1, i < n in s = s + i) + s;');
  t.is(await call(jit, 'f', 50), 1275);
  t.is((await jit.tierOf('f'))?.count, 51);
  t.is(await call(jit, 'f', 50), 1275);
  await optimized('f');
  t.is(await call(jit, 'f', 50), 1275);
  t.is(jit.statistics().functionsOptimized, 1);
});

inBothWays(
  'callees are inlined, operators too, and a redefinition of one takes effect at the next call',
  async (t) => {
    const { jit, optimized, namesOf } = await openTiered(t, 5);
    await jit.addSource('def binary| 5 (a b) if a then 1 else if b then 1 else 0;');
    await jit.addSource('def g(x) x * 2; def f(x) g(x) + (x | 0);');
    t.deepEqual(await callTimes(jit, 5, 'f', 3), new Set([7]));
    await optimized('f');
    const tier = await jit.tierOf('f');
    t.deepEqual(tier?.available, ['g', 'binary|']);
    t.deepEqual(tier?.dependencies, ['g', 'binary|']);
    t.notRegex((await jit.print('f', 'asm')) ?? '', /call/);
    t.is(await call(jit, 'f', 3), 7);

    const compiled = jit.statistics().functionsCompiled;
    await jit.addSource('def g(x) x * 10;');
    t.deepEqual(namesOf('tier-down'), ['f']);
    t.is((await targetOf(jit, 'f'))?.lazy, true);
    t.is(await call(jit, 'f', 3), 31);
    // The kept baseline object of f serves again; only the new g was compiled.
    t.is(jit.statistics().functionsCompiled, compiled + 1);
    t.is((await jit.tierOf('f'))?.count, 1);
    t.regex((await jit.print('f', 'asm')) ?? '', /call/);
    t.deepEqual(await callTimes(jit, 4, 'f', 3), new Set([31]));
    await optimized('f', 2);
    t.is(await call(jit, 'f', 3), 31);
    t.notRegex((await jit.print('f', 'asm')) ?? '', /call/);
  },
);

inBothWays('what is inlined through another is a dependency as well', async (t) => {
  const { jit, optimized } = await openTiered(t, 5);
  await jit.addSource('def h(x) x + 1; def g(x) h(x) * 2; def f(x) g(x);');
  t.deepEqual(await callTimes(jit, 5, 'f', 3), new Set([8]));
  await optimized('f');
  await jit.addSource('def h(x) x + 2;');
  t.is(await call(jit, 'f', 3), 10);
});

inBothWays('a changed parameter count and a removal reach those who had inlined the function', async (t) => {
  const { jit, optimized } = await openTiered(t, 5);
  const tracker = define(jit, 'def h(x) x + 1;');
  await jit.addSource('def g(x) h(x) * 2; def f(x) g(x);');
  await callTimes(jit, 5, 'f', 3);
  await Promise.all([optimized('f'), optimized('g')]);
  tracker.remove();
  // Both go back to their first objects, and that of g cannot be linked.
  const missing = await t.throwsAsync(call(jit, 'f', 3), { instanceOf: MaterializationError });
  t.is(missing.symbol, 'g');
  await jit.addSource('def h(x) x + 5;');
  t.deepEqual(await callTimes(jit, 5, 'f', 3), new Set([16]));
  await optimized('f', 2);
  await jit.addSource('def h(x y) x + y;');
  const wrong = await t.throwsAsync(call(jit, 'f', 3), { instanceOf: MaterializationError });
  t.true(wrong.cause instanceof Diagnostic);
  await jit.addSource('def h(x) x + 6;');
  t.is(await call(jit, 'f', 3), 18);
});

inBothWays(
  'a name that changes between the process and the program does so under inlined bodies',
  async (t) => {
    const { jit, optimized } = await openTiered(t, 5);
    await jit.addSource('extern fabs(x); def g(x) fabs(x); def f(x) g(x);');
    t.deepEqual(await callTimes(jit, 5, 'f', -3), new Set([3]));
    await Promise.all([optimized('f'), optimized('g')]);
    t.is(await call(jit, 'f', -3), 3);
    const tracker = define(jit, 'def fabs(x) 42;');
    t.deepEqual(await callTimes(jit, 5, 'f', -3), new Set([42]));
    await Promise.all([optimized('f', 2), optimized('g', 2)]);
    t.is(await call(jit, 'f', -3), 42);
    tracker.remove();
    // Both go back to their baseline objects, which are linked again, to the process.
    t.is(await call(jit, 'f', -3), 3);
  },
);

inBothWays('self recursion and mutual recursion, before, during and after', async (t) => {
  const { jit, optimized } = await openTiered(t, 1000);
  await jit.addSource(`
    def fib(x) if x < 3 then 1 else fib(x-1) + fib(x-2);
    def even(x) if x < 1 then 1 else odd(x-1);
    def odd(x) if x < 1 then 0 else even(x-1);
  `);
  t.is(await call(jit, 'fib', 25), 75_025);
  await optimized('fib');
  t.is(await call(jit, 'fib', 25), 75_025);
  t.regex((await jit.print('fib', 'asm')) ?? '', /call\w*\s+"?fib\$impl/);
  t.is(await call(jit, 'even', 5001), 0);
  await optimized('even');
  await optimized('odd');
  t.deepEqual((await jit.tierOf('even'))?.available, ['odd']);
  t.is(await call(jit, 'even', 5001), 0);
  t.is(await call(jit, 'even', 5000), 1);
  await jit.addSource('def odd(x) if x < 1 then 7 else even(x-1);');
  t.is(await call(jit, 'even', 5001), 7);
});

inBothWays(
  'a swap while the function runs on several threads: one recompilation, every result right',
  async (t) => {
    const { jit, optimized } = await openTiered(t, 1000);
    await jit.addSource('def fib(x) if x < 3 then 1 else fib(x-1) + fib(x-2);');
    const fib = await jit.lookup('fib');
    const values = await Promise.all(Array.from({ length: 8 }, () => fib(24)));
    t.deepEqual(new Set(values), new Set([46_368]));
    await optimized('fib');
    t.deepEqual(new Set(await Promise.all(Array.from({ length: 8 }, () => fib(24)))), new Set([46_368]));
    t.is(jit.statistics().functionsOptimized, 1);
    t.is(jit.statistics().functionsCompiled, 1);
  },
);

inBothWays('a function that cannot be optimised stays as it was', async (t) => {
  let compilations = 0;
  const transform: IRTransform = (bitcode, { name }) => {
    if (name === 'f' && ++compilations > 1) throw new Error('not today');
    return bitcode;
  };
  const { jit, namesOf } = await openTiered(t, 5, { transforms: [transform] });
  await jit.addSource('def f(x) x + 1;');
  await callTimes(jit, 5, 'f', 1);
  await eventually(() => namesOf('tier-up-failed').length === 1, 'the failure is reported');
  t.deepEqual(await callTimes(jit, 20, 'f', 1), new Set([2]));
  t.is((await jit.tierOf('f'))?.tier, 'failed');
  t.deepEqual([compilations, jit.statistics().optimizationsFailed], [2, 1]);
});

inBothWays('a name that only an inlined branch refers to and nobody has harms nobody', async (t) => {
  const { jit, namesOf } = await openTiered(t, 5);
  await jit.addSource(
    'extern nosuchfunction(x); def g(c) if c then nosuchfunction(c) else 2; def f(c) g(c);',
  );
  // g itself is missing the name, so its own callback fails, in baseline code as ever.
  await t.throwsAsync(call(jit, 'f', 0), { instanceOf: MaterializationError });
  await jit.addSource('def h(c) if c then g(c) else 2;');
  t.deepEqual(await callTimes(jit, 5, 'h', 0), new Set([2]));
  await eventually(() => namesOf('tier-up-failed').includes('h'), 'h could not be linked');
  t.deepEqual(await callTimes(jit, 5, 'h', 0), new Set([2]));
  t.is((await jit.tierOf('h'))?.tier, 'failed');
});

inBothWays('a runner lost while a function is optimised: the next one links the better object', async (t) => {
  const { transforms, waiting } = holdOptimizing('f');
  const { jit, optimized } = await openTiered(t, 5, { transforms });
  await jit.addSource('def f(x) x + 1;');
  await callTimes(jit, 5, 'f', 1);
  await eventually(() => waiting.length === 1, 'it is being optimised');
  process.kill(jit.runner.processId, 'SIGKILL');
  await eventually(() => jit.statistics().runnersLost === 1, 'the loss is noticed');
  waiting[0]?.();
  await optimized('f');
  t.deepEqual(await callTimes(jit, 5, 'f', 1), new Set([2]));
  t.is((await jit.tierOf('f'))?.tier, 'optimized');
  process.kill(jit.runner.processId, 'SIGKILL');
  await eventually(() => jit.statistics().runnersLost === 2, 'the loss is noticed');
  t.deepEqual(await callTimes(jit, 5, 'f', 1), new Set([2]));
  const { functionsCompiled, functionsOptimized, compileCallbacks } = jit.statistics();
  t.deepEqual([functionsCompiled, functionsOptimized, compileCallbacks], [1, 1, 3]);
});

inBothWays('counters of a new runner start anew', async (t) => {
  const { jit } = await openTiered(t, 10);
  await jit.addSource('def f(x) x + 1;');
  await callTimes(jit, 7, 'f', 1);
  process.kill(jit.runner.processId, 'SIGKILL');
  await eventually(() => jit.statistics().runnersLost === 1, 'the loss is noticed');
  await callTimes(jit, 4, 'f', 1);
  t.is((await jit.tierOf('f'))?.count, 4);
  t.is(jit.statistics().functionsOptimized, 0);
});

inBothWays('a function removed or redefined while it is optimised', async (t) => {
  const { transforms, waiting } = holdOptimizing('f');
  const { jit, namesOf } = await openTiered(t, 5, { transforms });
  const tracker = define(jit, 'def f(x) x + 1;');
  await callTimes(jit, 5, 'f', 1);
  await eventually(() => waiting.length === 1, 'it is being optimised');
  tracker.remove();
  define(jit, 'def f(x) x + 2;');
  const calling = call(jit, 'f', 1);
  await eventually(() => waiting.length === 2, 'the new definition is being compiled');
  for (const go of waiting) go();
  t.is(await calling, 3);
  t.is(await call(jit, 'f', 1), 3);
  t.deepEqual(namesOf('tier-up'), []);
  t.is(jit.statistics().functionsOptimized, 0);
});

inBothWays(
  'a callee redefined while its caller is optimised: the caller is optimised again, with the new one',
  async (t) => {
    const { transforms, waiting } = holdOptimizing('f');
    const { jit, optimized } = await openTiered(t, 5, { transforms });
    await jit.addSource('def g(x) x * 2; def f(x) g(x) + 1;');
    await callTimes(jit, 5, 'f', 1);
    await eventually(() => waiting.length === 1, 'it is being optimised');
    await jit.addSource('def g(x) x * 3;');
    t.is(await call(jit, 'f', 1), 4);
    waiting[0]?.();
    await eventually(() => waiting.length === 2, 'it is being optimised again');
    t.is(await call(jit, 'f', 1), 4);
    waiting[1]?.();
    await optimized('f');
    t.is(await call(jit, 'f', 1), 4);
    t.is(jit.statistics().functionsOptimized, 1);
    t.deepEqual((await jit.tierOf('f'))?.available, ['g']);
  },
);

for (const optLevel of [0, 1, 2, 3] as const)
  test(`a pinned level ${optLevel} counts nothing`, async (t) => {
    const { jit, hotMessageCount } = await openTiered(t, 1, { optLevel });
    await jit.addSource('def fib(x) if x < 3 then 1 else fib(x-1) + fib(x-2);');
    t.is(await call(jit, 'fib', 15), 610);
    t.deepEqual(await jit.tierOf('fib'), { tier: 'pinned', available: [], dependencies: [] });
    t.is(hotMessageCount(), 0);
    t.notRegex((await jit.print('fib', 'ir')) ?? '', /count/);
  });

inBothWays('memory of functions that come, become hot and go is used again', async (t) => {
  const { jit } = await openTiered(t, 3);
  const allocatedBytes = new Set<number>();
  for (let round = 0; round < 30; round++) {
    const tracker = define(jit, `def f(x) x + ${round};`);
    await callTimes(jit, 3, 'f', 1);
    await eventually(() => jit.statistics().functionsOptimized === round + 1, 'it is optimised');
    t.is(await call(jit, 'f', 1), 1 + round);
    tracker.remove();
    // What goes with this is that nothing can be inside any more.
    await evaluateAll(jit, '1;');
    await jit.flush();
    allocatedBytes.add(jit.allocatedBytes);
  }
  // The wrapper that f is called through and a page of counters, once and for all.
  t.is(allocatedBytes.size, 1, `${[...allocatedBytes]}`);
  t.deepEqual(await jit.stubs(), []);
  t.is(jit.runner.generation, 1);
});

inBothWays('a threshold that no counter reaches is refused', async (t) => {
  for (const hotThreshold of [0, 1.5, -1, 2 ** 32])
    await t.throwsAsync(openJIT(t, { hotThreshold }), { instanceOf: ArgumentError });
});
