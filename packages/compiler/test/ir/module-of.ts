import { execFileSync } from 'node:child_process';
import test from 'ava';
import { CodegenPool } from '../../src/codegen/codegen-pool.js';
import type { CompileInput } from '../../src/codegen/compile-input.js';
import type { IRBuilder } from '../../src/ir/ir-builder.js';
import { installedLibLLVMs } from '../llvm/installed.js';

const OPT = '/usr/lib/llvm-14/bin/opt';
const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '+avx2' };

/** With typed pointers, which its text shows. */
const pool = new CodegenPool({
  libLLVM: () => installedLibLLVMs().find(({ majorVersion }) => majorVersion === 14)?.path ?? '',
  size: 1,
});
test.after.always(() => pool.stop());

/** What was built, to be compiled. */
export function inputOf(ir: IRBuilder, rest: Partial<CompileInput> = {}): CompileInput {
  const recording = { form: 'recording', bytes: ir.finish() } as const;
  return { name: 'm', ir: recording, target: TARGET, optLevel: 0, ...rest };
}

/** What was built, as a code generator makes a module of it on libLLVM 14, without passes. */
export function bitcodeOf(ir: IRBuilder): Promise<Uint8Array> {
  return pool.writeBitcode(inputOf(ir, { passes: '' }));
}

/** The module in words, read and verified by a tool of LLVM's own. */
export async function textOf(ir: IRBuilder): Promise<string> {
  const input = await bitcodeOf(ir);
  return execFileSync(OPT, ['-passes=verify', '-S', '-', '-o', '-'], { input, encoding: 'utf8' });
}
