import {
  type IRTransform,
  type KaleidoscopeJITOptions,
  MaterializationError,
  type ResourceTracker,
  SymbolsNotFoundError,
} from '@farjit/compiler';
import test from 'ava';
import { randomFrom } from '#compiler/test/random.js';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

type JIT = Awaited<ReturnType<typeof openJIT>>['jit'];

/** Defines the one function of a text. */
function define(jit: JIT, text: string): ResourceTracker {
  const [item] = jit.parse(text);
  if (item?.kind !== 'definition') throw new Error(`no definition: ${text}`);
  return jit.addFunctionAST(item.function);
}

/** Makes compilations of a name wait, each until it is let go on. */
function gateFor(name: string) {
  const waiting: (() => void)[] = [];
  const transform: IRTransform = async (bitcode, module) => {
    if (module.name === name) await new Promise<void>((resolve) => waiting.push(resolve));
    return bitcode;
  };
  return { transforms: [transform], waiting };
}

test('a redefinition while the old definition is compiled is what the waiting call lands in', async (t) => {
  const { transforms, waiting } = gateFor('f');
  const { jit } = await openJIT(t, { transforms });
  define(jit, 'def f(x) x + 1;');
  const f = await jit.lookup('f');
  const calls = [f(1), f(2)];
  await eventually(() => waiting.length === 1, 'the old definition is being compiled');
  define(jit, 'def f(x) x + 100;');
  waiting[0]?.();
  await eventually(() => waiting.length === 2, 'the new definition is being compiled');
  waiting[1]?.();
  t.deepEqual(await Promise.all(calls), [101, 102]);
  t.deepEqual((await jit.executorStatus()).blocked, []);
  t.is(jit.statistics().failedCallbacks, 0);
});

test('a function removed while it is compiled fails the call, and its name can be used again', async (t) => {
  const { transforms, waiting } = gateFor('f');
  const { jit } = await openJIT(t, { transforms });
  const tracker = define(jit, 'def f(x) x + 1;');
  const f = await jit.lookup('f');
  const call = f(1);
  await eventually(() => waiting.length === 1, 'it is being compiled');
  tracker.remove();
  waiting[0]?.();
  const error = await t.throwsAsync(call, { instanceOf: MaterializationError });
  t.regex(error.message, /f has been removed/);
  await t.throwsAsync(f(1), { instanceOf: SymbolsNotFoundError });
  t.deepEqual(await jit.stubs(), []);
  define(jit, 'def f(x) x + 2;');
  const again = f(1);
  await eventually(() => waiting.length === 2, 'the new definition is being compiled');
  waiting[1]?.();
  t.is(await again, 3);
});

test('a function whose data is still being compiled keeps no other thread from what it calls', async (t) => {
  const { transforms, waiting } = gateFor('cell');
  const { jit } = await openJIT(t, { transforms });
  const modules = {
    cell: '@cell = global double 42.0',
    reader:
      '@cell = external global double\ndefine double @read() {\n  %v = load double, double* @cell\n  ret double %v\n}',
  };
  for (const [name, text] of Object.entries(modules)) {
    const module = parseAssembly(text);
    module.setModuleIdentifier(name);
    await jit.addModule(module);
  }
  await jit.addSource('extern read(); def a() read(); def b() read(); def other(x) x + 1;');
  const linked: string[] = [];
  jit.subscribe((event) => {
    if (event.type === 'linked') linked.push(event.unit);
  });
  const [a, b, other] = await Promise.all(['a', 'b', 'other'].map((name) => jit.lookup(name)));
  const reading = [a?.(), b?.()];
  await eventually(() => waiting.length === 1, 'the data is being compiled');
  t.is(await other?.(1), 2);
  waiting[0]?.();
  t.deepEqual(await Promise.all(reading), [42, 42]);
  for (const unit of ['cell', 'reader']) t.is(linked.filter((name) => name === unit).length, 1, unit);
});

