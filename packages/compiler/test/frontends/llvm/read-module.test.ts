import test from 'ava';
import { CodegenLostError } from '../../../src/codegen/codegen-lost-error.js';
import { irOf } from '../../../src/frontends/llvm/ir-input.js';
import { BitcodeError, CompileError, IRSyntaxError, OldBitcodeError } from '../../../src/llvm/errors.js';
import { poolOf } from '../../codegen/pool-of.js';
import { assemble, FIB } from '../../llvm/assemble.js';
import { installedLibLLVMs } from '../../llvm/installed.js';

const TARGET = { triple: 'x86_64-unknown-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' };
const WRAPPER_BYTES = 20;

/** Bitcode as Apple's tools write it. */
function wrap(bitcode: Uint8Array): Buffer {
  const header = Buffer.alloc(WRAPPER_BYTES);
  header.writeUInt32LE(0x0b17c0de, 0);
  header.writeUInt32LE(WRAPPER_BYTES, 8);
  header.writeUInt32LE(bitcode.byteLength, 12);
  return Buffer.concat([header, bitcode]);
}

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  test(`${on}: a module is read from assembly, bitcode and wrapped bitcode`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const bitcode = assemble(FIB);
    for (const content of [FIB, Buffer.from(FIB), bitcode, wrap(bitcode)]) {
      const module = await pool.readModule('fib', irOf(content), TARGET);
      t.deepEqual([...module.defines.symbols.keys()], ['fib']);
      const again = await pool.readModule('fib', irOf(module.bitcode), TARGET);
      t.deepEqual([...again.defines.symbols.keys()], ['fib']);
    }
  });

  test(`${on}: a text that is no LLVM assembly is refused with its place, and costs no process`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    await pool.readModule('fib', irOf(FIB), TARGET);
    const first = pool.processIds;
    const error = await t.throwsAsync(
      pool.readModule('a b.ll', irOf('; one\ndefine i32 @f() {\n  foo\n}\n'), TARGET),
      { instanceOf: IRSyntaxError, code: 'IR_SYNTAX' },
    );
    t.is(error.message, 'a b.ll:3:3: error: expected instruction opcode\n  foo\n  ^');
    t.deepEqual([error.file, error.line, error.column], ['a b.ll', 3, 3]);
    for (const text of ['Hello, world', '{', '\u007fELF', 'define void @f() {', '!0 = !{!1}', '\0define x'])
      await t.throwsAsync(pool.readModule('text', irOf(text), TARGET), { instanceOf: IRSyntaxError }, text);
    t.deepEqual(pool.processIds, first);
  });

  test(`${on}: a text that LLVM crashes on takes a code generator with it, and nothing else`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const nested = `%t = type ${'{'.repeat(200_000)}`;
    await t.throwsAsync(pool.readModule('nested.ll', irOf(nested), TARGET), {
      instanceOf: CodegenLostError,
      message: /^LLVM gave up on module nested\.ll: /,
    });
    t.deepEqual([...(await pool.readModule('fib', irOf(FIB), TARGET)).defines.symbols.keys()], ['fib']);
  });

  test(`${on}: a text and bitcode that end anywhere are refused, and cost no process`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    await pool.readModule('fib', irOf(FIB), TARGET);
    const first = pool.processIds;
    const end = FIB.lastIndexOf('}');
    for (let at = FIB.indexOf('define') + 1; at <= end; at += 3)
      await t.throwsAsync(
        pool.readModule('cut', irOf(FIB.slice(0, at)), TARGET),
        { instanceOf: IRSyntaxError },
        `the first ${at} characters`,
      );
    const whole = assemble(FIB);
    // What has no magic number is taken for a text. The last words are a table of strings that may be shorter.
    for (let at = 1; at < whole.byteLength - 40; at += 13)
      await t.throwsAsync(
        pool.readModule('cut', irOf(whole.subarray(0, at)), TARGET),
        { instanceOf: at < 4 ? IRSyntaxError : BitcodeError },
        `the first ${at} bytes`,
      );
    t.deepEqual(pool.processIds, first);
  });

  test(`${on}: a module for another target is refused`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const read = (text: string) => pool.readModule('m', irOf(text), TARGET);
    for (const triple of ['x86_64-pc-linux-gnu', 'x86_64-linux-gnu', 'x86_64-unknown-linux-gnu'])
      await t.notThrowsAsync(read(`target triple = "${triple}"`), triple);
    for (const triple of [
      'aarch64-unknown-linux-gnu',
      'x86_64-pc-windows-msvc',
      'x86_64-pc-linux-musl',
      'x86_64-pc-linux',
      'x86_64-pc-linux-gnux32',
      'x86_64h-pc-linux-gnu',
      'x86-pc-linux-gnu',
      'x86_64-pc-hurd-gnu',
      'i686-pc-linux-gnu',
      'x86_64-apple-macosx10.15.0',
      'nonsense',
    ]) {
      const error = await t.throwsAsync(read(`target triple = "${triple}"`), { instanceOf: CompileError });
      t.true(error.message.includes(`it is for ${triple}, and the executor is ${TARGET.triple}`), triple);
    }
    await t.throwsAsync(pool.readModule('m', irOf(FIB), { ...TARGET, triple: 'riscv64-linux-gnu' }), {
      instanceOf: CompileError,
      message: /this libLLVM generates no code for the target riscv64-linux-gnu$/,
    });
    // As LLVM wrote it before 15, and with what it has added since.
    const early = 'e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128';
    for (const layout of [
      early,
      early.replace('f80', 'i128:128-f80'),
      early.replace(/p27.*64:64-i64/, 'i64'),
      `${early}-Fn32`,
    ])
      await t.notThrowsAsync(read(`target datalayout = "${layout}"`), layout);
    for (const layout of [
      'e-m:e-p:32:32-f64:32:64-f80:32-n8:16:32-S128',
      early.replace('i64:64', 'i64:32'),
      early.replace('p272:64:64', 'p272:32:32'),
      early.replace('-S128', ''),
      `${early}-ni:1`,
    ])
      await t.throwsAsync(read(`target datalayout = "${layout}"`), {
        instanceOf: CompileError,
        message: /^Cannot add module m: its data layout is e-.*, and the executor's e-/,
      });
  });
}

