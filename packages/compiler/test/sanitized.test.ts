import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { CodegenPool } from '../src/codegen/codegen-pool.js';
import { folderWith, start } from './cli/run-farjit.js';
import { assemble, bitcode, FIB } from './llvm/assemble.js';
import { installedLibLLVMs } from './llvm/installed.js';

/*
 * The code generator and the launcher, watched by sanitizers. The code generator has no AddressSanitizer: that maps 16 TiB
 * for itself, which no confined process may.
 */

const run = promisify(execFile);
const SANITIZED = {
  codegen: 'undefined,float-cast-overflow',
  launcher: 'address,undefined',
} as const;

/** Builds a program beside the one that is used. */
async function build(program: keyof typeof SANITIZED): Promise<string> {
  const sources = fileURLToPath(new URL(`../../${program}`, import.meta.url));
  const out = `../dist/${program}-sanitized`;
  await run('flock', [sources, 'make', '-C', sources, `OUT=${out}`, `SANITIZE=${SANITIZED[program]}`]);
  return join(sources, out);
}

for (const llvm of installedLibLLVMs())
  test(`a code generator that is watched compiles and prints with libLLVM ${llvm.version} as any other`, async (t) => {
    const program = join(await build('codegen'), 'farjit-codegen');
    const watched = new CodegenPool({ libLLVM: () => llvm.path, size: 1, program });
    const usual = new CodegenPool({ libLLVM: () => llvm.path, size: 1 });
    t.teardown(() => Promise.all([watched.stop(), usual.stop()]));
    const target = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '+avx2' };
    const input = { name: 'test.ks', ir: bitcode(assemble(FIB)), target, optLevel: 2 } as const;
    const [{ object }, expected] = await Promise.all([watched.compile(input), usual.compile(input)]);
    t.deepEqual(Buffer.from(object), Buffer.from(expected.object));
    for (const what of ['ir', 'asm'] as const)
      t.is(await watched.print(input, what), await usual.print(input, what));
    await t.throwsAsync(watched.compile({ ...input, ir: bitcode(Buffer.from('BC, and no more')) }));
    t.deepEqual(Buffer.from((await watched.compile(input)).object), Buffer.from(object));
  });

test('a launcher that is watched starts compiler and executor, and says what is wrong', async (t) => {
  const folder = await folderWith(t, { 'p.ks': 'def f(x) x + 1;\nf(41);\n' });
  const launcher = join(await build('launcher'), 'farjit');
  const finished = (...args: string[]) => start(t, args, { command: [launcher], cwd: folder }).finished;
  t.like(await finished('run', 'p.ks'), { stdout: 'Evaluated to 42.000000\n', stderr: '', end: 0 });
  t.like(await finished('--version'), { stderr: '', end: 0 });
  t.is((await finished('run', 'nowhere.ks')).end, 1);
});
