import { execFileSync } from 'node:child_process';
import test from 'ava';
import type { CompileInput } from '../../src/codegen/compile-input.js';
import { SessionClosedError } from '../../src/core/errors.js';
import { type IRTransform, IRTransformLayer } from '../../src/layers/ir-transform-layer.js';
import { BitcodeError, CompileError, TransformError } from '../../src/llvm/errors.js';
import { changeModule, IRModule } from '../../src/llvm/ir-module.js';
import { LLVMAttributeFunctionIndex } from '../../src/llvm/libllvm.js';
import { poolOf, sharedPool } from '../codegen/pool-of.js';
import { assemble, bitcode, FIB, THROUGH_MEMORY } from '../llvm/assemble.js';
import { installedLibLLVMs } from '../llvm/installed.js';
import { TARGET } from './recording-compile-layer.js';

function inputOf(ir: string, rest: Partial<CompileInput> = {}): CompileInput {
  return { name: 'm', ir: bitcode(assemble(ir)), target: TARGET, optLevel: 1, ...rest };
}

/** A module of two functions and a variable, of which transforms make others. */
const SEVERAL = `
@counter = global i32 0
define double @f(double %x) { ret double %x }
define double @g(double %x) { %y = call double @f(double %x) ret double %y }
define i128 @wide() { ret i128 0 }`;

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;
  const pool = sharedPool(llvm.path);
  const textOf = (bytes: Uint8Array) => {
    using module = IRModule.parse(llvm, 'm', bytes);
    return module.print();
  };

  test(`${on}: transforms run in order and see each other's work`, async (t) => {
    const seen: string[] = [];
    const look: IRTransform = (bytes, { name, target, level }) => {
      t.deepEqual([name, target, level], ['m', TARGET, 2]);
      seen.push(textOf(bytes).includes('alloca') ? 'memory' : 'register');
      return bytes;
    };
    const optimize: IRTransform = (bytes) =>
      pool.writeBitcode({ ...inputOf(''), ir: { form: 'bitcode', bytes } });
    const layer = new IRTransformLayer(pool, [look, optimize, async (bytes, module) => look(bytes, module)]);
    const { object, timings } = await layer.compile(inputOf(THROUGH_MEMORY, { optLevel: 2 }));
    t.true(object.byteLength > 0);
    t.true(timings.parseMs > 0);
    t.deepEqual(seen, ['memory', 'register']);
  });

  test(`${on}: what a transform changes is what is compiled and printed`, async (t) => {
    const input = inputOf('define double @f(double %x) { ret double %x }');
    const cold: IRTransform = (bytes, { name }) =>
      changeModule(llvm, name, bytes, (module) => {
        const kind = llvm.LLVMGetEnumAttributeKindForName('cold', 4n);
        const attribute = llvm.LLVMCreateEnumAttribute(module.context, kind, 0n);
        for (const { ref } of module.functions())
          llvm.LLVMAddAttributeAtIndex(ref, LLVMAttributeFunctionIndex, attribute);
      });
    t.regex(await new IRTransformLayer(pool, [cold]).print(input, 'ir'), /attributes #0 = .* cold /);
    t.notRegex(await new IRTransformLayer(pool).print(input, 'ir'), / cold /);
    const other: IRTransform = () => assemble('define double @f(double %x) { ret double 42.0 }');
    t.regex(await new IRTransformLayer(pool, [other]).print(input, 'asm'), /0x4045000000000000/);
    const { object } = await new IRTransformLayer(pool, [other]).compile(input);
    t.notDeepEqual(Buffer.from(object), Buffer.from((await pool.compile(input)).object));
  });

  test(`${on}: a transform that changes nothing changes no byte of the object`, async (t) => {
    const layer = new IRTransformLayer(pool, [(bytes) => bytes]);
    const without = new IRTransformLayer(pool);
    for (const optLevel of ['first', 2] as const) {
      const input = inputOf(FIB, { optLevel });
      const { object } = await layer.compile(input);
      t.deepEqual(Buffer.from(object), Buffer.from((await without.compile(input)).object));
    }
  });

  test(`${on}: what a transform adds is there too, and what it takes away is missed by name`, async (t) => {
    const become = (ir: string) =>
      new IRTransformLayer(pool, [() => assemble(ir)]).compile(inputOf(SEVERAL, { name: 'several' }));
    await t.notThrowsAsync(become(`${SEVERAL}\n@more = global i32 0\ndefine void @h() { ret void }`));
    const refused: [string, RegExp][] = [
      [SEVERAL.replace('define double @g', 'define weak double @g'), /does not define g as it was$/],
      [SEVERAL.replaceAll('@f(', '@f2('), /does not define f$/],
      [SEVERAL.replace('define double @g', 'define internal double @g'), /does not define g$/],
      [SEVERAL.replace('@counter', '@other'), /does not define counter$/],
      [
        SEVERAL.replace('double @g(double %x)', 'double @g(double %x, double %z)'),
        /does not define g as it was$/,
      ],
      [
        SEVERAL.replace('define i128 @wide() { ret i128 0 }', 'define i32 @wide() { ret i32 0 }'),
        /does not define wide as it was$/,
      ],
      ['', /does not define f, g, wide, counter$/],
    ];
    const odd = new IRTransformLayer(pool, [() => assemble('')]);
    await t.throwsAsync(odd.compile(inputOf('define void @"two\\0Alines"() { ret void }')), {
      message: /does not define two\\u\{a\}lines$/,
    });
    for (const [ir, words] of refused) {
      const error = await t.throwsAsync(become(ir), { instanceOf: TransformError, code: 'TRANSFORM' }, ir);
      t.is(error.moduleName, 'several');
      t.regex(error.message, words);
      t.regex(
        error.message,
        /^Cannot transform module several: the transform number 1 gave back a module that /,
      );
    }
  });

  test(`${on}: what a transform gives back that is no module is refused by name, and costs the module alone`, async (t) => {
    await pool.compile(inputOf(FIB));
    const before = pool.processIds;
    const whole = assemble(FIB);
    const broken = assemble('define double @fib(double immarg %x) { ret double %x }', '--disable-verify');
    const startUp = assemble(
      `${FIB}\ndefine void @start() { ret void }
@llvm.global_ctors = appending global [1 x { i32, void ()*, i8* }] [{ i32, void ()*, i8* } { i32 1, void ()* @start, i8* null }]`,
    );
    const refused: [unknown, RegExp, unknown][] = [
      [undefined, /gave back undefined, where bitcode is wanted$/, undefined],
      ['BC', /gave back string, where bitcode is wanted$/, undefined],
      [{ length: 4 }, /gave back object, where/, undefined],
      [new ArrayBuffer(8), /gave back object, where/, undefined],
      [new Uint8Array(0), /gave back what is not bitcode: it doesn't start with/, undefined],
      [Buffer.from('define void @f() { ret void }'), /gave back what is not bitcode: it/, undefined],
      [whole.subarray(0, whole.length - 40), /gave back what is not bitcode: it ends/, undefined],
      // Blocks without a module: damage that only LLVM sees.
      [
        whole.subarray(0, 12 + Buffer.from(whole).readUInt32LE(8) * 4),
        /a module that is refused: /,
        BitcodeError,
      ],
      [broken, /a module that is refused: .*verifier.*immarg/is, CompileError],
      [startUp, /a module with functions to run at the start or the end \(llvm\.global_ctors\)$/, undefined],
    ];
    for (const [result, words, cause] of refused) {
      function spoil() {
        return result as Uint8Array;
      }
      const layer = new IRTransformLayer(pool, [(bytes) => bytes, spoil]);
      for (const asked of [layer.compile(inputOf(FIB)), layer.print(inputOf(FIB), 'ir')]) {
        const error = await t.throwsAsync(asked, { instanceOf: TransformError }, String(words));
        t.regex(error.message, /^Cannot transform module m: the transform spoil /);
        t.regex(error.message, words);
        t.is(error.cause?.constructor, cause as undefined);
      }
    }
    t.true((await new IRTransformLayer(pool).compile(inputOf(FIB))).object.byteLength > 0);
    t.deepEqual(pool.processIds, before);
  });

  test(`${on}: a transform's error ends the layer with that error`, async (t) => {
    const reason = new Error('no such luck');
    const layer = new IRTransformLayer(pool, [
      () => Promise.reject(reason),
      () => {
        throw new Error('ran after an error');
      },
    ]);
    const error = await t.throwsAsync(layer.compile(inputOf(FIB)), { instanceOf: TransformError });
    t.is(error.message, 'Cannot transform module m: the transform number 1 failed: no such luck');
    t.is(error.cause, reason);
  });
}

test('what keeps a module from being looked at is not said of the transform', async (t) => {
  const pool = poolOf(t);
  const layer = new IRTransformLayer(pool, [
    async (bytes) => {
      await pool.stop();
      return bytes;
    },
  ]);
  await t.throwsAsync(layer.compile(inputOf(FIB)), { instanceOf: SessionClosedError });
});

test('bytes that a transform goes on writing to are those that it gave back', async (t) => {
  const [llvm] = installedLibLLVMs();
  const pool = poolOf(t, { libLLVM: () => llvm?.path ?? '' });
  let kept = new Uint8Array();
  const keeping: IRTransform = (bytes) => {
    kept = Uint8Array.from(bytes);
    return kept;
  };
  const layer = new IRTransformLayer(pool, [keeping]);
  const compiling = layer.compile(inputOf(FIB));
  while (kept.byteLength === 0) await new Promise((resolve) => setImmediate(resolve));
  kept.fill(0xff);
  const { object } = await compiling;
  t.deepEqual(Buffer.from(object), Buffer.from((await pool.compile(inputOf(FIB))).object));
});

test("LLVM's own tools are transforms where they are of the same version", async (t) => {
  const llvm = installedLibLLVMs().find(({ majorVersion }) => majorVersion === 14);
  if (!llvm) return t.pass();
  const pool = poolOf(t, { libLLVM: () => llvm.path });
  const opt: IRTransform = (bytes) =>
    execFileSync('/usr/lib/llvm-14/bin/opt', ['-passes=mem2reg', '-', '-o', '-'], { input: bytes });
  const layer = new IRTransformLayer(pool, [opt]);
  t.notRegex(await layer.print(inputOf(THROUGH_MEMORY, { optLevel: 0 }), 'ir'), /alloca/);
});