for (const llvm of installedLibLLVMs())
  test(`libLLVM ${llvm.version}: a module's types are laid out otherwise where the oldest clang that has made it did`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    // The second field is at 16 by the layouts of today, and was at 8.
    const read = (idents: readonly string[]) =>
      pool.readModule(
        'm',
        irOf(`
@place = global [2 x { i32, i96 }] zeroinitializer
!llvm.ident = !{${idents.map((_, index) => `!${index}`).join(', ')}}
${idents.map((ident, index) => `!${index} = !{${ident}}`).join('\n')}`),
        TARGET,
      );
    const made: [idents: readonly string[], version: number | undefined][] = [
      [['!"clang version 14.0.6"'], 14],
      [['!"Debian clang version 17.0.1 (1)"'], 17],
      [['!"clang version 9"'], 9],
      [['!"clang version 18.1.0"'], undefined],
      [['!"clang version 180"'], undefined],
      [['!"clang version 19.0"', '!"clang version 15.0"', '!"clang version 16.0"'], 15],
      [['!"GCC: 12"', '!"clang version 16.0"'], 16],
      [['!"clang version 14.0"', '!"clang version x"'], 14],
      [['!"clang version "'], undefined],
      [['!"clang version x14"'], undefined],
      [['!"clang 14.0"'], undefined],
      [[], undefined],
    ];
    for (const [idents, version] of made)
      if (version === undefined || llvm.majorVersion < 18)
        await t.notThrowsAsync(read(idents), idents.join());
      else
        await t.throwsAsync(
          read(idents),
          {
            instanceOf: OldBitcodeError,
            message: new RegExp(`: clang ${version} has laid out a type of place `),
          },
          idents.join(),
        );
  });

const [newest, oldest] = [installedLibLLVMs()[0], installedLibLLVMs().at(-1)];
if (newest && oldest && newest.majorVersion > 16 && oldest.majorVersion < 15)
  test('a module of a newer LLVM is refused in words that say so', async (t) => {
    const written = await poolOf(t, { libLLVM: () => newest.path }).readModule(
      'new',
      irOf('define ptr @f(ptr %p) { ret ptr %p }'),
      TARGET,
    );
    const pool = poolOf(t, { libLLVM: () => oldest.path });
    const { majorVersion: old } = oldest;
    await t.throwsAsync(pool.readModule('new', irOf(written.bitcode), TARGET), {
      instanceOf: BitcodeError,
      message: new RegExp(
        `^Module new was made by LLVM ${newest.majorVersion}, and this libLLVM is ${old}, which does not read it \\(.+\\): ` +
          `make it with LLVM ${old} or older, or set FARJIT_LIBLLVM to a libLLVM ${newest.majorVersion}$`,
      ),
    });
    await t.throwsAsync(pool.readModule('new.ll', irOf('declare ptr @f()'), TARGET), {
      instanceOf: IRSyntaxError,
      message: /new\.ll:1:9: error: .*\n.*\n.*\nThis libLLVM is 14; `ptr` is read by LLVM 15 and later\.$/s,
    });
    const text = 'define i32 @f( {\n}\n!llvm.ident = !{!0}\n!0 = !{!"Debian clang version 99.1.0"}\n';
    await t.throwsAsync(pool.readModule('new.ll', irOf(text), TARGET), {
      message: /\nIt was made by LLVM 99, and this libLLVM is 14: set FARJIT_LIBLLVM to a libLLVM 99\.$/,
    });
  });
