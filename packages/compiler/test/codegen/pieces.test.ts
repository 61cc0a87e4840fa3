import test from 'ava';
import type { CodegenPool } from '../../src/codegen/codegen-pool.js';
import type { ModulePiece } from '../../src/codegen/compile-input.js';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { CompileError } from '../../src/llvm/errors.js';
import { assemble, bitcode } from '../llvm/assemble.js';
import { installedLibLLVMs } from '../llvm/installed.js';
import { poolOf } from './pool-of.js';

const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' };

/** What makes a module be compiled as a whole, and the words for it. */
const WHOLE: readonly (readonly [words: string, ir: string])[] = [
  ['assembly', 'module asm "nop"'],
  ['aliases', 'define void @f() { ret void }\n@g = alias void (), void ()* @f'],
  ['aliases', '@v = global i32 0\n@w = internal alias i32, i32* @v'],
  ['indirect functions', 'define void ()* @r() { ret void ()* null }\n@g = ifunc void (), void ()* ()* @r'],
  [
    'an address of a place inside a function, outside of it',
    `@places = internal constant [1 x i8*] [i8* blockaddress(@f, %here)]
     define void @f() { br label %here
     here: ret void }`,
  ],
  [
    'an address of a place inside a function, outside of it',
    `define i8* @g() { ret i8* blockaddress(@f, %here) }
     define void @f() { br label %here
     here: ret void }`,
  ],
  [
    'a COMDAT group of several',
    '$group = comdat any\ndefine void @f() comdat($group) { ret void }\n@group = global i32 1, comdat($group)',
  ],
  ['a COMDAT group of several', '$f = comdat any\ndefine internal void @f() comdat($f) { ret void }'],
  [
    'functions to run at the start or the end',
    `define void @f() { ret void }
     @llvm.global_ctors = appending global [1 x { i32, void ()*, i8* }] [{ i32, void ()*, i8* } { i32 1, void ()* @f, i8* null }]`,
  ],
  [
    'definitions that somebody uses unseen',
    `define internal void @f() { ret void }
     @llvm.used = appending global [1 x i8*] [i8* bitcast (void ()* @f to i8*)], section "llvm.metadata"`,
  ],
  ['a section of its own choice', '@v = global i32 0, section "mine"'],
  ['a section of its own choice', 'define void @f() section ".text.mine" { ret void }'],
  ['a DLL storage class', '@v = dllexport global i32 0'],
  ['a definition without a name', 'define void @0() { ret void }'],
  ['a definition without a name', '@0 = private constant i32 1'],
  ['a name with a mark of ours', 'define void @"f\\02f"() { ret void }'],
  ['a name with a mark of ours', 'declare void @"f\\02f"()'],
  ['a local name that is not to be changed', '@"\\01v" = internal global i32 0'],
  ['coroutines', 'declare token @llvm.coro.id(i32, i8*, i8*, i8*)\ndefine void @f() { ret void }'],
  [
    'debug information',
    `!llvm.dbg.cu = !{!0}
     !llvm.module.flags = !{!2}
     !0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !1)
     !1 = !DIFile(filename: "f.c", directory: "/")
     !2 = !{i32 2, !"Debug Info Version", i32 3}`,
  ],
];

/** What has all that pieces can have. */
const PIECES = `
@shared = internal global i32 1
@text = private unnamed_addr constant [3 x i8] c"ab\\00"
@table = internal constant [2 x i32 ()*] [i32 ()* @leaf, i32 ()* @lonely]
$inline = comdat any
declare i32 @elsewhere()
define internal i32 @leaf() { %v = load i32, i32* @shared ret i32 %v }
define internal i32 @lonely() { ret i32 2 }
define available_externally i32 @header() { ret i32 3 }
define linkonce_odr i32 @inline() comdat { ret i32 4 }
define internal i32 @always() alwaysinline { %v = call i32 @leaf() ret i32 %v }
define i32 @middle() { %a = call i32 @leaf() %b = call i32 @elsewhere() %c = add i32 %a, %b ret i32 %c }
define i32 @root(i32 %x) {
  indirectbr i8* blockaddress(@root, %rest), [label %rest]
rest:
  %a = call i32 @middle()
  %b = call i32 @inline()
  %c = call i32 @header()
  %d = call i32 @always()
  %e = load i32, i32* @shared
  %f = add i32 %a, %e
  ret i32 %f
}`;

/** Symbols of a piece's object, those that it defines and those that it wants, without what is the object's own. */
async function symbolsOf(pool: CodegenPool, ir: string, piece: ModulePiece) {
  const input = { name: 'm', ir: bitcode(assemble(ir)), target: TARGET, optLevel: 0 as const, piece };
  const { object } = await pool.compile(input);
  const { symbols } = buildLinkGraph(object, 'm.o');
  const names = (kind: 'defined' | 'external') =>
    symbols.filter((symbol) => symbol.kind === kind && symbol.scope !== 'local').map(({ name }) => name);
  return { defined: names('defined').sort(), wanted: names('external').sort() };
}

