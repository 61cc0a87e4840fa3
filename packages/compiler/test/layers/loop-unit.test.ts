import { execFileSync } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import type { LoopUnit } from '../../src/calls/loop-calls.js';
import { Assumptions } from '../../src/core/assumptions.js';
import type { MaterializationUnit } from '../../src/core/materialization-unit.js';
import type { FunctionAST } from '../../src/frontends/kaleidoscope/ast.js';
import { KaleidoscopeFrontEnd } from '../../src/frontends/kaleidoscope/front-end.js';
import { FunctionLayer } from '../../src/layers/function-layer.js';
import { IRPipeline } from '../../src/layers/ir-pipeline.js';
import type { LibLLVM } from '../../src/llvm/libllvm.js';
import type { TierPolicy } from '../../src/optimize/tiers.js';
import { poolOf } from '../codegen/pool-of.js';
import { onlyFunction } from '../frontends/kaleidoscope/parse.js';
import { installedLibLLVMs } from '../llvm/installed.js';
import { unheardMaterializations } from '../session/units.js';

const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '+sse3' };
const TIERED: TierPolicy = { kind: 'tiered', hotThreshold: 10_000 };

/** A layer that knows some functions, which can be defined anew. */
function layerOf(t: ExecutionContext, llvm: LibLLVM, functions: readonly FunctionAST[], tiers = TIERED) {
  const defined = new Map<string, { fn: FunctionAST; unit: MaterializationUnit }>();
  const assumptions = new Assumptions();
  const frontEnd = new KaleidoscopeFrontEnd((name) => defined.get(name)?.fn.prototype);
  const ast = new FunctionLayer(frontEnd, {
    pipeline: new IRPipeline(poolOf(t, { libLLVM: () => llvm.path }), TARGET, 1),
    scope: {
      definitionOf: (name) => defined.get(name)?.unit,
      assumptions,
    },
    tiers,
  });
  const define = (fn: FunctionAST) => {
    defined.set(fn.prototype.name, { fn, unit: ast.functionUnit(fn) });
    assumptions.changed(fn.prototype.name, 'body');
  };
  for (const fn of functions) define(fn);
  return { ast, define };
}

/** Machine code as LLVM's own tool reads it, one instruction after the other: `mulpd %xmm1, %xmm0`. */
function disassemble(code: Uint8Array): string[] {
  const text = execFileSync('/usr/lib/llvm-14/bin/llvm-mc', ['--disassemble', `-triple=${TARGET.triple}`], {
    input: [...code].map((byte) => `0x${byte.toString(16)}`).join(' '),
    encoding: 'utf8',
  });
  return text
    .split('\n')
    .filter((line) => /^\t[^.]/.test(line))
    .map((line) => line.trim().replaceAll('\t', ' '));
}

/** The loop's instructions, and what it refers to. */
async function codeOf({ unit, entry }: LoopUnit) {
  const graph = (await unheardMaterializations().partOf(unit, entry))?.takeGraph();
  const loop = graph?.findDefinition(entry);
  if (!graph || !loop) throw new Error(`there is no ${entry}`);
  const code = loop.block?.content?.subarray(loop.offset, loop.offset + loop.sizeBytes);
  if (!code) throw new Error(`${entry} has no code`);
  return {
    instructions: disassemble(code),
    externals: graph.symbols.filter(({ kind }) => kind === 'external').map(({ name }) => name),
    functions: graph.symbols.flatMap((symbol) =>
      symbol.kind === 'defined' && symbol.callable ? symbol.name : [],
    ),
  };
}

const counts = (instructions: readonly string[], mnemonic: RegExp) =>
  instructions.filter((text) => mnemonic.test(text)).length;

for (const llvm of installedLibLLVMs()) {
  test(`a polynomial is applied to several elements at once, with its callees inlined: LLVM ${llvm.version}`, async (t) => {
    const { ast } = layerOf(t, llvm, [
      onlyFunction('def square(x) x * x;'),
      onlyFunction('def poly(x) 3 * square(x) * x + 2 * square(x) - x + 7;'),
    ]);
    const { instructions, externals, functions } = await codeOf(ast.loopUnit('poly', 1));
    t.true(counts(instructions, /^mulpd /) >= 4, instructions.join('\n'));
    t.true(counts(instructions, /^addpd /) >= 2);
    t.is(counts(instructions, /^call/), 0);
    t.deepEqual(externals, []);
    t.deepEqual(functions, ['map$poly$loop']);
  });

  test(`so is a choice between two columns: LLVM ${llvm.version}`, async (t) => {
    const { ast } = layerOf(t, llvm, [onlyFunction('def clamp(x y) if x < y then x * 2 else y + 1;')]);
    const { instructions } = await codeOf(ast.loopUnit('clamp', 2));
    t.true(counts(instructions, /^cmp\w*pd /) >= 1, instructions.join('\n'));
    t.true(counts(instructions, /^addpd /) >= 2);
    t.is(counts(instructions, /^call/), 0);
  });

  test(`a level that is pinned is the loop's too: LLVM ${llvm.version}`, async (t) => {
    const poly = onlyFunction('def poly(x) x * x + x;');
    const { ast } = layerOf(t, llvm, [poly], { kind: 'pinned', optLevel: 0 });
    const { instructions } = await codeOf(ast.loopUnit('poly', 1));
    t.is(counts(instructions, /^mulpd /), 0);
    t.true(counts(instructions, /^call/) >= 1);
  });
}

test('a function that is not defined here is called by its name', async (t) => {
  const [llvm] = installedLibLLVMs();
  if (!llvm) return t.fail();
  const layer = layerOf(t, llvm, [
    onlyFunction('def recursive(x) if x < 1 then 0 else recursive(x - 1) + later(x);'),
  ]);
  // It cannot be compiled before later is there, and says so when it is called.
  const before = layer.ast.loopUnit('recursive', 1);
  t.deepEqual((await codeOf(before)).externals, ['recursive']);
  t.true(before.isCurrent());
  layer.define(onlyFunction('def later(x) x;'));
  const after = layer.ast.loopUnit('recursive', 1);
  t.deepEqual((await codeOf(after)).externals, []);
});

test('a loop is outdated when anything that it was compiled from has changed', async (t) => {
  const [llvm] = installedLibLLVMs();
  if (!llvm) return t.fail();
  const layer = layerOf(t, llvm, [
    onlyFunction('def inner(x) x + 1;'),
    onlyFunction('def f(x) inner(x) * 2;'),
    onlyFunction('def other(x) x;'),
  ]);
  const loop = layer.ast.loopUnit('f', 1);
  await codeOf(loop);
  t.true(loop.isCurrent());
  layer.define(onlyFunction('def other(x) x + 1;'));
  t.true(loop.isCurrent());
  layer.define(onlyFunction('def inner(x) x + 2;'));
  t.false(loop.isCurrent());
  layer.define(onlyFunction('def f(x y) x + y;'));
  t.throws(() => layer.ast.loopUnit('f', 1), { message: /'f' takes 2, this call has 1/ });
  t.true(layer.ast.loopUnit('f', 2).isCurrent());
});
