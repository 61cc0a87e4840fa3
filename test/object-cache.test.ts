import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

function cacheDirectory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'farjit-cache-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a definition that comes back is found in memory', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'off', baseline: 'off' });
  t.deepEqual(await evaluateAll(jit, 'def f(x) x + 1; def g(x) f(x); g(1);'), [2]);
  t.deepEqual(await evaluateAll(jit, 'def f(x) x + 2; g(2);'), [4]);
  t.deepEqual(await evaluateAll(jit, 'def f(x)\n  x + 1; # as at first\ng(3);'), [4]);
  const { functionsCompiled, cacheMemoryHits, cacheDiskHits, cacheMisses } = jit.statistics();
  t.is(functionsCompiled, 3);
  t.is(cacheMemoryHits, 1);
  t.is(cacheDiskHits, 0);
  // Three functions and three expressions.
  t.is(cacheMisses, 6);
});

test("a program's own function is not confused with the process's of that name", async (t) => {
  const { jit } = await openJIT(t, { speculate: 'off', baseline: 'off' });
  const program = 'def f(x) fabs(x);';
  t.deepEqual(await evaluateAll(jit, `extern fabs(x); ${program} f(0 - 3);`), [3]);
  t.deepEqual(await evaluateAll(jit, 'def fabs(x) 77; f(0 - 3);'), [77]);
  t.deepEqual(await evaluateAll(jit, `${program} f(0 - 4);`), [77]);
  // Compiled for libm's, and again for the program's; the third definition is the same.
  t.is(jit.statistics().functionsCompiled, 3);
});

test('a callee that takes other parameters makes another object of its caller', async (t) => {
  const cacheDir = cacheDirectory(t);
  const options = { cacheDir, baseline: 'off' } as const;
  const first = await openJIT(t, options);
  t.deepEqual(await evaluateAll(first.jit, 'def g(x) x; def f(x) g(x); f(1);'), [1]);
  await first.jit.close();
  const { jit } = await openJIT(t, options);
  const [result] = await jit.addSource('def g(x y) x + y; def f(x) g(x); f(1);');
  t.regex(result?.status === 'rejected' ? result.reason.message : '', /incorrect number of arguments/);
});

test('modules, wrappers and functions of one session are found by the next', async (t) => {
  const cacheDir = cacheDirectory(t);
  // Parsed once, since the path it is read from is part of a module.
  const module = parseAssembly(`@counter = global i32 40
    define i32 @next() {
      %1 = load i32, i32* @counter
      %2 = add i32 %1, 1
      store i32 %2, i32* @counter
      ret i32 %2
    }
    define double @twice(double %x) {
      %1 = fadd double %x, %x
      ret double %1
    }`);
  for (const isFirst of [true, false]) {
    const { jit } = await openJIT(t, { cacheDir, baseline: 'off' });
    await jit.addModule(module);
    await jit.addSource('def f(x) twice(x) + 1;');
    const [next, f] = await Promise.all([jit.lookup('next'), jit.lookup('f')]);
    t.deepEqual([await next(), await next(), await f(4)], [41, 42, 9]);
    const { modulesCompiled, wrappersCompiled, functionsCompiled, cacheDiskHits } = jit.statistics();
    t.deepEqual(
      { modulesCompiled, wrappersCompiled, functionsCompiled, cacheDiskHits },
      isFirst
        ? { modulesCompiled: 1, wrappersCompiled: 2, functionsCompiled: 1, cacheDiskHits: 0 }
        : { modulesCompiled: 0, wrappersCompiled: 0, functionsCompiled: 0, cacheDiskHits: 4 },
    );
    await jit.close();
  }
});

test('with transforms nothing is kept: what they do is in no key', async (t) => {
  const cacheDir = cacheDirectory(t);
  for (let round = 0; round < 2; round++) {
    const { jit } = await openJIT(t, { cacheDir, transforms: [(bitcode) => bitcode] });
    t.deepEqual(await evaluateAll(jit, 'def f(x) x; f(1);'), [1]);
    const { functionsCompiled, cacheMisses } = jit.statistics();
    t.deepEqual({ functionsCompiled, cacheMisses }, { functionsCompiled: 1, cacheMisses: 0 });
    await jit.close();
  }
  t.deepEqual(readdirSync(cacheDir), []);
});

