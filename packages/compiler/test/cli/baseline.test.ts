import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { StatisticsSnapshot } from '../../src/observe/statistics.js';
import { EXAMPLES, farjit, folderWith } from './run-farjit.js';

/** Where there is no libLLVM. */
const WITHOUT = { FARJIT_LIBLLVM: '/nonexistent/libLLVM.so' };

/** Runs a program with first code of its own. */
async function run(
  t: ExecutionContext,
  file: string,
  options: Parameters<typeof farjit>[2],
  ...args: string[]
) {
  return farjit(t, ['run', '--baseline=on', ...args, file], options);
}

for (const name of ['fib.ks', 'laziness.ks', 'operators.ks', 'mandelbrot.ks'])
  test.serial(
    `examples/${name} prints the same with first code of our own, also without a libLLVM`,
    async (t) => {
      const file = join(EXAMPLES, name);
      const expected = await farjit(t, ['run', '-O0', file]);
      t.is(expected.end, 0);
      t.deepEqual(await run(t, file, {}), expected);
      const { stdout, stderr, end } = await run(t, file, { env: WITHOUT });
      t.deepEqual([stdout, end], [expected.stdout, 0]);
      // Of fib.ks it depends on who is faster. In mandelbrot.ks several functions become hot.
      const said = [
        ...stderr.matchAll(/^farjit: warning: hot functions are not optimised: FARJIT_LIBLLVM is .*$/gm),
      ];
      if (name !== 'fib.ks') t.is(said.length, name === 'mandelbrot.ks' ? 1 : 0, stderr);
      t.true(said.length <= 1);
      t.is(stderr.trim().split('\n').filter(Boolean).length, said.length);
    },
  );

test.serial(
  'it is made again by the next run, and nothing is kept of it, nor found in its place',
  async (t) => {
    const folder = await folderWith(t, { 'a.ks': 'def f(x) x + 1; def g(x) f(x) * 2; g(3);' });
    const env = { XDG_CACHE_HOME: folder };
    const compiled = async (options: readonly string[], others: Record<string, string> = {}) => {
      const command = ['run', ...options, '--stats=json', 'a.ks'];
      const { stdout, stderr, end } = await farjit(t, command, { cwd: folder, env: { ...env, ...others } });
      t.deepEqual([stdout, end], ['Evaluated to 8.000000\n', 0], stderr);
      const { functionsCompiled, expressionsCompiled, compiledWithoutLLVM } = JSON.parse(
        stderr.trim().split('\n').at(-1) ?? '',
      ) as StatisticsSnapshot;
      return [functionsCompiled + expressionsCompiled, compiledWithoutLLVM];
    };
    t.deepEqual(await compiled(['--baseline=on'], WITHOUT), [3, 3]);
    t.false(existsSync(join(folder, 'farjit')));
    t.deepEqual(await compiled(['--baseline=off']), [3, 0]);
    t.deepEqual(await compiled(['--baseline=off']), [0, 0]);
    t.deepEqual(await compiled(['--baseline=on']), [3, 3]);
    t.deepEqual(await compiled(['-O2']), [3, 0]);
  },
);

test.serial('--stats says how many were made without LLVM', async (t) => {
  const folder = await folderWith(t, { 'a.ks': 'def f(x) x + 1; f(3);' });
  const { stderr } = await run(t, 'a.ks', { cwd: folder, env: WITHOUT }, '--stats');
  t.regex(stderr, /^functions +1 defined, 1 compiled$/m);
  t.regex(stderr, /0\.0 ms in LLVM, .* ms making first code of 2 units without LLVM/);
});

test.serial('without it, a program without a libLLVM says what is missing', async (t) => {
  const folder = await folderWith(t, { 'a.ks': 'def f(x) x + 1; f(3);' });
  const { stderr, end } = await farjit(t, ['run', '--baseline=off', 'a.ks'], { cwd: folder, env: WITHOUT });
  t.is(end, 1);
  t.regex(stderr, /FARJIT_LIBLLVM is /);
});
