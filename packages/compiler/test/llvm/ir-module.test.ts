import test from 'ava';
import { BitcodeError, CompileError } from '../../src/llvm/errors.js';
import { IRModule } from '../../src/llvm/ir-module.js';
import { assemble, FIB } from './assemble.js';
import { installedLibLLVMs } from './installed.js';

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
}
