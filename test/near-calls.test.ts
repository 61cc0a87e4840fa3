import type { ObjectLinkingPlugin } from '@farjit/compiler';
import test from 'ava';
import { openJIT } from './jit-fixture.js';

/** Says of each linked unit in which sections it has blocks. */
function sectionsOf(): { readonly plugin: ObjectLinkingPlugin; readonly sections: Map<string, string[]> } {
  const sections = new Map<string, string[]>();
  const plugin: ObjectLinkingPlugin = {
    postFixup: (graph, { unit }) => {
      sections.set(
        unit.name,
        graph.sections.filter(({ blocks }) => blocks.length > 0).map(({ name }) => name),
      );
    },
  };
  return { plugin, sections };
}

test('a call of what the session defines takes no PLT stub, and one of the process takes one', async (t) => {
  const { plugin, sections } = sectionsOf();
  const { jit } = await openJIT(t, { plugins: [plugin], optLevel: 0 });
  await jit.addSource('extern atan2(y x); def g(x) x + 1; def near(x) g(x); def far(x) atan2(x, g(x));');
  const near = await jit.lookup('near');
  t.is(await near(1), 2);
  const far = await jit.lookup('far');
  t.is(await far(1), Math.atan2(1, 2));
  const has = (unit: string) =>
    sections
      .get(unit)
      ?.filter((name) => /^\$__(GOT|STUBS)$/.test(name))
      .toSorted();
  t.deepEqual(has('near'), []);
  t.deepEqual(has('far'), ['$__GOT', '$__STUBS']);
});

test('what was near when a link began, and is the process’s when it goes on, is reached all the same', async (t) => {
  const { plugin, sections } = sectionsOf();
  const { jit } = await openJIT(t, { plugins: [plugin] });
  const own = await jit.addC('double cbrt(double x) { return 100; }', { flags: ['-fno-builtin'] });
  await jit.addC('double cbrt(double); extern double later; double f(double x) { return cbrt(x) + later; }', {
    flags: ['-fno-builtin'],
    name: 'caller.c',
  });
  let isRemoved = false;
  jit.mainDylib.addGenerator(async (names, dylib) => {
    if (!names.includes('later')) return;
    own.remove();
    isRemoved = true;
    await dylib.addC('double later = 7;');
  });
  const f = await jit.lookup('f', 'double(double)');
  t.is(await f(27), 3 + 7);
  t.true(isRemoved);
  // Where the process has it may be in reach, or not.
  t.true(sections.get('caller.c')?.includes('$__STUBS'));
});