const functions = (asked: string[], most: number, compiled: string[] = []): ModulePiece => ({
  kind: 'functions',
  asked,
  compiled,
  most,
});

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  for (const [index, [words, ir]] of WHOLE.entries())
    test(`${on}: a module is compiled as a whole that has ${words} (${index})`, async (t) => {
      const pool = poolOf(t, { libLLVM: () => llvm.path });
      t.is((await pool.readInterface('m', assemble(ir))).whole, words);
    });

  test(`${on}: a piece has what is asked for and what that calls, as far as there is room`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    t.is((await pool.readInterface('m', assemble(PIECES))).whole, undefined);
    t.deepEqual(await symbolsOf(pool, PIECES, functions(['root'], 1)), {
      defined: ['root'],
      wanted: ['header', 'inline', 'leaf\x02f', 'middle', 'shared\x02d'],
    });
    t.deepEqual(await symbolsOf(pool, PIECES, functions(['root'], 2)), {
      defined: ['middle', 'root'],
      wanted: ['elsewhere', 'header', 'inline', 'leaf\x02f', 'shared\x02d'],
    });
    t.deepEqual(await symbolsOf(pool, PIECES, functions(['root'], 9)), {
      defined: ['inline', 'leaf\x02f', 'middle', 'root'],
      wanted: ['elsewhere', 'header', 'shared\x02d'],
    });
    t.deepEqual(await symbolsOf(pool, PIECES, functions(['root'], 9, ['leaf', 'middle'])), {
      defined: ['inline', 'root'],
      wanted: ['header', 'leaf\x02f', 'middle', 'shared\x02d'],
    });
  });

  test(`${on}: data is a piece, and what is left of the functions another`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const none = { asked: [], most: 0 };
    t.deepEqual(await symbolsOf(pool, PIECES, { ...none, kind: 'data', compiled: [] }), {
      defined: ['shared\x02d', 'table\x02d', 'text\x02d'],
      wanted: ['leaf\x02f', 'lonely\x02f'],
    });
    const rest = await symbolsOf(pool, PIECES, { ...none, kind: 'rest', compiled: ['root', 'leaf'] });
    t.deepEqual(rest.defined, ['always\x02f', 'inline', 'lonely\x02f', 'middle']);
  });

  test(`${on}: one process makes the same of each module's pieces, whichever came before`, async (t) => {
    const other = PIECES.replace('ret i32 2', 'ret i32 5').replaceAll('@middle', '@centre');
    const requests = [
      { ir: PIECES, piece: functions(['root'], 1) },
      { ir: PIECES, piece: functions(['root'], 9) },
      { ir: other, piece: functions(['root'], 9) },
      { ir: other, piece: functions(['lonely'], 1) },
      { ir: PIECES, piece: functions(['elsewhere'], 1) },
      { ir: PIECES, piece: functions(['lonely'], 1) },
      { ir: PIECES, piece: undefined },
      { ir: PIECES, piece: functions(['root'], 9) },
    ];
    const outcomeOf = async (pool: CodegenPool, { ir, piece }: (typeof requests)[number]) => {
      const input = { name: 'm', ir: bitcode(assemble(ir)), target: TARGET, optLevel: 0 as const, piece };
      return pool.compile(input).then(
        ({ object }) => Buffer.from(object).toString('base64'),
        (error: Error) => error.message,
      );
    };
    const one = poolOf(t, { libLLVM: () => llvm.path, size: 1 });
    for (const request of requests) {
      const alone = poolOf(t, { libLLVM: () => llvm.path, size: 1 });
      t.is(await outcomeOf(one, request), await outcomeOf(alone, request));
      await alone.stop();
    }
    t.is(one.processIds.length, 1);
  });

  test(`${on}: one process makes pieces of more modules than it keeps`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path, size: 1 });
    const modules = Array.from({ length: 9 }, (_, number) =>
      bitcode(assemble(PIECES.replaceAll('@middle', `@middle${number}`))),
    );
    for (const turn of [0, 1])
      for (const [number, ir] of modules.entries())
        for (const most of [9, 9]) {
          const piece = functions(['root'], most);
          const input = { name: `m${turn}`, ir, target: TARGET, optLevel: 0 as const, piece };
          const { object } = await pool.compile(input);
          t.true(Buffer.from(object).includes(`middle${number}\0`));
        }
    t.is(pool.processIds.length, 1);
  });

  test(`${on}: a function that is not there, or no place to be apart from, is refused`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    await t.throwsAsync(symbolsOf(pool, PIECES, functions(['elsewhere'], 1)), {
      instanceOf: CompileError,
      message: /it defines no function elsewhere/,
    });
    const [, places = ''] = WHOLE.find(([, ir]) => ir.includes('@g() { ret i8* blockaddress')) ?? [];
    await t.throwsAsync(symbolsOf(pool, places, functions(['g'], 1)), {
      instanceOf: CompileError,
      message: /the address of a place inside another/,
    });
  });
}
