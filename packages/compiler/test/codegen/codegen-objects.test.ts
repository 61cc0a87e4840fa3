import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { CompileInput } from '../../src/codegen/compile-input.js';
import { BitcodeError, CompileError } from '../../src/llvm/errors.js';
import { IRModule } from '../../src/llvm/ir-module.js';
import type { OptLevel } from '../../src/llvm/target.js';
import { assemble, bitcode, FIB, THROUGH_MEMORY, VARIED } from '../llvm/assemble.js';
import { readElf } from '../llvm/elf-file.js';
import { installedLibLLVMs } from '../llvm/installed.js';
import { poolOf, sharedPool } from './pool-of.js';

const ET_REL = 1;
const EM_X86_64 = 62;
const SHF_EXECINSTR = 0x4n;
const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' };

function inputOf(ir: string, rest: Partial<CompileInput> = {}): CompileInput {
  return { name: 'test.ks', ir: bitcode(assemble(ir)), target: TARGET, optLevel: 1, ...rest };
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
  const pool = sharedPool(llvm.path);

  for (const optLevel of [0, 1, 2, 3] as OptLevel[]) {
    test(`${on}: level ${optLevel} gives an object that links and computes`, async (t) => {
      const { object, llvmVersion, timings } = await pool.compile(inputOf(FIB, { optLevel }));
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
      define double @1(double %x) { ret double %x }
      declare double @sin(double)
    `;
    const { object } = await pool.compile(inputOf(ir, { optLevel: 0 }));
    t.deepEqual(executableSections(object).sort(), [
      '.text.__unnamed_1',
      '.text.__unnamed_2',
      '.text.f',
      '.text.hidden',
      '.text.operator:',
      '.text.raw',
      '.text.special',
    ]);
  });

  test(`${on}: every function keeps a frame pointer and has unwind tables, also one that cannot throw`, async (t) => {
    const input = inputOf('define double @f(double %x) nounwind { ret double %x }');
    const ir = await pool.print(input, 'ir');
    t.regex(ir, /"frame-pointer"="all"/);
    t.regex(ir, llvm.majorVersion >= 15 ? /uwtable(?!\(sync\))/ : /uwtable/);
    const assembly = await pool.print(input, 'asm');
    t.regex(assembly, /pushq\t%rbp[\s\S]*movq\t%rsp, %rbp[\s\S]*\.cfi_def_cfa_register %rbp/);
    // The state after the frame is taken down again is described too: what asynchronous tables are for.
    t.regex(assembly, /popq\t%rbp\n\t\.cfi_def_cfa %rsp, 8\n\tretq/);
  });

  test(`${on}: the module gets the target's triple and data layout`, async (t) => {
    const ir = await pool.print(inputOf(FIB), 'ir');
    t.true(ir.includes('target triple = "x86_64-pc-linux-gnu"'));
    t.regex(ir, /target datalayout = "e-m:e-p270:32:32/);
  });

  test(`${on}: code is position independent and calls through the PLT`, async (t) => {
    const ir =
      'declare double @sin(double)\n define double @f(double %x) { %y = call double @sin(double %x) ret double %y }';
    t.regex(await pool.print(inputOf(ir), 'asm'), /(callq|jmp)\tsin@PLT/);
  });

  test(`${on}: a module's own data is addressed relative to the code, in the small code model`, async (t) => {
    const ir = '@g = internal global i64 1\n define i64* @f() { ret i64* @g }';
    t.regex(await pool.print(inputOf(ir), 'asm'), /leaq\tg\(%rip\), %rax/);
  });

  test(`${on}: the target's CPU decides the instructions, unless the function says otherwise`, async (t) => {
    const target = { ...TARGET, cpuName: 'haswell', cpuFeatures: '+fma' };
    const add = (rest: string) =>
      inputOf(`define double @f(double %x) ${rest} { %y = fadd double %x, %x ret double %y }`, { target });
    t.regex(await pool.print(add(''), 'asm'), /\tvaddsd\t/);
    t.regex(await pool.print(add('"target-cpu"="x86-64" "target-features"="-avx"'), 'asm'), /\taddsd\t/);
  });

  test(`${on}: a pass pipeline of one's own goes before the level's`, async (t) => {
    t.true((await pool.print(inputOf(THROUGH_MEMORY, { passes: '' }), 'ir')).includes('alloca'));
    t.false((await pool.print(inputOf(THROUGH_MEMORY), 'ir')).includes('alloca'));
    await t.throwsAsync(pool.compile(inputOf(FIB, { passes: 'nonsense' })), {
      instanceOf: CompileError,
      message: /nonsense/,
    });
  });

  test(`${on}: bad bitcode and a bad target reject, and the layer goes on`, async (t) => {
    const good = inputOf(FIB);
    await t.throwsAsync(pool.compile({ ...good, ir: bitcode(Buffer.from('garbage')) }), {
      instanceOf: BitcodeError,
    });
    await t.throwsAsync(pool.compile({ ...good, target: { ...TARGET, triple: 'vax-dec-vms' } }), {
      instanceOf: CompileError,
    });
    await t.notThrowsAsync(pool.compile(good));
  });

  for (const size of [1, 3]) {
    test(`${on}: several at once give what one by one gives, in ${size} processes`, async (t) => {
      const pool = poolOf(t, { libLLVM: () => llvm.path, size });
      const inputs = Array.from({ length: 12 }, (_, index) =>
        inputOf(FIB.replaceAll('@fib', `@fib${index}`), { optLevel: (index % 4) as OptLevel }),
      );
      const together = await Promise.all(inputs.map((input) => pool.compile(input)));
      for (const [index, input] of inputs.entries()) {
        const alone = await pool.compile(input);
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

  test(`${on}: one failing among several leaves the others alone`, async (t) => {
    const results = await Promise.allSettled([
      pool.compile(inputOf(FIB)),
      pool.compile(inputOf(FIB, { ir: bitcode(Buffer.from('garbage')) })),
      pool.compile(inputOf(FIB, { passes: 'nonsense' })),
      pool.compile(inputOf(THROUGH_MEMORY)),
    ]);
    t.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
  });

  test(`${on}: a function of the program's own that has a name of libm's is called, and libm's is an instruction`, async (t) => {
    for (const optLevel of [0, 1, 2, 3] as OptLevel[]) {
      const assembly = await pool.print(
        inputOf(VARIED, { optLevel, programDefined: ['fabs', 'nowhere'] }),
        'asm',
      );
      const uses = assembly.slice(assembly.indexOf('\nuses:'), assembly.indexOf('.Lfunc_end0:'));
      t.regex(uses, /(callq|jmp)\tfabs@PLT/, `level ${optLevel}`);
    }
    t.notRegex(await pool.print(inputOf(VARIED), 'asm'), /fabs@PLT/);
  });

  test(`${on}: bitcode is the module after its passes, verified, for the target, and not fit for an executor yet`, async (t) => {
    const textOf = (bytes: Uint8Array) => {
      using module = IRModule.parse(llvm, 'm', bytes);
      t.notThrows(() => module.verify());
      return module.print();
    };
    const plain = textOf(await pool.writeBitcode(inputOf(THROUGH_MEMORY, { passes: '' })));
    t.true(plain.includes('alloca'));
    t.true(plain.includes('target triple = "x86_64-pc-linux-gnu"'));
    t.regex(plain, /target datalayout = "e-m:e-p270:32:32/);
    t.notRegex(plain, /section|frame-pointer|uwtable/);
    t.false(textOf(await pool.writeBitcode(inputOf(THROUGH_MEMORY))).includes('alloca'));
    const varied = textOf(await pool.writeBitcode(inputOf(VARIED, { programDefined: ['fabs'] })));
    t.regex(varied, /section "\.text\.special"/);
    t.regex(varied, /nobuiltin/);
    // Others may use what its own module does not.
    const once = 'define linkonce_odr double @once(double %x) { ret double %x }';
    t.regex(
      textOf(await pool.writeBitcode(inputOf(once, { optLevel: 2 }))),
      /define weak_odr .*double @once/,
    );
  });

  test(`${on}: what others may use is kept, and what has no name is nobody else's`, async (t) => {
    const ir = `
      @data = linkonce global i32 1
      @odrData = linkonce_odr hidden global i32 1
      @alias = linkonce_odr alias i32, i32* @strong
      @strong = global i32 2
      @0 = global i32 3
      @1 = private global i32 4
      define linkonce i32 @any() { ret i32 1 }
      define available_externally i32 @there() { ret i32 1 }
      define i32 @uses() { %a = call i32 @there() ret i32 %a }
      define i32 @2() { ret i32 1 }
      declare i32 @foreign()`;
    const bytes = await pool.writeBitcode(inputOf(ir, { optLevel: 0, passes: '' }));
    using module = IRModule.parse(llvm, 'm', bytes);
    const text = module.print();
    for (const line of [
      /^@data = weak global /m,
      /^@odrData = weak_odr hidden global /m,
      /^@alias = weak_odr alias /m,
      /^@strong = global /m,
      /^@0 = internal global /m,
      /^@1 = private global /m,
      /^define weak i32 @any/m,
      /^define available_externally i32 @there/m,
      /^define internal i32 @2/m,
      /^declare i32 @foreign/m,
    ])
      t.regex(text, line);
  });

  test(`${on}: a module compiled from bitcode of the code generator is the object of the module itself, to the byte`, async (t) => {
    for (const ir of [FIB, VARIED, THROUGH_MEMORY])
      for (const optLevel of [0, 1, 2, 3] as OptLevel[]) {
        const input = inputOf(ir, { optLevel, programDefined: ['fabs'] });
        const through = bitcode(await pool.writeBitcode({ ...input, passes: '' }));
        const [ours, direct] = [await pool.compile({ ...input, ir: through }), await pool.compile(input)];
        t.deepEqual(Buffer.from(ours.object), Buffer.from(direct.object), `level ${optLevel}`);
      }
  });
}
