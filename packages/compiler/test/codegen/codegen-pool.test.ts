// More than 400 lines: cases that share what stands before them, each by itself.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { CodegenLostError } from '../../src/codegen/codegen-lost-error.js';
import type { CodegenPool } from '../../src/codegen/codegen-pool.js';
import type { CompileInput } from '../../src/codegen/compile-input.js';
import { SessionClosedError } from '../../src/core/errors.js';
import { BitcodeError, CompileError, LibLLVMError } from '../../src/llvm/errors.js';
import { assemble, bitcode, FIB, VARIED } from '../llvm/assemble.js';
import { installedLibLLVMs } from '../llvm/installed.js';
import { poolOf } from './pool-of.js';

const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '+avx2' };
/** An intrinsic of another processor: LLVM has nothing to select for it, which it takes for a fatal error. */
const FATAL = `declare void @llvm.aarch64.hint(i32)
define void @f() { call void @llvm.aarch64.hint(i32 1) ret void }`;
/** A parameter is marked as only those of intrinsics may be. */
const UNVERIFIED = 'define double @f(double immarg %x) { ret double %x }';
function inputOf(ir: string, rest: Partial<CompileInput> = {}): CompileInput {
  return { name: 'test.ks', ir: bitcode(assemble(ir)), target: TARGET, optLevel: 1, ...rest };
}

