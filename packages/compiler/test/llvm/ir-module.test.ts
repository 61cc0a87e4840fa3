import test from 'ava';
import { BitcodeError, CompileError } from '../../src/llvm/errors.js';
import { changeModule, IRModule } from '../../src/llvm/ir-module.js';
import { LLVMAttributeFunctionIndex, type LLVMValueRef } from '../../src/llvm/libllvm.js';
import { assemble, FIB } from './assemble.js';
import { installedLibLLVMs } from './installed.js';
import { watchOwnership } from './ownership.js';

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  test(`${on}: a parsed module lists its functions and prints under its name`, (t) => {
    using module = IRModule.parse(llvm, 'fib.ks', assemble(`${FIB}\ndeclare double @sin(double)`));
    t.deepEqual(
      module.functions().map(({ name, isDeclaration }) => ({ name, isDeclaration })),
      [
        { name: 'fib', isDeclaration: false },
        { name: 'sin', isDeclaration: true },
      ],
    );
    t.notThrows(() => module.verify());
    t.true(module.print().startsWith("; ModuleID = 'fib.ks'\n"));
    t.regex(module.print(), /declare double @sin\(double\)/);
  });

  test(`${on}: a module without functions is a module`, (t) => {
    using module = IRModule.parse(llvm, 'empty', assemble(''));
    t.deepEqual(module.functions(), []);
    t.notThrows(() => module.verify());
  });

  test(`${on}: names that are not ASCII come through whole`, (t) => {
    using module = IRModule.parse(llvm, 'größe', assemble('declare void @"größe ∞"()'));
    t.deepEqual(
      module.functions().map(({ name }) => name),
      ['größe ∞'],
    );
  });

  test(`${on}: what is no bitcode is refused with LLVM's reason`, (t) => {
    const inputs: Uint8Array[] = [
      new Uint8Array(0),
      new Uint8Array(4),
      Buffer.from('define void @f() { ret void }\n'),
      Buffer.from('BC'),
      Buffer.from([0x42, 0x43, 0xc0, 0xde]),
      Buffer.concat([Buffer.from([0x42, 0x43, 0xc0, 0xde]), Buffer.alloc(64)]),
    ];
    for (const input of inputs) {
      const error = t.throws(() => IRModule.parse(llvm, 'garbage', input), {
        instanceOf: BitcodeError,
        code: 'BITCODE',
      });
      t.is(error.moduleName, 'garbage');
      t.regex(error.message, /^Module garbage is not bitcode: \w/);
    }
  });

  test(`${on}: bitcode cut off anywhere is refused`, (t) => {
    const bitcode = assemble(FIB);
    for (let length = 0; length < bitcode.length; length += 7) {
      t.throws(() => IRModule.parse(llvm, 'cut', bitcode.subarray(0, length)), {
        instanceOf: BitcodeError,
      });
    }
  });

  test(`${on}: blocks that are whole but not a module's are refused with LLVM's reason`, (t) => {
    const bitcode = Buffer.from(assemble(FIB));
    const identificationEnd = 4 + 8 + bitcode.readUInt32LE(8) * 4;
    const error = t.throws(() => IRModule.parse(llvm, 'headless', bitcode.subarray(0, identificationEnd)), {
      instanceOf: BitcodeError,
    });
    t.regex(error.message, /^Module headless is not bitcode that libLLVM [\d.]+ reads: \w/);
  });

  test(`${on}: every flipped bit of the magic number is refused`, (t) => {
    const bitcode = assemble(FIB);
    for (let bit = 0; bit < 32; bit++) {
      const flipped = Buffer.from(bitcode);
      flipped.writeUInt32LE((flipped.readUInt32LE(0) ^ (1 << bit)) >>> 0, 0);
      t.throws(() => IRModule.parse(llvm, 'flipped', flipped), { instanceOf: BitcodeError });
    }
  });

  test(`${on}: the verifier's findings are an error`, (t) => {
    using module = IRModule.parse(llvm, 'broken', assemble(FIB));
    const fib = module.functions()[0];
    t.truthy(fib);
    if (fib === undefined) return;
    // `immarg` belongs to parameters of intrinsics only.
    const kind = llvm.LLVMGetEnumAttributeKindForName('immarg', 6n);
    llvm.LLVMAddAttributeAtIndex(fib.ref, 1, llvm.LLVMCreateEnumAttribute(module.context, kind, 0n));
    const error = t.throws(() => module.verify(), { instanceOf: CompileError, code: 'COMPILE' });
    t.is(error.subject, 'broken');
    t.regex(error.message, /^Module broken does not pass LLVM's verifier: .*immarg/is);
  });

  test(`${on}: disposing twice frees once`, (t) => {
    const module = IRModule.parse(llvm, 'fib', assemble(FIB));
    module.dispose();
    t.notThrows(() => module.dispose());
  });

  test(`${on}: a module that was changed is bitcode of what it has become`, async (t) => {
    const changed = await changeModule(llvm, 'fib', assemble(FIB), async (module) => {
      const [fib] = module.functions();
      t.is(fib?.name, 'fib');
      const kind = llvm.LLVMGetEnumAttributeKindForName('cold', 4n);
      const cold = llvm.LLVMCreateEnumAttribute(module.context, kind, 0n);
      await Promise.resolve();
      const note = llvm.LLVMCreateStringAttribute(module.context, 'seen', 4, 'yes', 3);
      llvm.LLVMAddAttributeAtIndex(fib?.ref as LLVMValueRef, LLVMAttributeFunctionIndex, note);
      llvm.LLVMAddAttributeAtIndex(fib?.ref as LLVMValueRef, LLVMAttributeFunctionIndex, cold);
    });
    using module = IRModule.parse(llvm, 'changed', changed);
    t.regex(module.print(), /attributes #0 = \{ cold "seen"="yes" \}/);
  });

  test(`${on}: what LLVM hands over for a change is disposed of once, whether it succeeds or fails`, async (t) => {
    const { llvm: watched, held } = watchOwnership(llvm);
    const bitcode = assemble(FIB);
    await changeModule(watched, 'fib', bitcode, (module) => void module.print());
    t.deepEqual(held(), {});
    await t.throwsAsync(
      changeModule(watched, 'fib', bitcode, () => {
        throw new Error('no such luck');
      }),
      { message: 'no such luck' },
    );
    // Blocks without a module: damage that only LLVM sees.
    const headless = bitcode.subarray(0, 12 + Buffer.from(bitcode).readUInt32LE(8) * 4);
    await t.throwsAsync(
      changeModule(watched, 'fib', headless, () => {}),
      { instanceOf: BitcodeError },
    );
    const breaking = changeModule(watched, 'fib', bitcode, (module) => {
      const kind = llvm.LLVMGetEnumAttributeKindForName('immarg', 6n);
      for (const { ref } of module.functions())
        llvm.LLVMAddAttributeAtIndex(ref, 1, llvm.LLVMCreateEnumAttribute(module.context, kind, 0n));
    });
    await t.throwsAsync(breaking, { instanceOf: CompileError, message: /verifier: .*immarg/is });
    t.deepEqual(held(), {});
  });
}
