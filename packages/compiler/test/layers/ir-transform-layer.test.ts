import test from 'ava';
import { IRTransformLayer, optimizeModule, passPipeline } from '../../src/layers/ir-transform-layer.js';
import { CompileError } from '../../src/llvm/errors.js';
import { IRModule } from '../../src/llvm/ir-module.js';
import { createTargetMachine, type OptLevel } from '../../src/llvm/target-machine.js';
import { assemble, THROUGH_MEMORY } from '../llvm/assemble.js';
import { installedLibLLVMs } from '../llvm/installed.js';

const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' };

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  for (const level of [1, 2, 3] as OptLevel[]) {
    for (const inNewThread of [false, true]) {
      test(`${on}: level ${level} removes the detour through memory, inNewThread ${inNewThread}`, async (t) => {
        using machine = createTargetMachine(llvm, TARGET, level);
        using module = IRModule.parse(llvm, 'identity', assemble(THROUGH_MEMORY));
        t.true(module.print().includes('alloca'));
        await optimizeModule(module, machine, level, { inNewThread });
        t.regex(module.print(), /\{\n\s*ret double %x\n\}/);
      });
    }
  }

  test(`${on}: level 0 and the empty pipeline change nothing`, async (t) => {
    using machine = createTargetMachine(llvm, TARGET, 0);
    using module = IRModule.parse(llvm, 'identity', assemble(THROUGH_MEMORY));
    const before = module.print();
    t.is(passPipeline(llvm, 0), '');
    await optimizeModule(module, machine, 0);
    await optimizeModule(module, machine, 3, { passes: '' });
    t.is(module.print(), before);
  });

  test(`${on}: a pipeline of one's own goes before the level's`, async (t) => {
    using machine = createTargetMachine(llvm, TARGET, 0);
    using module = IRModule.parse(llvm, 'identity', assemble(THROUGH_MEMORY));
    await optimizeModule(module, machine, 0, { passes: 'function(mem2reg)' });
    t.false(module.print().includes('alloca'));
  });

  test(`${on}: a pipeline that LLVM does not know is an error that quotes it`, async (t) => {
    using machine = createTargetMachine(llvm, TARGET, 1);
    using module = IRModule.parse(llvm, 'identity', assemble(THROUGH_MEMORY));
    for (const inNewThread of [false, true]) {
      const error = await t.throwsAsync(
        optimizeModule(module, machine, 1, { passes: 'make-it-fast', inNewThread }),
        { instanceOf: CompileError },
      );
      t.regex(error.message, /^Cannot run the passes "make-it-fast" on module identity: .*make-it-fast/);
    }
  });

  test(`${on}: the tutorial's passes do not stop at what instcombine leaves for a second round`, async (t) => {
    using machine = createTargetMachine(llvm, TARGET, 1);
    using module = IRModule.parse(llvm, 'rounds', assemble(TWO_ROUNDS));
    await optimizeModule(module, machine, 1);
    t.notThrows(() => module.verify());
  });

  test(`${on}: transforms run in order and see each other's work`, async (t) => {
    using machine = createTargetMachine(llvm, TARGET, 1);
    using module = IRModule.parse(llvm, 'identity', assemble(THROUGH_MEMORY));
    const seen: string[] = [];
    const layer = new IRTransformLayer([
      (m) => {
        seen.push(m.print().includes('alloca') ? 'memory' : 'register');
      },
      (m, tm) => optimizeModule(m, tm, 1),
      async (m) => {
        seen.push(m.print().includes('alloca') ? 'memory' : 'register');
      },
    ]);
    await layer.apply(module, machine);
    t.deepEqual(seen, ['memory', 'register']);
  });

  test(`${on}: a transform's error ends the layer with that error`, async (t) => {
    using machine = createTargetMachine(llvm, TARGET, 1);
    using module = IRModule.parse(llvm, 'identity', assemble(THROUGH_MEMORY));
    const layer = new IRTransformLayer([
      () => Promise.reject(new Error('no such luck')),
      () => t.fail('ran after an error'),
    ]);
    await t.throwsAsync(layer.apply(module, machine), { message: 'no such luck' });
  });
}

/** Without its options instcombine aborts on this from 18 on: that `%i` is always even shows only in a second round. */
const TWO_ROUNDS = `
define void @rounds(i32* %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %next, %latch ]
  %low = and i32 %i, 1
  %even = icmp eq i32 %low, 0
  br i1 %even, label %then, label %latch
then:
  store i32 %i, i32* %p
  br label %latch
latch:
  %same = phi i32 [ %i, %loop ], [ %i, %then ]
  %next = add i32 %same, 2
  %more = icmp slt i32 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}
`;