/** The one process, which has compiled something. */
async function processOf(t: ExecutionContext, pool: CodegenPool): Promise<number> {
  await pool.compile(inputOf(FIB));
  const [processId = 0] = pool.processIds;
  t.true(existsSync(`/proc/${processId}`));
  return processId;
}

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  test(`${on}: a fatal error of LLVM's fails that module, and the next one gets another process`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const first = await processOf(t, pool);
    const failed = pool.compile(inputOf(FATAL, { name: 'hint' }));
    const behind = pool.compile(inputOf(FIB));
    const error = await t.throwsAsync(failed, { instanceOf: CodegenLostError });
    t.is(error.code, 'CODEGEN_LOST');
    t.is(error.moduleName, 'hint');
    t.regex(error.message, /LLVM gave up on module hint: .*Cannot select/s);
    t.true((await behind).object.byteLength > 0);
    t.not(pool.processIds[0], first);
    t.is(pool.processIds.length, 1);
    t.false(existsSync(`/proc/${first}`));
  });

  test(`${on}: what LLVM refuses is said, and costs no process`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const first = await processOf(t, pool);
    const refused: [Partial<CompileInput>, string, RegExp][] = [
      [{ passes: 'function(no-such-pass)' }, FIB, /no-such-pass/],
      [{}, 'define void @f() { call void asm sideeffect "bogus", ""() ret void }', /bogus/],
      // The first of several is told.
      [
        {},
        'define void @f() { call void asm sideeffect "bogus", ""() call void asm sideeffect "fogus", ""() ret void }',
        /^(?=.*bogus)(?!.*fogus)/s,
      ],
      [{ passes: 'x'.repeat(20_000) }, FIB, /^.{16000,17000}$/s],
      ...['riscv64-linux-gnu', 'x86-linux-gnu', 'x86_64h-linux-gnu', 'aarch64_be-linux-gnu'].map(
        (triple): [Partial<CompileInput>, string, RegExp] => [
          { target: { ...TARGET, triple } },
          FIB,
          new RegExp(`this libLLVM generates no code for the target ${triple}$`),
        ],
      ),
    ];
    for (const [rest, ir, message] of refused) {
      const error = await t.throwsAsync(pool.compile(inputOf(ir, rest)), {
        instanceOf: CompileError,
        message,
      });
      t.is(error.subject, 'test.ks');
    }
    // A warning is none.
    const warned = 'define void @f() { call void asm sideeffect ".warning \\22careful\\22", ""() ret void }';
    t.true((await pool.compile(inputOf(warned))).object.byteLength > 0);
    const whole = assemble(FIB);
    for (const broken of [Buffer.from('not bitcode'), whole.subarray(0, whole.length - 40)])
      await t.throwsAsync(pool.compile({ ...inputOf(FIB), ir: bitcode(broken) }), {
        instanceOf: BitcodeError,
      });
    t.deepEqual(pool.processIds, [first]);
  });
}

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  test(`${on}: a module's interface is its exported names and scalar signatures`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const { symbols, signatures } = await pool.readInterface(
      'm',
      assemble(`
@counter = global i32 0
@hidden = internal global i32 0
@elsewhere = external global i32
@"größe ∞" = constant [2 x i8] c"ab"
@llvm.used = appending global [1 x i8*] [i8* bitcast (i32* @counter to i8*)], section "llvm.metadata"
declare double @sin(double)
define internal double @inside(double %x) { ret double %x }
define available_externally double @there(double %x) { ret double %x }
define void @scalars(i1 %a, i8 %b, i16 %c, i32 %d, i64 %e, float %f, double %g, i8* %h) { ret void }
define double* @pointer() { ret double* null }
define i128 @wide(i32 %x) { ret i128 0 }
define i32 @vector(<2 x i32> %x) { ret i32 0 }
define i32 @variadic(i32 %x, ...) { ret i32 0 }
define i7 @odd() { ret i7 0 }`),
    );
    t.deepEqual(Object.fromEntries(signatures), {
      scalars: { result: 'void', parameters: ['i1', 'i8', 'i16', 'i32', 'i64', 'float', 'double', 'ptr'] },
      pointer: { result: 'ptr', parameters: [] },
    });
    const named = (isCallable: boolean) =>
      [...symbols].flatMap(([name, { callable }]) => (callable === isCallable ? [name] : []));
    t.deepEqual(named(true), ['scalars', 'pointer', 'wide', 'vector', 'variadic', 'odd']);
    t.deepEqual(named(false), ['counter', 'größe ∞']);
  });

  test(`${on}: an interface says how structs are passed that are in two registers of a kind, and no more`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const { passings } = await pool.readInterface(
      'm',
      assemble(`
define { i64, i64 } @two() { ret { i64, i64 } zeroinitializer }
define { double, double } @twoReal() { ret { double, double } zeroinitializer }
define { i64, double, i64, double } @twoOfEach() { ret { i64, double, i64, double } zeroinitializer }
define { i64, i64, i64 } @three() { ret { i64, i64, i64 } zeroinitializer }
define { double, double, double } @threeReal() { ret { double, double, double } zeroinitializer }`),
    );
    t.deepEqual([...passings.keys()], ['two', 'twoReal', 'twoOfEach']);
  });

  test(`${on}: an interface says where a function has what it is passed, or nothing where that is not known`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const big = '{ i64, i64, i64 }';
    const nested = (depth: number) => `${'{ '.repeat(depth)}i64${' }'.repeat(depth)}`;
    const functions: [name: string, parameters: string, passed: string | undefined][] = [
      ['widths', 'i7 %a, i24 %b, i33 %c, i64 %d', 'integer1 integer3 integer5 integer8'],
      ['wide', 'i65 %a', undefined],
      ['floats', '<2 x float> %a, float %b, double %c, i8* %d', 'sse8 sse4 sse8 integer8'],
      ...['<1 x float>', '<3 x float>', '<4 x float>', '<2 x double>', '<2 x i32>'].map(
        (vector, index): [string, string, undefined] => [`vector${index}`, `${vector} %a`, undefined],
      ),
      ...['half', 'fp128', 'x86_fp80'].map((real): [string, string, undefined] => [
        real,
        `${real} %a`,
        undefined,
      ]),
      ['struct', '{ i8, { double, [2 x float] } } %a, i64 %b', 'integer1 sse8 sse4 sse4 integer8'],
      ['empty', '{} %a, [0 x i64] %b', ''],
      ['byValue', `${big}* byval(${big}) %a, i32 %b`, 'memory24 integer4'],
      ['result', `${big}* sret(${big}) %a, i8* %b`, 'result24 integer8'],
      ['secondResult', `i8* %a, ${big}* sret(${big}) %b`, undefined],
      ['variadic', '{ i64 } %a, ...', undefined],
      ['nest', 'i8* nest %a, { i64 } %b', undefined],
      ['self', 'i8* swiftself %a, { i64 } %b', undefined],
      ['error', 'i8** swifterror %a, { i64 } %b', undefined],
      ['inAlloca', '{ i64 }* inalloca({ i64 }) %a', undefined],
      ['preallocated', '{ i64 }* preallocated({ i64 }) %a', undefined],
      ['most', '[64 x i8] %a', Array(64).fill('integer1').join(' ')],
      ['tooMany', '[64 x i8] %a, i8 %b', undefined],
      ['mostParameters', Array(64).fill('i24').join(', '), Array(64).fill('integer3').join(' ')],
      ['tooManyParameters', Array(65).fill('{}').join(', '), undefined],
      ['deep', `${nested(31)} %a`, 'integer8'],
      ['tooDeep', `${nested(32)} %a`, undefined],
      ['many', '[1023 x {}] %a', ''],
      ['tooManyTypes', '[1024 x {}] %a', undefined],
      ['together', '[511 x {}] %a, [511 x {}] %b', ''],
      ['tooManyTogether', '[511 x {}] %a, [511 x {}] %b, {} %c', undefined],
    ];
    const { passings, signatures, symbols } = await pool.readInterface(
      'm',
      assemble(`
${functions.map(([name, parameters]) => `define void @${name}(${parameters}) { ret void }`).join('\n')}
define fastcc void @fast({ i64 } %a) { ret void }
@alias = alias void ({ i8, { double, [2 x float] } }, i64), void ({ i8, { double, [2 x float] } }, i64)* @struct
@cast = alias i128 (), bitcast (void (i7, i24, i33, i64)* @widths to i128 ()*)
define i8* @resolve() { ret i8* null }
@ifunc = ifunc void ({ i64 }), bitcast (i8* ()* @resolve to void ({ i64 })* ()*)`),
    );
    const textOf = (name: string) =>
      passings
        .get(name)
        ?.parameters.map(({ place, sizeBytes }) => `${place}${sizeBytes}`)
        .join(' ');
    const expected = new Map(functions.map(([name, , passed]) => [name, passed]));
    for (const name of ['fast', 'ifunc']) expected.set(name, undefined);
    expected.set('alias', expected.get('struct')).set('cast', expected.get('widths'));
    for (const [name, passed] of expected) {
      t.true(symbols.get(name)?.callable, name);
      t.false(signatures.has(name), name);
      t.is(textOf(name), passed, name);
    }
  });

  test(`${on}: an interface says which variables are a thread's, in sets and in lists of functions to run`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const { threadLocals, declares, needs, runLists, sections, hasAssembly } = await pool.readInterface(
      'm',
      assemble(`
@llvm.global_ctors = appending global [1 x { i32, void ()*, i8* }] [{ i32, void ()*, i8* } { i32 1, void ()* @run, i8* null }]
@llvm.global_dtors = appending global [0 x { i32, void ()*, i8* }] zeroinitializer
define internal void @run() { ret void }
@local = thread_local global i32 0
@own = internal thread_local global [2 x i32] zeroinitializer
@foreign = external thread_local global i32
@alias = thread_local alias i32, i32* @local
@part = thread_local alias i32, getelementptr ([2 x i32], [2 x i32]* @own, i64 0, i64 1)
@plain = alias i32, i32* @shared
@shared = global i32 0, section "a_set"
@elsewhere = external global i32, section "b_set"
@maybe = extern_weak global i32
declare extern_weak void @maybeToo()
declare void @surely()
@odd = internal global i32 0, section ".not.a.set"
@first = internal global i32 0, section ".preinit_array"
@second = internal global i32 0, section ".init_array.00100"
@third = internal global i32 0, section ".fini_array"
@fourth = internal global i32 0, section ".ctors.65000"
@fifth = internal global i32 0, section ".dtors"
@sixth = internal global i32 0, section ".init_arra"
@seventh = internal global i32 0, section "x.init_array"
@eighth = external global i32, section ".init_array"`),
    );
    t.deepEqual([...threadLocals].sort(), ['alias', 'foreign', 'local', 'own', 'part']);
    t.deepEqual([...declares].sort(), ['eighth', 'elsewhere', 'maybe', 'maybeToo', 'surely']);
    t.deepEqual([...needs].sort(), ['eighth', 'elsewhere', 'surely']);
    t.deepEqual(runLists, ['llvm.global_ctors', 'first', 'second', 'third', 'fourth', 'fifth']);
    t.deepEqual([...sections], ['a_set']);
    t.false(hasAssembly);
    for (const section of ['.preinit_array', '.init_array', '.fini_array', '.ctors', '.dtors']) {
      const read = await pool.readInterface('m', assemble(`module asm ".section ${section}"`));
      t.deepEqual([read.hasAssembly, read.runLists], [true, [section]]);
    }
    const { hasAssembly: has, runLists: none } = await pool.readInterface('m', assemble('module asm "nop"'));
    t.deepEqual([has, none], [true, []]);
  });

  test(`${on}: an interface says what LLVM knows by heart, elsewhere and in the module`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const { declares, libraryFunctions, ownLibraryFunctions } = await pool.readInterface(
      'm',
      assemble(`
declare double @sin(double)
declare double @fabs(double) nounwind readnone willreturn
declare i64 @strlen(i8*)
declare i32 @puts(i32)
declare double @own(double) nounwind readnone willreturn
declare void @llvm.trap()
define available_externally i32 @atoi(i8* %text) { ret i32 1 }
define double @cos(double %x) { ret double %x }
define internal double @tan(double %x) { ret double %x }
define double @mine(double %x) nounwind readnone willreturn { ret double %x }`),
    );
    t.deepEqual([...declares].sort(), ['atoi', 'fabs', 'own', 'puts', 'sin', 'strlen']);
    // With other parameters it is no function of the C library, and no attribute makes one of it.
    t.deepEqual([...libraryFunctions].sort(), ['atoi', 'fabs', 'sin', 'strlen']);
    t.deepEqual([...ownLibraryFunctions].sort(), ['cos', 'tan']);
  });

  test(`${on}: an interface says how definitions compete, and who may find them`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const { symbols } = await pool.readInterface(
      'm',
      assemble(`
$inline = comdat any
@common = common global [3 x i32] zeroinitializer
@weak = weak global i32 0
@inline = hidden global i32 0, comdat
@other = weak alias i32, i32* @inline
define linkonce void @once() { ret void }
define linkonce_odr hidden void @odr() { ret void }
define weak_odr protected void @kept() { ret void }
define void @strong() { ret void }`),
    );
    const words = [...symbols].map(
      ([name, { linkage, scope, sizeBytes }]) => `${name} ${linkage} ${scope} ${sizeBytes}`,
    );
    t.deepEqual(words, [
      'once weak exported 0',
      'odr weak hidden 0',
      'kept weak exported 0',
      'strong strong exported 0',
      'common common exported 12',
      'weak weak exported 0',
      'inline weak hidden 0',
      'other weak exported 0',
    ]);
  });

  test(`${on}: a module that does not verify has no interface, and costs no process`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => llvm.path });
    const first = await processOf(t, pool);
    const error = await t.throwsAsync(
      pool.readInterface('broken', assemble(UNVERIFIED, '--disable-verify')),
      {
        instanceOf: CompileError,
      },
    );
    t.is(error.subject, 'broken');
    t.regex(error.message, /^Cannot add module broken: it does not pass LLVM's verifier: .*immarg/is);
    await t.throwsAsync(pool.readInterface('cut', assemble(FIB).subarray(0, 400)), {
      instanceOf: BitcodeError,
    });
    t.deepEqual(pool.processIds, [first]);
  });
}

