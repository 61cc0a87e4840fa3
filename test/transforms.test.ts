import { readFileSync } from 'node:fs';
import {
  changeModule,
  type IRTransform,
  loadLibLLVM,
  MaterializationError,
  TransformError,
} from '@farjit/compiler';
import test from 'ava';
import { assemble, THROUGH_MEMORY } from '#compiler/test/llvm/assemble.js';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

/** Gives one module's function the body of another: it answers 42. */
const become42 =
  (wanted: string): IRTransform =>
  (bitcode, { name }) =>
    name === wanted ? assemble(`define double @"${name}$impl"(double %x) { ret double 42.0 }`) : bitcode;

// Before the others, which load libLLVM.
test.serial('what transforms make of functions and modules is what runs', async (t) => {
  const names: string[] = [];
  const note: IRTransform = async (bitcode, { name }) => {
    names.push(name);
    return bitcode;
  };
  const { jit } = await openJIT(t, { optLevel: 1, speculate: 'off', transforms: [note, become42('f')] });
  t.deepEqual(await evaluateAll(jit, 'def f(x) x; def g(x) f(x) + 1; g(1);'), [43]);
  t.is(names.length, 3);
  t.deepEqual(names.slice(-2), ['g', 'f']);
  t.regex((await jit.print('f', 'ir')) ?? '', /ret double 4\.2/);
  const { functionsCompiled, failedCallbacks } = jit.statistics();
  t.deepEqual({ functionsCompiled, failedCallbacks }, { functionsCompiled: 2, failedCallbacks: 0 });
  // The wrapper of a signature is a module too.
  t.is(await (await jit.lookup('f'))(1), 42);
  t.true(names.includes('call$double$double'));
  // LLVM is where it may crash, and not here.
  const mapped = readFileSync('/proc/self/maps', 'utf8').split('\n');
  t.deepEqual(
    mapped.filter((line) => /libLLVM|llvm-bindings/.test(line)),
    [],
  );
});

test('a call that a transform adds goes to what the program means by the name', async (t) => {
  const callFabs: IRTransform = (bitcode, { name }) =>
    name === 'f'
      ? assemble(`declare double @fabs(double)
define double @"f$impl"(double %x) { %y = call double @fabs(double %x) ret double %y }`)
      : bitcode;
  for (const optLevel of [0, 1, 2] as const) {
    const { jit } = await openJIT(t, { optLevel, speculate: 'off', transforms: [callFabs] });
    t.deepEqual(await evaluateAll(jit, 'def f(x) x; f(0 - 3);'), [3]);
    t.deepEqual(await evaluateAll(jit, 'def fabs(x) x + 100; def f(x) x; f(0 - 3);'), [97]);
  }
});

test('a transform that spoils a function fails its call by name, and nothing else', async (t) => {
  let isSpoiling = true;
  const spoil: IRTransform = (bitcode, { name }) =>
    isSpoiling && name === 'f' ? assemble('define double @other(double %x) { ret double %x }') : bitcode;
  const { jit } = await openJIT(t, { optLevel: 1, speculate: 'off', transforms: [spoil] });
  t.deepEqual(await evaluateAll(jit, 'def f(x) x + 1; def g(x) x + 2; g(1);'), [3]);
  const f = await jit.lookup('f');
  const error = await t.throwsAsync(f(1), { instanceOf: MaterializationError });
  t.true(error.cause instanceof TransformError);
  t.regex(
    error.message,
    /f: Cannot transform module f: the transform spoil gave back a module that does not define f\$impl$/,
  );
  t.is(await (await jit.lookup('g'))(1), 3);
  isSpoiling = false;
  t.is(await f(1), 2);
  t.deepEqual((await jit.executorStatus()).blocked, []);
});

test('a transform that fails over several functions loses none of them', async (t) => {
  const names: string[] = [];
  const fail: IRTransform = (bitcode, { name }) => {
    names.push(name);
    if (name.includes('+')) throw new Error('too many for me');
    return bitcode;
  };
  const { jit } = await openJIT(t, { optLevel: 1, speculate: 'auto', transforms: [fail] });
  const count = 12;
  const definitions = Array.from({ length: count }, (_, i) =>
    i === count - 1 ? `def f${i}(x) x;` : `def f${i}(x) f${i + 1}(x) + 1;`,
  );
  t.deepEqual(await evaluateAll(jit, `${definitions.join(' ')} f0(1);`), [count]);
  t.true(names.some((name) => name.includes('+')));
  await eventually(() => jit.statistics().functionsCompiled === count, 'each was compiled alone');
});

test('bitcode is optimised for the executor, and a transform can have that done', async (t) => {
  const { jit } = await openJIT(t, { optLevel: 2 });
  const optimized = await jit.optimizeModule(assemble(THROUGH_MEMORY));
  const llvm = loadLibLLVM();
  const texts: string[] = [];
  const changed = await changeModule(llvm, 'm', optimized, (module) => void texts.push(module.print()));
  t.notRegex(texts[0] ?? '', /alloca/);
  t.true(texts[0]?.includes(`target triple = "${jit.target.triple}"`));
  t.true(texts[0]?.includes(`target datalayout = "${jit.getDataLayout()}"`));
  t.true(changed.byteLength > 0);
  await t.throwsAsync(jit.optimizeModule(Buffer.from('no bitcode')), { code: 'BITCODE' });
});
