import { readFileSync } from 'node:fs';
import test from 'ava';
import type { WrapperSignature } from '../../src/calls/call-signature.js';
import { generateCallWrapper, generateMainWrapper } from '../../src/calls/call-wrapper.js';
import type { PrototypeAST } from '../../src/frontends/kaleidoscope/ast.js';
import { IRBuilder } from '../../src/ir/ir-builder.js';
import { IR } from '../../src/ir/recording.js';
import {
  BLOCK_FUNCTION,
  DOUBLE,
  FLOAT,
  FunctionType,
  I1,
  I8,
  I16,
  I32,
  I64,
  StructType,
  VOID,
} from '../../src/ir/types.js';
import { BitcodeError } from '../../src/llvm/errors.js';
import { poolOf, sharedPool } from '../codegen/pool-of.js';
import { generate, type IRGenRequest } from '../frontends/kaleidoscope/generate.js';
import { functionsOf, parse } from '../frontends/kaleidoscope/parse.js';
import { TUTORIAL_PROGRAMS } from '../frontends/kaleidoscope/tutorial-programs.js';
import { assemble, bitcode } from '../llvm/assemble.js';
import { installedLibLLVMs } from '../llvm/installed.js';
import { inputOf, textOf } from './module-of.js';

const EXAMPLES = new URL('../../../../../examples/', import.meta.url);
const EXAMPLE_FILES = ['fib.ks', 'mandelbrot.ks', 'operators.ks'];
const SIGNATURES: readonly WrapperSignature[] = [
  { result: 'double', parameters: ['double', 'i32', 'ptr'] },
  { result: 'void', parameters: ['i1', 'i8', 'i16', 'i64', 'float'] },
  { result: 'i1', parameters: [] },
  { result: 'ptr', parameters: ['ptr'] },
  { result: 'i64+double', parameters: ['u8', 'u16'] },
];

/** Programs of which a module is made in each way that IR generation has: counted, with bodies to inline, entries and loops. */
function modules(): { readonly title: string; readonly ir: IRBuilder }[] {
  const texts = [
    ...TUTORIAL_PROGRAMS,
    ...EXAMPLE_FILES.map((title) => ({ title, text: readFileSync(new URL(title, EXAMPLES), 'utf8') })),
  ];
  const programs = texts.flatMap(({ title, text }) => {
    const prototypes = new Map<string, PrototypeAST>();
    for (const item of parse(text).items) {
      const prototype = item.kind === 'extern' ? item.prototype : item.function.prototype;
      prototypes.set(prototype.name, prototype);
    }
    // A name once, as in a module of FarJIT's.
    const functions = [...new Map(functionsOf(text).map((fn) => [fn.prototype.name, fn])).values()];
    const variant = (rest: (request: IRGenRequest, index: number) => Partial<IRGenRequest>): IRBuilder => {
      const requests = functions.map((fn, index) => {
        const request = { function: fn, implementationName: `${fn.prototype.name}$impl` };
        return { ...request, ...rest(request, index) };
      });
      return generate(requests, (name) => prototypes.get(name));
    };
    return [
      {
        title,
        ir: variant(({ function: { prototype } }) => ({ withEntry: prototype.parameters.length === 0 })),
      },
      {
        title: `${title}, in loops`,
        ir: variant(({ function: { prototype } }) => ({
          withLoop: prototype.parameters.length > 0,
          isInternal: true,
        })),
      },
      {
        title: `${title}, counted`,
        ir: variant((_, index) => ({ counting: { function: 'count', counter: `counter${index}` } })),
      },
      {
        title: `${title}, to inline`,
        ir: variant(({ function: { prototype } }, index) =>
          index === 0
            ? { isCalledDirectly: true }
            : { implementationName: prototype.name, isAvailableExternally: true },
        ),
      },
    ];
  });
  const wrappers = SIGNATURES.map((signature) => ({
    title: `wrapper of ${JSON.stringify(signature)}`,
    ir: generateCallWrapper(signature),
  }));
  return [...programs, ...wrappers, { title: 'wrapper of main', ir: generateMainWrapper() }];
}

