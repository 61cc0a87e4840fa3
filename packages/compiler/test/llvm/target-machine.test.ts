import test from 'ava';
import { CompileError } from '../../src/llvm/errors.js';
import { createTargetMachine } from '../../src/llvm/target-machine.js';
import { installedLibLLVMs } from './installed.js';
import { watchOwnership } from './ownership.js';

const X86_64 = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' };

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  test(`${on}: x86-64 has its data layout`, (t) => {
    using machine = createTargetMachine(llvm, X86_64, 1);
    t.regex(machine.dataLayout(), /^e-m:e-p270:32:32-p271:32:32-p272:64:64-.*n8:16:32:64-S128$/);
  });

  test(`${on}: the other architecture has a data layout of its own`, (t) => {
    using machine = createTargetMachine(
      llvm,
      { triple: 'aarch64-unknown-linux-gnu', cpuName: '', cpuFeatures: '' },
      1,
    );
    t.regex(machine.dataLayout(), /^e-m:e-.*n32:64-S128/);
  });

  test(`${on}: a target that FarJIT or LLVM does not know is refused by name`, (t) => {
    for (const triple of ['sparc-sun-solaris', '', 'toaster']) {
      const error = t.throws(() => createTargetMachine(llvm, { ...X86_64, triple }, 1), {
        instanceOf: CompileError,
      });
      t.is(error.subject, triple);
      t.regex(error.message, /x86_64 and aarch64/);
    }
  });

  test(`${on}: a machine is disposed of once, also one whose target is refused`, (t) => {
    const { llvm: watched, held } = watchOwnership(llvm);
    const machine = createTargetMachine(watched, X86_64, 1);
    machine.dataLayout();
    t.deepEqual(held(), { LLVMDisposeTargetMachine: 1 });
    t.throws(() => createTargetMachine(watched, { ...X86_64, triple: 'vax-dec-vms' }, 1));
    machine.dispose();
    machine.dispose();
    t.deepEqual(held(), {});
  });
}