test('a function removed while it runs keeps its memory until it has returned', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@flag = global i32 0
define void @release() {
  store atomic i32 1, i32* @flag seq_cst, align 4
  ret void
}`),
  );
  const tracker = await jit.addModule(
    parseAssembly(`
@flag = external global i32
@sum = global double 0.0
declare i32 @usleep(i32)
define double @after(double %x) {
  %y = fmul double %x, 3.0
  ret double %y
}
define double @waitForFlag(double %x) {
entry:
  br label %loop
loop:
  %slept = call i32 @usleep(i32 500)
  %f = load atomic i32, i32* @flag seq_cst, align 4
  %done = icmp ne i32 %f, 0
  br i1 %done, label %out, label %loop
out:
  %a = fadd double %x, 0.5
  %s = load double, double* @sum
  %b = fadd double %a, %s
  ret double %b
}`),
  );
  const wait = await jit.lookup('waitForFlag');
  const running = [wait(1), wait(2), wait(3)];
  await eventually(async () => {
    const { callsInFlight, blocked } = await jit.executorStatus();
    return callsInFlight === 3 && blocked.length === 0;
  }, 'three threads are in the function');
  tracker.remove();
  await t.throwsAsync(wait(4), { instanceOf: SymbolsNotFoundError });
  for (let round = 0; round < 15; round++) {
    const names = Array.from({ length: 20 }, (_, index) => `g${round}x${index}`);
    const trackers = names.map((name, index) => define(jit, `def ${name}(x) x * ${index} + ${round};`));
    const [value] = await evaluateAll(jit, `${names.map((name) => `${name}(1)`).join(' + ')};`);
    t.is(value, 190 + 20 * round);
    for (const added of trackers) added.remove();
  }
  await (await jit.lookup('release'))();
  t.deepEqual(await Promise.all(running), [1.5, 2.5, 3.5]);
  await jit.flush();
  t.deepEqual(
    (await jit.stubs()).map(({ name }) => name),
    ['release'],
  );
  t.is(jit.runner.generation, 1);
});

test('a redefinition between a compilation and its answer: the thread lands in the definition of now', async (t) => {
  const { jit } = await openJIT(t);
  define(jit, 'def f(x) x + 1;');
  const f = await jit.lookup('f');
  let redefined = false;
  jit.subscribe((event) => {
    if (event.type !== 'callback' || redefined) return;
    redefined = true;
    define(jit, 'def f(x) x + 2;');
  });
  t.is(await f(0), 2);
  t.true(redefined);
});

test('what was missing is defined between a failure and its answer: the thread goes on', async (t) => {
  const { jit } = await openJIT(t);
  define(jit, 'def f(x) g(x) + 1;');
  const f = await jit.lookup('f');
  let outcome = '';
  jit.subscribe((event) => {
    if (event.type !== 'callback' || outcome !== '') return;
    outcome = event.outcome;
    define(jit, 'def g(x) x + 10;');
  });
  t.is(await f(0), 11);
  t.is(outcome, 'failed');
});

test('a caller that is running sees a redefinition made meanwhile', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
declare double @step(double)
declare i32 @usleep(i32)
define double @until(double %limit) {
entry:
  br label %loop
loop:
  %slept = call i32 @usleep(i32 500)
  %v = call double @step(double 0.0)
  %more = fcmp olt double %v, %limit
  br i1 %more, label %loop, label %out
out:
  ret double %v
}`),
  );
  define(jit, 'def step(x) 1;');
  const until = await jit.lookup('until');
  const running = until(5);
  await eventually(() => jit.statistics().compileCallbacks === 2, 'the loop runs');
  for (const value of [2, 3, 4, 5]) define(jit, `def step(x) ${value};`);
  t.is(await running, 5);
});