/** Each call that there is, once. */
function everything(): IRBuilder {
  const ir = new IRBuilder();
  const callback = new FunctionType(VOID, []);
  const mixed = new FunctionType(I1, [DOUBLE, I64, FLOAT.pointer, callback.pointer]);
  const scale = ir.addFunction('scale', new FunctionType(DOUBLE, [DOUBLE]), 'availableExternally');
  const f = ir.addFunction('größe ∞', mixed);
  const block = ir.addFunction('block', BLOCK_FUNCTION, 'internal');
  const elsewhere = ir.addFunction('elsewhere', callback);
  const pair = new StructType([I64, DOUBLE]);
  const both = ir.addFunction('both', new FunctionType(pair, []));

  ir.continueIn(ir.addBlock(scale, 'entry'));
  ir.ret(ir.binary('fmul', ir.argument(scale, 0, 'x'), ir.double(-0.5), 'half'));

  const entry = ir.addBlock(f, 'entry');
  const loop = ir.addBlock(f, 'loop');
  const end = ir.addBlock(f, 'end');
  const [x, n, slot, call] = ['x', 'n', '', 'call'].map((name, index) => ir.argument(f, index, name));
  if (x === undefined || n === undefined || slot === undefined || call === undefined) throw new Error();
  ir.continueIn(entry);
  const one = ir.int64(-1);
  ir.callPointer(callback, call, []);
  ir.br(loop);
  ir.continueIn(loop);
  const index = ir.phi(I64, 'index');
  const variable = ir.allocaAtStart(entry, DOUBLE, 'variable');
  ir.store(ir.call(scale, [ir.cast('uitofp', index, DOUBLE)], 'scaled'), variable);
  const sum = ir.binary('fsub', ir.binary('fadd', ir.load(DOUBLE, variable, 'now'), x), x, 'sum');
  ir.store(ir.null(FLOAT), ir.gep(FLOAT, slot, index, 'place'));
  const next = ir.binary('add', index, one, 'next');
  ir.condBr(ir.icmp('ult', next, n, 'more'), loop, end);
  ir.addIncoming(index, one, entry);
  ir.addIncoming(index, next, loop);
  ir.continueIn(end);
  const less = ir.fcmp('ult', sum, x, 'less');
  const other = ir.fcmp('one', sum, x, 'other');
  const wide = ir.binary('add', ir.cast('zext', less, I32), ir.cast('sext', other, I32));
  const address = ir.cast('ptrtoint', slot, I64, 'address');
  ir.store(ir.cast('trunc', address, I16), ir.cast('bitcast', slot, I16.pointer));
  ir.ret(ir.cast('trunc', wide, I1, 'bit'));

  ir.continueIn(ir.addBlock(block, 'entry'));
  ir.store(elsewhere.value, ir.cast('bitcast', ir.argument(block, 0), callback.pointer.pointer));
  ir.store(ir.call(both, [], 'pair'), ir.cast('bitcast', ir.argument(block, 0), pair.pointer));
  ir.retVoid();
  return ir;
}

/** What that is in LLVM's words, of version 14. */
const EVERYTHING = `
define available_externally double @scale(double %x) {
entry:
  %half = fmul double %x, -5.000000e-01
  ret double %half
}

define i1 @"gr\\C3\\B6\\C3\\9Fe \\E2\\88\\9E"(double %x, i64 %n, float* %0, void ()* %call) {
entry:
  %variable = alloca double, align 8
  call void %call()
  br label %loop

loop:                                             ; preds = %loop, %entry
  %index = phi i64 [ -1, %entry ], [ %next, %loop ]
  %1 = uitofp i64 %index to double
  %scaled = call double @scale(double %1)
  store double %scaled, double* %variable, align 8
  %now = load double, double* %variable, align 8
  %2 = fadd double %now, %x
  %sum = fsub double %2, %x
  %place = getelementptr float, float* %0, i64 %index
  store float 0.000000e+00, float* %place, align 4
  %next = add i64 %index, -1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end

end:                                              ; preds = %loop
  %less = fcmp ult double %sum, %x
  %other = fcmp one double %sum, %x
  %3 = zext i1 %less to i32
  %4 = sext i1 %other to i32
  %5 = add i32 %3, %4
  %address = ptrtoint float* %0 to i64
  %6 = trunc i64 %address to i16
  %7 = bitcast float* %0 to i16*
  store i16 %6, i16* %7, align 2
  %bit = trunc i32 %5 to i1
  ret i1 %bit
}

define internal void @block(i8* %0) {
entry:
  %1 = bitcast i8* %0 to void ()**
  store void ()* @elsewhere, void ()** %1, align 8
  %pair = call { i64, double } @both()
  %2 = bitcast i8* %0 to { i64, double }*
  store { i64, double } %pair, { i64, double }* %2, align 8
  ret void
}

declare void @elsewhere()

declare { i64, double } @both()
`;

