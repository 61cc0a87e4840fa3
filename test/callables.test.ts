import { ArgumentError } from '@farjit/compiler';
import test from 'ava';
import { parseAssembly } from './ir-module.js';
import { openJIT } from './jit-fixture.js';

test('a callable takes what the function takes now, not what it took when it was looked up', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) x + 1;');
  const f = await jit.lookup('f');
  t.is(await f(1), 2);
  await jit.addSource('def f(x y) x * 10 + y;');
  await t.throwsAsync(f(1), { instanceOf: ArgumentError, message: 'f takes 2 arguments, got 1' });
  t.is(await f(1, 2), 12);
  t.is(f.signature.parameters.length, 2);
});

test('a signature that was given stays', async (t) => {
  const { jit } = await openJIT(t);
  const labs = await jit.lookup('labs', { result: 'i64', parameters: ['i64'] });
  t.is(await labs(-5n), 5n);
  await t.throwsAsync(jit.lookup('labs'), { code: 'NO_SIGNATURE' });
});

test('wrong arguments compile nothing and cost nothing', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly('define i32 @id(i32 %x) {\n ret i32 %x\n}'));
  const id = await jit.lookup('id');
  for (const argument of [2 ** 40, 1.5, Number.NaN])
    await t.throwsAsync(id(argument), { instanceOf: ArgumentError });
  t.is(jit.statistics().modulesCompiled + jit.statistics().wrappersCompiled, 0);
  t.is(await id(0xffff_ffff), -1);
  t.is(jit.runner.generation, 1);
});

test('an argv that is too long costs nothing', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly('define i32 @main(i32 %argc, i8** %argv) {\n ret i32 %argc\n}'));
  const main = await jit.findSymbol('main');
  if (!main) return t.fail();
  await t.throwsAsync(jit.callMain(main.address, ['x'.repeat(50_000)]), {
    instanceOf: ArgumentError,
  });
  t.is(await jit.callMain(main.address, ['x'.repeat(40_000)]), 1);
  t.is(jit.runner.generation, 1);
});