test('a module that is not done after the limit fails, and the next one gets another process', async (t) => {
  const pool = poolOf(t, { limitMs: 5000 });
  const first = await processOf(t, pool);
  // As if LLVM did not end.
  process.kill(first, 'SIGSTOP');
  const failed = pool.compile(inputOf(FIB, { name: 'endless' }));
  const behind = pool.compile(inputOf(FIB));
  const error = await t.throwsAsync(failed, { instanceOf: CodegenLostError });
  t.is(
    error.message,
    'LLVM gave up on module endless: it was not done after 5000 ms, and its process was ended',
  );
  t.true((await behind).object.byteLength > 0);
  t.false(pool.processIds.includes(first));
  t.false(existsSync(`/proc/${first}`));
});

test('damaged bitcode fails by itself, whatever LLVM does over it', async (t) => {
  const pool = poolOf(t);
  const whole = assemble(VARIED);
  let failedCount = 0;
  for (let at = 16; at < whole.length; at += 97) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 0xff;
    try {
      const input = { ...inputOf(FIB), ir: bitcode(damaged) };
      await (at % 2 === 0 ? pool.compile(input) : pool.writeBitcode(input));
    } catch (error) {
      failedCount++;
      const isExpected = [BitcodeError, CompileError, CodegenLostError].some((kind) => error instanceof kind);
      t.true(isExpected, String(error));
    }
  }
  t.true(failedCount > 5, `${failedCount} failed`);
  t.true((await pool.compile(inputOf(FIB))).object.byteLength > 0);
});

