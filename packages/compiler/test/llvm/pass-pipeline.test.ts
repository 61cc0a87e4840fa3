import test from 'ava';
import type { CompileInput } from '../../src/codegen/compile-input.js';
import { CompileError } from '../../src/llvm/errors.js';
import { IRModule } from '../../src/llvm/ir-module.js';
import { passPipeline } from '../../src/llvm/pass-pipeline.js';
import type { OptLevel } from '../../src/llvm/target.js';
import { sharedPool } from '../codegen/pool-of.js';
import { TARGET } from '../layers/recording-compile-layer.js';
import { assemble, bitcode, THROUGH_MEMORY } from './assemble.js';
import { installedLibLLVMs } from './installed.js';

function inputOf(ir: string, rest: Partial<CompileInput>): CompileInput {
  return { name: 'm', ir: bitcode(assemble(ir)), target: TARGET, optLevel: 0, ...rest };
}

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;
  const pool = sharedPool(llvm.path);
  const textOf = (bytes: Uint8Array) => {
    using module = IRModule.parse(llvm, 'm', bytes);
    module.verify();
    return module.print();
  };

  for (const optLevel of ['first', 1, 2, 3] as const)
    test(`${on}: level ${optLevel} removes the detour through memory`, async (t) => {
      const optimized = await pool.writeBitcode(inputOf(THROUGH_MEMORY, { optLevel }));
      t.regex(textOf(optimized), /\{\n\s*ret double %x\n\}/);
    });

  test(`${on}: level 0 and the empty pipeline change nothing`, async (t) => {
    const bodyOf = (text: string) => text.slice(text.indexOf('define'), text.indexOf('}'));
    const before = bodyOf(textOf(assemble(THROUGH_MEMORY)));
    t.true(before.includes('alloca'));
    t.is(passPipeline(llvm, 0), '');
    t.is(bodyOf(textOf(await pool.writeBitcode(inputOf(THROUGH_MEMORY, { optLevel: 0 })))), before);
    const empty = inputOf(THROUGH_MEMORY, { optLevel: 3, passes: '' });
    t.is(bodyOf(textOf(await pool.writeBitcode(empty))), before);
  });

  test(`${on}: a pipeline of one's own goes before the level's`, async (t) => {
    const own = inputOf(THROUGH_MEMORY, { passes: 'function(mem2reg)' });
    t.false(textOf(await pool.writeBitcode(own)).includes('alloca'));
  });

  test(`${on}: a pipeline that LLVM does not know is an error that quotes it`, async (t) => {
    for (const optLevel of [1, 3] as OptLevel[]) {
      const error = await t.throwsAsync(
        pool.writeBitcode(inputOf(THROUGH_MEMORY, { optLevel, passes: 'make-it-fast' })),
        { instanceOf: CompileError },
      );
      t.regex(error.message, /^Cannot compile module m: cannot run its passes: .*make-it-fast/);
    }
  });

  test(`${on}: the tutorial's passes do not stop at what instcombine leaves for a second round`, async (t) => {
    const optimized = await pool.writeBitcode(inputOf(TWO_ROUNDS, { optLevel: 1 }));
    t.notThrows(() => textOf(optimized));
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
