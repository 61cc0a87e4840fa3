import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'ava';
import llvm from 'llvm-bindings';
import { writeBitcode } from '../../src/llvm/bitcode.js';
import { IRModule } from '../../src/llvm/ir-module.js';
import { installedLibLLVMs } from './installed.js';

/** `define double @twice(double %x)`, built as IR generation builds it. */
function buildTwice(): llvm.Module {
  const context = new llvm.LLVMContext();
  const module = new llvm.Module('twice.ks', context);
  const builder = new llvm.IRBuilder(context);
  const double = builder.getDoubleTy();
  const type = llvm.FunctionType.get(double, [double], false);
  const fn = llvm.Function.Create(type, llvm.Function.LinkageTypes.ExternalLinkage, 'twice', module);
  builder.SetInsertPoint(llvm.BasicBlock.Create(context, 'entry', fn));
  const x = fn.getArg(0);
  builder.CreateRet(builder.CreateFAdd(x, x, 'sum'));
  return module;
}

function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the descriptor of the listing itself
    }
  });
}

for (const libLLVM of installedLibLLVMs()) {
  test(`a module of llvm-bindings arrives in libLLVM ${libLLVM.version}`, (t) => {
    using module = IRModule.parse(libLLVM, 'twice', writeBitcode(buildTwice()));
    t.regex(module.print(), /define double @twice\(double %0\)[^}]*fadd double %0, %0/);
  });
}

test('what is written is what the assembler’s own tools read', (t) => {
  const ir = execFileSync('/usr/lib/llvm-14/bin/llvm-dis', ['-', '-o', '-'], {
    input: writeBitcode(buildTwice()),
    encoding: 'utf8',
  });
  t.regex(ir, /define double @twice/);
});

test('no file and no descriptor stays behind', (t) => {
  const module = buildTwice();
  writeBitcode(module);
  const files = readdirSync(tmpdir());
  const descriptors = openDescriptors().length;
  for (let i = 0; i < 20; i++) writeBitcode(module);
  t.is(openDescriptors().length, descriptors);
  t.deepEqual(
    openDescriptors().filter((target) => target.includes('farjit-bitcode')),
    [],
  );
  t.deepEqual(
    readdirSync(tmpdir()).filter((name) => !files.includes(name) && /farjit.*bc|bitcode/.test(name)),
    [],
  );
});