test('a request that cannot be said fails by itself, and occupies no process', async (t) => {
  const pool = poolOf(t);
  const first = await processOf(t, pool);
  const programDefined = Array.from({ length: 0x1_0000 }, (_, i) => `f${i}`);
  await t.throwsAsync(pool.compile(inputOf(FIB, { programDefined })), { instanceOf: RangeError });
  t.true((await pool.compile(inputOf(FIB))).object.byteLength > 0);
  t.deepEqual(pool.processIds, [first]);
});

test('a process that is killed while it compiles fails that module alone', async (t) => {
  const pool = poolOf(t);
  const first = await processOf(t, pool);
  process.kill(first, 'SIGSTOP');
  const failed = pool.compile(inputOf(FIB, { name: 'unlucky' }));
  const behind = pool.compile(inputOf(FIB));
  process.kill(first, 'SIGKILL');
  const error = await t.throwsAsync(failed, { instanceOf: CodegenLostError });
  t.is(error.message, 'LLVM gave up on module unlucky: SIGKILL');
  t.true((await behind).object.byteLength > 0);
});

test('a process that is killed while it has nothing to do is missed by nobody', async (t) => {
  const pool = poolOf(t);
  const first = await processOf(t, pool);
  process.kill(first, 'SIGKILL');
  while (pool.processIds.includes(first)) await new Promise((resolve) => setTimeout(resolve, 5));
  t.true((await pool.compile(inputOf(FIB))).object.byteLength > 0);
});