test('functions found ahead are redefined singly, and linked again in a new runner', async (t) => {
  const cacheDir = cacheDirectory(t);
  const program = 'def c(x) x + 1; def b(x) c(x) + 1; def a(x) b(x) + 1; a(0);';
  const options = { cacheDir, speculate: 'auto', baseline: 'off' } as const;
  const first = await openJIT(t, options);
  t.deepEqual(await evaluateAll(first.jit, program), [3]);
  await first.jit.close();

  const { jit } = await openJIT(t, options);
  t.deepEqual(await evaluateAll(jit, program), [3]);
  const { compileCallbacks, functionsLinkedAhead } = jit.statistics();
  t.deepEqual({ compileCallbacks, functionsLinkedAhead }, { compileCallbacks: 1, functionsLinkedAhead: 2 });
  t.deepEqual(await evaluateAll(jit, 'def c(x) x + 10; a(0);'), [12]);
  t.is(jit.statistics().functionsCompiled, 1);
  await jit.addModule(
    parseAssembly('declare void @abort()\ndefine void @stop() {\n call void @abort()\n ret void\n}'),
  );
  const stop = await jit.lookup('stop');
  await t.throwsAsync(stop(), { code: 'RUNNER_LOST' });
  t.deepEqual(await evaluateAll(jit, 'a(1);'), [13]);
  t.is(jit.statistics().functionsCompiled, 1);
});

test('what is not called is linked ahead within a bound', async (t) => {
  const cacheDir = cacheDirectory(t);
  const width = 300;
  const leaves = Array.from({ length: width }, (_, n) => `def leaf${n}(x) x + ${n};`).join('\n');
  const calls = Array.from({ length: width }, (_, n) => `leaf${n}(x)`);
  // One of them is called, depending on the argument; the first session compiles them all.
  const choose = calls.reduceRight(
    (rest, call, n) => (n < 150 ? `if x < ${n + 1} then ${call} else ${rest}` : rest),
    '0',
  );
  const program = `${leaves}\ndef choose(x) ${choose};`;
  const first = await openJIT(t, { cacheDir, speculate: 'eager', baseline: 'off' });
  t.deepEqual(
    await evaluateAll(
      first.jit,
      `${program} ${Array.from({ length: 150 }, (_, n) => `choose(${n});`).join(' ')}`,
    ).then((values) => values.length),
    150,
  );
  await first.jit.close();

  const { jit } = await openJIT(t, { cacheDir, speculate: 'auto', baseline: 'off' });
  t.deepEqual(await evaluateAll(jit, `${program} choose(0);`), [0]);
  const { functionsCompiled, functionsLinkedAhead, linkedAheadOpen } = jit.statistics();
  t.is(functionsCompiled, 0);
  // 64, and two for `choose`, the only function that is known to have been called.
  t.is(functionsLinkedAhead, 66);
  t.is(linkedAheadOpen, 66);
});

test('code that a front end makes itself is kept nowhere: what LLVM makes of it when it is hot is', async (t) => {
  const cacheDir = cacheDirectory(t);
  for (const isFirst of [true, false]) {
    const { jit } = await openJIT(t, { cacheDir, hotThreshold: 10 });
    const optimized: boolean[] = [];
    jit.subscribe((event) => {
      if (event.type === 'tier-up') optimized.push(event.compiled !== undefined);
    });
    t.deepEqual(await evaluateAll(jit, 'def f(x) x + 1; def g(x) f(x) * 2; g(3);'), [8]);
    const { functionsCompiled, compiledWithoutLLVM, cacheMisses, cacheMemoryHits } = jit.statistics();
    t.deepEqual([functionsCompiled, compiledWithoutLLVM, cacheMisses, cacheMemoryHits], [2, 3, 0, 0]);
    t.deepEqual(readdirSync(cacheDir).length > 0, !isFirst);
    await evaluateAll(jit, 'f(1); '.repeat(10));
    await eventually(() => optimized.length === 1, 'f is optimised');
    t.deepEqual(optimized, [isFirst]);
    await jit.close();
  }
});
