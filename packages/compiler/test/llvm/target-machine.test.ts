import test from 'ava';
import { disassemble } from '../../src/llvm/disassemble.js';
import { CompileError } from '../../src/llvm/errors.js';
import { createTargetMachine, hostTarget } from '../../src/llvm/target-machine.js';
import { TargetMachinePool } from '../../src/llvm/target-machine-pool.js';
import { installedLibLLVMs } from './installed.js';

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

  test(`${on}: the host is described well enough to make a machine for`, (t) => {
    const target = hostTarget(llvm);
    t.regex(target.triple, /^(x86_64|aarch64)-.*linux/);
    t.not(target.cpuName, '');
    t.regex(target.cpuFeatures, /^[+-]\w/);
    t.notThrows(() => createTargetMachine(llvm, target, 3).dispose());
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

  test(`${on}: the pool lends an idle machine again, and one kind is not another`, (t) => {
    using pool = new TargetMachinePool(llvm);
    const first = pool.acquire(X86_64, 1);
    const second = pool.acquire(X86_64, 1);
    t.not(first, second);
    pool.release(first);
    t.not(pool.acquire(X86_64, 2), first);
    t.not(pool.acquire({ ...X86_64, cpuFeatures: '+avx2' }, 1), first);
    t.is(pool.acquire({ ...X86_64 }, 1), first);
  });

  test(`${on}: machine code is disassembled, also behind what is none`, (t) => {
    // push %rbp; mov %rsp,%rbp; vaddsd %xmm1,%xmm0,%xmm0; jmp to the start; a byte that begins no instruction; ret
    const code = Buffer.from('554889e5c5fb58c1ebf606c3', 'hex');
    t.deepEqual(
      disassemble(llvm, X86_64, code).map(({ offsetBytes, sizeBytes, text }) => [
        offsetBytes,
        sizeBytes,
        text,
      ]),
      [
        [0, 1, 'pushq %rbp'],
        [1, 3, 'movq %rsp, %rbp'],
        [4, 4, 'vaddsd %xmm1, %xmm0, %xmm0'],
        [8, 2, 'jmp -10'],
        [10, 1, '.byte 0x06'],
        [11, 1, 'retq'],
      ],
    );
  });
}
