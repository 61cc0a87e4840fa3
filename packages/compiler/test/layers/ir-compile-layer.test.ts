import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type CompileInput, LLVMCompileLayer } from '../../src/layers/ir-compile-layer.js';
import { IRTransformLayer } from '../../src/layers/ir-transform-layer.js';
import { BitcodeError, CompileError } from '../../src/llvm/errors.js';
import type { LibLLVM } from '../../src/llvm/libllvm.js';
import { hostTarget, type OptLevel } from '../../src/llvm/target-machine.js';
import { assemble, bitcode, FIB, THROUGH_MEMORY } from '../llvm/assemble.js';
import { readElf } from '../llvm/elf-file.js';
import { installedLibLLVMs } from '../llvm/installed.js';
import { watchOwnership } from '../llvm/ownership.js';

const ET_REL = 1;
const EM_X86_64 = 62;
const SHF_EXECINSTR = 0x4n;
const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' };

function inputOf(ir: string, rest: Partial<CompileInput> = {}): CompileInput {
  return { name: 'test.ks', ir: bitcode(assemble(ir)), target: TARGET, optLevel: 1, ...rest };
}

function layerOn(
  t: ExecutionContext,
  llvm: LibLLVM,
  ...rest: [options?: ConstructorParameters<typeof LLVMCompileLayer>[1]]
) {
  const layer = new LLVMCompileLayer(llvm, ...rest);
  t.teardown(() => layer.dispose());
  return layer;
}

/** Links the objects with a C main program, runs it and gives what it prints. */
function linkAndRun(t: ExecutionContext, objects: readonly Uint8Array[], main: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-link-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const files = objects.map((object, index) => {
    const file = join(directory, `${index}.o`);
    writeFileSync(file, object);
    return file;
  });
  const program = join(directory, 'program');
  writeFileSync(join(directory, 'main.c'), main);
  execFileSync('cc', ['-o', program, join(directory, 'main.c'), ...files]);
  return execFileSync(program, { encoding: 'utf8' });
}

