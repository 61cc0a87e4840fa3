import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { CodegenPool } from '../../src/codegen/codegen-pool.js';
import { IR } from '../../src/codegen/ir-recording.js';
import type { PrototypeAST } from '../../src/kaleidoscope/ast.js';
import type { CallSignature } from '../../src/kaleidoscope/call-signature.js';
import type { IRGenRequest } from '../../src/kaleidoscope/irgen.js';
import { type IRGen, loadIRGen, type WritableModule } from '../../src/kaleidoscope/load-irgen.js';
import type { CompileInput } from '../../src/layers/ir-compile-layer.js';
import { BitcodeError } from '../../src/llvm/errors.js';
import type { IRForm } from '../../src/llvm/module-ir.js';
import { functionsOf, parse } from '../kaleidoscope/parse.js';
import { TUTORIAL_PROGRAMS } from '../kaleidoscope/tutorial-programs.js';
import { installedLibLLVMs } from '../llvm/installed.js';

const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '+avx2' };
const EXAMPLES = new URL('../../../../../examples/', import.meta.url);
const EXAMPLE_FILES = ['fib.ks', 'mandelbrot.ks', 'operators.ks'];
const SIGNATURES: readonly CallSignature[] = [
  { result: 'double', parameters: ['double', 'i32', 'ptr'] },
  { result: 'void', parameters: ['i1', 'i8', 'i16', 'i64', 'float'] },
  { result: 'i1', parameters: [] },
  { result: 'ptr', parameters: ['ptr'] },
];

type Make = (irgen: IRGen) => WritableModule;

/** Programs of which a module is made in each way that IR generation has: counted, with bodies to inline, and entries. */
function modules(): { readonly title: string; readonly make: Make }[] {
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
    const variant = (rest: (request: IRGenRequest, index: number) => Partial<IRGenRequest>): Make => {
      const requests = functions.map((fn, index) => {
        const request = { function: fn, implementationName: `${fn.prototype.name}$impl` };
        return { ...request, ...rest(request, index) };
      });
      return (irgen) => irgen.generate(requests, (name) => prototypes.get(name));
    };
    return [
      {
        title,
        make: variant(({ function: { prototype } }) => ({ withEntry: prototype.parameters.length === 0 })),
      },
      {
        title: `${title}, counted`,
        make: variant((_, index) => ({ counting: { function: 'count', counter: `counter${index}` } })),
      },
      {
        title: `${title}, to inline`,
        make: variant(({ function: { prototype } }, index) =>
          index === 0
            ? { isCalledDirectly: true }
            : { implementationName: prototype.name, isAvailableExternally: true },
        ),
      },
    ];
  });
  const wrappers = SIGNATURES.map((signature) => ({
    title: `wrapper of ${JSON.stringify(signature)}`,
    make: (irgen: IRGen) => irgen.callWrapper(signature),
  }));
  return [...programs, ...wrappers, { title: 'wrapper of main', make: (irgen) => irgen.mainWrapper() }];
}

async function inputOf(make: Make, form: IRForm, rest: Partial<CompileInput> = {}): Promise<CompileInput> {
  const written = make(await loadIRGen(form));
  try {
    return { name: 'm', ir: written.write(), target: TARGET, optLevel: 0, ...rest };
  } finally {
    written.discard();
  }
}

function poolOf(t: ExecutionContext, path: string): CodegenPool {
  const pool = new CodegenPool({ libLLVM: () => path, size: 1 });
  t.teardown(() => pool.stop());
  return pool;
}

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  // As text in 14 alone: what a later one reads of 14's bitcode has casts between pointers that have become one type.
  if (llvm.majorVersion === 14)
    test(`${on}: a recording becomes the module that llvm-bindings makes of the same calls`, async (t) => {
      const pool = poolOf(t, llvm.path);
      for (const { title, make } of modules()) {
        const ours = await pool.print(await inputOf(make, 'recording'), 'ir');
        t.is(ours, await pool.print(await inputOf(make, 'bitcode'), 'ir'), title);
      }
    });

  test(`${on}: an object of a recording is that of what llvm-bindings makes, to the byte`, async (t) => {
    const pool = poolOf(t, llvm.path);
    // 15 keeps the typed pointers of 14's bitcode and makes others itself, and optimises a loop over them in two ways.
    const levels = llvm.majorVersion === 15 ? (['first'] as const) : (['first', 2] as const);
    for (const { title, make } of modules())
      for (const optLevel of levels) {
        const ours = await pool.compile(await inputOf(make, 'recording', { optLevel }));
        const theirs = await pool.compile(await inputOf(make, 'bitcode', { optLevel }));
        t.deepEqual(Buffer.from(ours.object), Buffer.from(theirs.object), `${title}, level ${optLevel}`);
      }
  });
}

const [first] = modules();

test('what has been written down stays, whatever is made after it', async (t) => {
  const irgen = await loadIRGen('recording');
  const make = first?.make;
  if (!make) return t.fail();
  const written = make(irgen);
  const { bytes } = written.write();
  const before = Buffer.from(bytes).toString('hex');
  written.discard();
  irgen.mainWrapper().discard();
  t.is(Buffer.from(bytes).toString('hex'), before);
  // The numbers start over: the same calls are the same bytes.
  t.is(Buffer.from(make(irgen).write().bytes).toString('hex'), before);
});

test('a recording that is none is refused, or costs its process and no other module', async (t) => {
  const [llvm] = installedLibLLVMs();
  const pool = poolOf(t, llvm?.path ?? '');
  const { ir, ...rest } = await inputOf((irgen) => irgen.mainWrapper(), 'recording');
  const compile = (bytes: Uint8Array) => pool.compile({ ...rest, ir: { form: 'recording', bytes } });
  t.true((await compile(ir.bytes)).object.byteLength > 0);
  for (const bytes of [[0], [255], [IR.pointerType, 0, 0, 0, 0], [IR.retVoid], [IR.call, 9], [IR.function]])
    await t.throwsAsync(compile(Uint8Array.from(bytes)), { instanceOf: BitcodeError });
  const ends = new Set<string>();
  for (let at = 0; at < ir.bytes.length; at += 3)
    for (const damaged of [ir.bytes.slice(0, at), Uint8Array.from(ir.bytes)]) {
      if (damaged.length > at) damaged[at] = (damaged[at] ?? 0) ^ 0x41;
      const end = await compile(damaged).then(
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