test('modules that somebody waits for come before those that can wait, each in the order of asking', async (t) => {
  const pool = poolOf(t);
  const first = await processOf(t, pool);
  process.kill(first, 'SIGSTOP');
  const order: string[] = [];
  const ask = (name: string, canWait: boolean) =>
    pool.compile(inputOf(FIB, { name, canWait })).then(() => order.push(name));
  // The first occupies the process; the rest are waiting.
  const asked = [ask('at once', false), ask('b1', true), ask('u1', false), ask('b2', true), ask('u2', false)];
  process.kill(first, 'SIGCONT');
  await Promise.all(asked);
  t.deepEqual(order, ['at once', 'u1', 'u2', 'b1', 'b2']);
});

test('there are as many processes as there is work for, and no more than the size', async (t) => {
  const pool = poolOf(t, { size: 3 });
  t.deepEqual(pool.processIds, []);
  await pool.compile(inputOf(FIB));
  t.is(pool.processIds.length, 1);
  const objects = await Promise.all(Array.from({ length: 40 }, () => pool.compile(inputOf(FIB))));
  t.is(objects.length, 40);
  t.true(pool.processIds.length > 1 && pool.processIds.length <= 3);
});

test('when there has been nothing to do for a while, one process is left', async (t) => {
  const pool = poolOf(t, { size: 3, restMs: 50 });
  await Promise.all(Array.from({ length: 60 }, () => pool.compile(inputOf(FIB))));
  while (pool.processIds.length !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
  t.true((await pool.compile(inputOf(FIB))).object.byteLength > 0);
});

test('started ahead there is one process, and stopping leaves none', async (t) => {
  const pool = poolOf(t, { size: 2 });
  pool.start();
  pool.start();
  const [processId] = pool.processIds;
  t.is(pool.processIds.length, 1);
  await pool.stop();
  t.false(existsSync(`/proc/${processId}`));
  await t.throwsAsync(pool.compile(inputOf(FIB)), { instanceOf: SessionClosedError, message: /stopped/ });
});

test('who stops a process that has just become ready gets to see its end', (t) => {
  const pool = JSON.stringify(new URL('../../src/codegen/codegen-pool.js', import.meta.url).href);
  // They say that they are ready while nobody reads, and the program has nothing else to stay for. Whether the end of
  // one is seen at once is up to the system: several times it mostly is not.
  const program = `const { CodegenPool } = await import(${pool});
    for (let count = 0; count < 12; count++) {
      const codegen = new CodegenPool();
      codegen.start();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
      await codegen.stop();
    }
    console.log('stopped');`;
  const args = ['--input-type=module', '-e', program];
  t.is(execFileSync(process.execPath, args, { encoding: 'utf8' }), 'stopped\n');
});

test('stopping fails what is under way', async (t) => {
  const pool = poolOf(t);
  await processOf(t, pool);
  const [processId = 0] = pool.processIds;
  process.kill(processId, 'SIGSTOP');
  const failed = pool.compile(inputOf(FIB));
  const waiting = pool.compile(inputOf(FIB));
  const outcomes = Promise.allSettled([failed, waiting]);
  await pool.stop();
  for (const outcome of await outcomes)
    t.true(outcome.status === 'rejected' && outcome.reason instanceof SessionClosedError);
});

test('a libLLVM that cannot be loaded is named', async (t) => {
  const pool = poolOf(t, { libLLVM: () => '/dev/null' });
  const error = await t.throwsAsync(pool.compile(inputOf(FIB)), { instanceOf: LibLLVMError });
  t.regex(error.message, /Cannot load libLLVM from \/dev\/null/);
});

test('a library that is no libLLVM is named', async (t) => {
  const pool = poolOf(t, { libLLVM: () => 'libm.so.6' });
  await t.throwsAsync(pool.compile(inputOf(FIB)), {
    instanceOf: LibLLVMError,
    message: /libm.so.6 is not a libLLVM/,
  });
});

test('a missing program says how to build it', async (t) => {
  const pool = poolOf(t, { program: '/nowhere/farjit-codegen' });
  pool.start();
  await t.throwsAsync(pool.compile(inputOf(FIB)), { instanceOf: LibLLVMError, message: /npm run build/ });
});