function executableSections(object: Uint8Array): string[] {
  return readElf(object)
    .sections.filter(({ flags, bytes }) => (flags & SHF_EXECINSTR) !== 0n && bytes.length > 0)
    .map(({ name }) => name);
}

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  for (const optLevel of [0, 1, 2, 3] as OptLevel[]) {
    test(`${on}: level ${optLevel} gives an object that links and computes`, async (t) => {
      const { object, llvmVersion, timings } = await layerOn(t, llvm).compile(inputOf(FIB, { optLevel }));
      const { type, machine, sections } = readElf(object);
      t.deepEqual([type, machine], [ET_REL, EM_X86_64]);
      const names = sections.map(({ name }) => name);
      for (const name of ['.text.fib', '.eh_frame', '.rela.eh_frame']) t.true(names.includes(name), name);
      t.is(llvmVersion, llvm.version);
      t.true(timings.parseMs > 0 && timings.passesMs >= 0 && timings.emitMs > 0);
      t.is(
        linkAndRun(
          t,
          [object],
          '#include <stdio.h>\ndouble fib(double);\nint main(void) { printf("%g\\n", fib(20)); }\n',
        ),
        '6765\n',
      );
    });
  }

  test(`${on}: every function defined has a section of its own, and only those`, async (t) => {
    const ir = `
      define double @f(double %x) { ret double %x }
      define double @"operator:"(double %x) { ret double %x }
      define internal double @hidden(double %x) noinline { ret double %x }
      define double @"\\01raw"(double %x) { %y = call double @hidden(double %x) ret double %y }
      define double @placed(double %x) section ".text.special" { ret double %x }
      define double @0(double %x) { ret double %x }
      declare double @sin(double)
    `;
    const { object } = await layerOn(t, llvm).compile(inputOf(ir, { optLevel: 0 }));
    t.deepEqual(executableSections(object).sort(), [
      '.text.__unnamed_1',
      '.text.f',
      '.text.hidden',
      '.text.operator:',
      '.text.raw',
      '.text.special',
    ]);
  });

  test(`${on}: every function keeps a frame pointer and has unwind tables, also one that cannot throw`, async (t) => {
    const layer = layerOn(t, llvm);
    const input = inputOf('define double @f(double %x) nounwind { ret double %x }');
    const ir = await layer.print(input, 'ir');
    t.regex(ir, /"frame-pointer"="all"/);
    t.regex(ir, llvm.majorVersion >= 15 ? /uwtable(?!\(sync\))/ : /uwtable/);
    const assembly = await layer.print(input, 'asm');
    t.regex(assembly, /pushq\t%rbp[\s\S]*movq\t%rsp, %rbp[\s\S]*\.cfi_def_cfa_register %rbp/);
    // The state after the frame is taken down again is described too: what asynchronous tables are for.
    t.regex(assembly, /popq\t%rbp\n\t\.cfi_def_cfa %rsp, 8\n\tretq/);
  });

  test(`${on}: the module gets the target's triple and data layout`, async (t) => {
    const ir = await layerOn(t, llvm).print(inputOf(FIB), 'ir');
    t.true(ir.includes('target triple = "x86_64-pc-linux-gnu"'));
    t.regex(ir, /target datalayout = "e-m:e-p270:32:32/);
  });

  test(`${on}: code is position independent and calls through the PLT`, async (t) => {
    const ir =
      'declare double @sin(double)\n define double @f(double %x) { %y = call double @sin(double %x) ret double %y }';
    t.regex(await layerOn(t, llvm).print(inputOf(ir), 'asm'), /(callq|jmp)\tsin@PLT/);
  });

  test(`${on}: a module's own data is addressed relative to the code, in the small code model`, async (t) => {
    const ir = '@g = internal global i64 1\n define i64* @f() { ret i64* @g }';
    t.regex(await layerOn(t, llvm).print(inputOf(ir), 'asm'), /leaq\tg\(%rip\), %rax/);
  });

  test(`${on}: the target's CPU decides the instructions, unless the function says otherwise`, async (t) => {
    const layer = layerOn(t, llvm);
    const target = { ...TARGET, cpuName: 'haswell', cpuFeatures: '+fma' };
    const add = (rest: string) =>
      inputOf(`define double @f(double %x) ${rest} { %y = fadd double %x, %x ret double %y }`, { target });
    t.regex(await layer.print(add(''), 'asm'), /\tvaddsd\t/);
    t.regex(await layer.print(add('"target-cpu"="x86-64" "target-features"="-avx"'), 'asm'), /\taddsd\t/);
  });

  test(`${on}: a pass pipeline of one's own goes before the level's`, async (t) => {
    const layer = layerOn(t, llvm);
    t.true((await layer.print(inputOf(THROUGH_MEMORY, { passes: '' }), 'ir')).includes('alloca'));
    t.false((await layer.print(inputOf(THROUGH_MEMORY), 'ir')).includes('alloca'));
    await t.throwsAsync(layer.compile(inputOf(FIB, { passes: 'nonsense' })), {
      instanceOf: CompileError,
      message: /nonsense/,
    });
  });

  test(`${on}: bad bitcode and a bad target reject, and the layer goes on`, async (t) => {
    const layer = layerOn(t, llvm);
    const good = inputOf(FIB);
    await t.throwsAsync(layer.compile({ ...good, ir: bitcode(Buffer.from('garbage')) }), {
      instanceOf: BitcodeError,
    });
    await t.throwsAsync(layer.compile({ ...good, target: { ...TARGET, triple: 'vax-dec-vms' } }), {
      instanceOf: CompileError,
    });
    await t.notThrowsAsync(layer.compile(good));
  });

  test(`${on}: transforms are applied, and what they break is found before LLVM trips over it`, async (t) => {
    const renaming = new IRTransformLayer([
      (module) => {
        const identifier = Buffer.from('renamed');
        llvm.LLVMSetModuleIdentifier(module.ref, identifier, BigInt(identifier.length));
      },
    ]);
    t.regex(
      await layerOn(t, llvm, { transforms: renaming }).print(inputOf(FIB), 'ir'),
      /^; ModuleID = 'renamed'/,
    );
    const breaking = new IRTransformLayer([
      (module) => {
        const kind = llvm.LLVMGetEnumAttributeKindForName('immarg', 6n);
        const attribute = llvm.LLVMCreateEnumAttribute(module.context, kind, 0n);
        for (const { ref } of module.functions()) llvm.LLVMAddAttributeAtIndex(ref, 1, attribute);
      },
    ]);
    await t.throwsAsync(layerOn(t, llvm, { transforms: breaking }).compile(inputOf(FIB)), {
      instanceOf: CompileError,
      message: /verifier/,
    });
  });

  for (const parallel of ['never', 'auto', 'always'] as const) {
    test(`${on}: several at once, parallel ${parallel}, give what one by one gives`, async (t) => {
      const layer = layerOn(t, llvm, { parallel });
      const inputs = Array.from({ length: 12 }, (_, index) =>
        inputOf(FIB.replaceAll('@fib', `@fib${index}`), { optLevel: (index % 4) as OptLevel }),
      );
      const together = await Promise.all(inputs.map((input) => layer.compile(input)));
      for (const [index, input] of inputs.entries()) {
        const alone = await layer.compile(input);
        t.deepEqual(together[index]?.object, alone.object);
      }
      const names = inputs.map((_, index) => `fib${index}`);
      const main = `#include <stdio.h>
        ${names.map((name) => `double ${name}(double);`).join('\n')}
        int main(void) { printf("%g\\n", ${names.map((name) => `${name}(10)`).join(' + ')}); }`;
      t.is(
        linkAndRun(
          t,
          together.map(({ object }) => object),
          main,
        ),
        `${12 * 55}\n`,
      );
    });
  }

  test(`${on}: while compilations run on the pool the event loop turns`, async (t) => {
    const layer = layerOn(t, llvm, { parallel: 'always' });
    const many = Array.from({ length: 100 }, (_, index) => FIB.replaceAll('@fib', `@fib${index}`)).join('\n');
    let turnCount = 0;
    const timer = setInterval(() => turnCount++, 1);
    await layer.compile(inputOf(many, { optLevel: 2 }));
    clearInterval(timer);
    t.true(turnCount > 0);
  });

  test(`${on}: one failing among several leaves the others alone`, async (t) => {
    const layer = layerOn(t, llvm);
    const results = await Promise.allSettled([
      layer.compile(inputOf(FIB)),
      layer.compile(inputOf(FIB, { ir: bitcode(Buffer.from('garbage')) })),
      layer.compile(inputOf(FIB, { passes: 'nonsense' })),
      layer.compile(inputOf(THROUGH_MEMORY)),
    ]);
    t.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
  });

  for (const parallel of ['never', 'always'] as const)
    test(`${on}: what LLVM hands over is disposed of once, whether compilations succeed or fail, parallel ${parallel}`, async (t) => {
      const watched = watchOwnership(llvm);
      const layer = new LLVMCompileLayer(watched.llvm, { parallel });
      const input = inputOf(FIB);
      // Blocks without a module: damage that only LLVM sees.
      const headless = input.ir.bytes.subarray(0, 12 + Buffer.from(input.ir.bytes).readUInt32LE(8) * 4);
      const failing = [
        { ...input, ir: bitcode(headless) },
        { ...input, passes: 'nonsense' },
        { ...input, target: { ...TARGET, triple: 'vax-dec-vms' } },
      ];
      await layer.compile(input);
      // A machine is kept for the next compilation of its kind, and nothing else is.
      t.deepEqual(watched.held(), { LLVMDisposeTargetMachine: 1 });
      await layer.print(input, 'ir');
      await layer.print(input, 'asm');
      for (const bad of failing) await t.throwsAsync(layer.compile(bad));
      t.deepEqual(watched.held(), { LLVMDisposeTargetMachine: 1 });
      await Promise.allSettled([...Array(8).fill(input), ...failing].map((one) => layer.compile(one)));
      t.deepEqual(Object.keys(watched.held()), ['LLVMDisposeTargetMachine']);
      layer.dispose();
      t.deepEqual(watched.held(), {});
    });

  test(`${on}: the host's own description compiles`, async (t) => {
    await t.notThrowsAsync(layerOn(t, llvm).compile(inputOf(FIB, { target: hostTarget(llvm), optLevel: 3 })));
  });

  test(`${on}: a layer that is disposed of in mid-compilation lets it finish`, async (t) => {
    const layer = new LLVMCompileLayer(llvm, { parallel: 'always' });
    const compiling = layer.compile(inputOf(FIB));
    layer.dispose();
    t.true((await compiling).object.length > 0);
  });
}