test('what is built is the module that the same words make in an assembler', async (t) => {
  const text = await textOf(everything());
  t.is(text.slice(text.indexOf('\ndefine')), EVERYTHING);
});

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;
  const pool = sharedPool(llvm.path);

  test(`${on}: an object of what is built is that of its assembly text, to the byte`, async (t) => {
    for (const optLevel of ['first', 0] as const) {
      // Of a module as theirs is, for of a recording no tables are put beside functions.
      const built = await pool.writeBitcode(inputOf(everything(), { optLevel: 0, passes: '' }));
      const ours = await pool.compile(inputOf(everything(), { optLevel, ir: bitcode(built) }));
      const text = `source_filename = "farjit"\n${EVERYTHING}`;
      const theirs = await pool.compile(inputOf(everything(), { optLevel, ir: bitcode(assemble(text)) }));
      t.deepEqual(Buffer.from(ours.object), Buffer.from(theirs.object), `level ${optLevel}`);
    }
  });

  test(`${on}: all that IR generation builds verifies, and compiles at each level`, async (t) => {
    for (const { title, ir } of modules())
      for (const optLevel of ['first', 2] as const) {
        const { object } = await pool.compile(inputOf(ir, { optLevel }));
        t.true(object.byteLength > 0, `${title}, level ${optLevel}`);
      }
  });
}

test('what IR generation builds is read and verified by a tool of LLVM', async (t) => {
  // It takes a process each.
  for (const { title, ir } of modules())
    if (/\.ks|^wrapper/.test(title)) t.regex(await textOf(ir), /^define /m, title);
});

test('the same calls are the same bytes, whatever is built meanwhile', (t) => {
  const first = everything();
  const before = Buffer.from(first.finish()).toString('hex');
  generateMainWrapper();
  t.is(Buffer.from(everything().finish()).toString('hex'), before);
  t.is(Buffer.from(first.finish()).toString('hex'), before);
});

test('a type is said once, and only where it is used', (t) => {
  const ir = new IRBuilder();
  const type = new FunctionType(VOID, [I8.pointer, I8.pointer]);
  for (const name of ['f', 'g']) ir.addFunction(name, type);
  const texts = ['f', 'g'].map((name) => [1, 0, 0, 0, name.charCodeAt(0), 0]);
  const call = (what: number, ...words: number[]) => [what, ...words.flatMap((word) => [word, 0, 0, 0])];
  t.deepEqual(
    [...ir.finish()],
    [
      ...[IR.scalarType, 0, IR.scalarType, 4],
      ...call(IR.pointerType, 1),
      ...call(IR.functionType, 2, 0, 2, 2),
      ...texts.flatMap((text) => [...call(IR.function, 3), 0, ...text]),
    ],
  );
});

test('instructions without a block and a name used twice are internal errors', (t) => {
  const ir = new IRBuilder();
  t.throws(() => ir.block, { code: 'INTERNAL', message: /stands nowhere/ });
  ir.addFunction('f', BLOCK_FUNCTION);
  t.throws(() => ir.addFunction('f', BLOCK_FUNCTION), { code: 'INTERNAL', message: /'f'/ });
  t.is(ir.findFunction('f')?.type, BLOCK_FUNCTION);
  t.is(ir.findFunction('g'), undefined);
});

test('a recording that is none is refused, or costs its process and no other module', async (t) => {
  const pool = poolOf(t);
  const { ir, ...rest } = inputOf(generateMainWrapper());
  const input = (bytes: Uint8Array) => ({ ...rest, ir: { form: 'recording', bytes } as const });
  const compile = (bytes: Uint8Array) => pool.compile(input(bytes));
  t.true((await compile(ir.bytes)).object.byteLength > 0);
  for (const bytes of [[0], [255], [IR.pointerType, 0, 0, 0, 0], [IR.retVoid], [IR.call, 9], [IR.function]])
    await t.throwsAsync(compile(Uint8Array.from(bytes)), { instanceOf: BitcodeError });
  const ends = new Set<string>();
  for (let at = 0; at < ir.bytes.length; at += 3)
    for (const damaged of [ir.bytes.slice(0, at), Uint8Array.from(ir.bytes)]) {
      if (damaged.length > at) damaged[at] = (damaged[at] ?? 0) ^ 0x41;
      const asked = at % 2 === 0 ? compile(damaged) : pool.writeBitcode(input(damaged));
      const end = await asked.then(
        () => 'fine',
        (error: { code: string }) => error.code,
      );
      ends.add(end);
    }
  t.deepEqual(
    [...ends].filter((end) => !['fine', 'BITCODE', 'COMPILE', 'CODEGEN_LOST'].includes(end)),
    [],
  );
  t.true(ends.has('BITCODE'));
  t.true((await compile(ir.bytes)).object.byteLength > 0);
});