const MODEL_VARIANTS: Readonly<Record<string, KaleidoscopeJITOptions>> = {
  'without speculation': { optLevel: 0, speculate: 'off' },
  'with speculation': { optLevel: 0, speculate: 'auto' },
  'with eager speculation': { optLevel: 0, speculate: 'eager' },
  'with tiers': { hotThreshold: 2, speculate: 'auto' },
};
for (const [variant, options] of Object.entries(MODEL_VARIANTS))
  test(`random definitions, calls and removals side by side agree with a model, ${variant}`, async (t) => {
    const { jit } = await openJIT(t, options);
    const random = randomFrom(7_654_321);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    /** What each name meant over time: its constant, or undefined while it had no definition. */
    const meanings = new Map<string, (number | undefined)[]>(names.map((name) => [name, [undefined]]));
    const trackers = new Map<string, ResourceTracker>();
    const meaningOf = (name: string) => meanings.get(name) ?? [];
    const calls = new Set<Promise<void>>();
    const wrong: string[] = [];
    let [resolved, rejected] = [0, 0];

    // Callers that stay, so that what they call changes under compiled code.
    const externs = names.map((name) => `extern ${name}(x);`).join(' ');
    await jit.addSource(`${externs} ${names.map((name) => `def by${name}(x) ${name}(x);`).join(' ')}`);

    const call = async (name: string, argument: number): Promise<void> => {
      const from = meaningOf(name).length - 1;
      const callee = random(2) === 0 ? name : `by${name}`;
      const [result] = await jit.addSource(`${externs} ${callee}(${argument});`);
      const possible = meaningOf(name).slice(from);
      if (result?.status === 'fulfilled') {
        resolved++;
        const value = result.value - argument;
        if (!possible.includes(value)) wrong.push(`${name} gave ${value}, not one of ${possible}`);
      } else {
        rejected++;
        if (!possible.includes(undefined)) wrong.push(`${name}: ${result?.reason}`);
      }
    };

    for (let step = 0; step < 1200; step++) {
      const name = names[random(names.length)] ?? 'a';
      const dice = random(100);
      if (dice < 20) {
        const value = random(1000) + 1;
        trackers.set(name, define(jit, `def ${name}(x) x + ${value};`));
        meaningOf(name).push(value);
      } else if (dice < 27) {
        trackers.get(name)?.remove();
        trackers.delete(name);
        if (meaningOf(name).at(-1) !== undefined) meaningOf(name).push(undefined);
      } else {
        const calling = call(name, random(100)).finally(() => calls.delete(calling));
        calls.add(calling);
        if (calls.size > 12) await Promise.race(calls);
      }
      if (random(10) === 0) await new Promise((resolve) => setTimeout(resolve, random(3)));
    }
    await Promise.all(calls);
    t.deepEqual(wrong, []);
    t.true(resolved > 300 && rejected > 20, `${resolved} resolved, ${rejected} rejected`);
    if (options.hotThreshold !== undefined) {
      // On a busy machine none of the others may have got there before it was redefined: this one is left alone.
      const steady = define(jit, 'def steady(x) x;');
      await evaluateAll(jit, 'steady(1); steady(2); steady(3);');
      await eventually(() => jit.statistics().functionsOptimized > 0, 'a function is optimised');
      steady.remove();
    }
    for (const tracker of trackers.values()) tracker.remove();
    await evaluateAll(jit, '1;');
    await jit.flush();
    // The callers refer to what nobody defines any more; nothing else is left.
    const left = (await jit.stubs()).map((stub) => stub.name);
    t.true(
      left.every((name) => names.includes(name.replace('by', ''))),
      left.join(),
    );
    t.is(jit.runner.generation, 1);
    t.is(jit.statistics().functionsOptimized > 0, options.hotThreshold !== undefined);
  });

test('sources added side by side are each evaluated in their own order', async (t) => {
  const { jit } = await openJIT(t);
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      evaluateAll(
        jit,
        `def f${i}(x) x + ${i}; f${i}(1); def g${i}(x) f${i}(x) * 2; g${i}(2); f${i}(3) + g${i}(4);`,
      ),
    ),
  );
  t.deepEqual(
    results,
    Array.from({ length: 20 }, (_, i) => [i + 1, 2 * (i + 2), i + 3 + 2 * (i + 4)]),
  );
});

test('thousands of calls at once all get their turn', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) x + 1;');
  const f = await jit.lookup('f');
  const results = await Promise.all(Array.from({ length: 3000 }, (_, i) => f(i)));
  t.is(results.length, 3000);
  t.true(results.every((value, i) => value === i + 1));
  t.is(jit.runner.generation, 1);
});
