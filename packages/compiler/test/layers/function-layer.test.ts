import test, { type ExecutionContext } from 'ava';
import { Assumptions } from '../../src/core/assumptions.js';
import { MaterializationUnit } from '../../src/core/materialization-unit.js';
import { strongSymbols } from '../../src/core/symbol-flags.js';
import type { PrototypeAST } from '../../src/frontends/kaleidoscope/ast.js';
import { Diagnostic } from '../../src/frontends/kaleidoscope/diagnostic.js';
import { KaleidoscopeFrontEnd } from '../../src/frontends/kaleidoscope/front-end.js';
import { CallWrapperLayer } from '../../src/layers/call-wrapper-layer.js';
import { FunctionLayer } from '../../src/layers/function-layer.js';
import { IRPipeline } from '../../src/layers/ir-pipeline.js';
import { poolOf } from '../codegen/pool-of.js';
import { onlyFunction } from '../frontends/kaleidoscope/parse.js';
import { unheardMaterializations } from '../session/units.js';
import { RecordingCompileLayer, TARGET } from './recording-compile-layer.js';

const PINNED = { kind: 'pinned', optLevel: 1 } as const;

function prototype(name: string, parameterCount: number): PrototypeAST {
  const parameters = Array.from({ length: parameterCount }, (_, index) => `x${index}`);
  return { name, parameters, isOperator: false, precedence: 0, range: { start: 0, end: 0 } };
}

/** A layer on the newest libLLVM whose scope is these prototypes; the defined ones are the program's own. */
function layerFor(
  t: ExecutionContext,
  prototypes: readonly PrototypeAST[] = [],
  defined: readonly string[] = [],
) {
  const known = new Map(prototypes.map((one) => [one.name, one]));
  const recording = new RecordingCompileLayer();
  const other = new MaterializationUnit(
    'other',
    {
      kind: 'module',
      materialize: () => Promise.reject(new Error('nobody needs it')),
    },
    strongSymbols(defined),
  );
  const scope = {
    definitionOf: (name: string) => (defined.includes(name) ? other : undefined),
    assumptions: new Assumptions(),
  };
  const frontEnd = new KaleidoscopeFrontEnd((name) => known.get(name));
  const context = { pipeline: new IRPipeline(poolOf(t), TARGET, 1), scope, tiers: PINNED };
  return {
    recording,
    recorded: new FunctionLayer(frontEnd, { ...context, pipeline: new IRPipeline(recording, TARGET, 1) }),
    ast: new FunctionLayer(frontEnd, context),
    wrappers: new CallWrapperLayer(context),
    known,
  };
}

/** Symbols of the graph behind a name, with what they are. */
async function symbolsOf(unit: MaterializationUnit, name: string): Promise<string[]> {
  const part = await unheardMaterializations().partOf(unit, name);
  const symbols = part?.takeGraph().symbols ?? [];
  return symbols
    .filter(({ kind, scope }) => kind === 'external' || scope === 'default')
    .map(({ kind, name: symbol }) => `${kind} ${symbol}`)
    .sort();
}

test('a function is compiled to its implementation, and calls others and itself by their public names', async (t) => {
  const f = onlyFunction('def f(x) f(x) + g(x) + f(x);');
  const { ast } = layerFor(t, [f.prototype, prototype('g', 1)]);
  const unit = ast.functionUnit(f);
  t.deepEqual([...unit.interface.functions], ['f']);
  t.deepEqual([...unit.interface.data], []);
  t.deepEqual([...unit.callees].sort(), ['f', 'g']);
  t.is(unit.source.kind, 'function');
  t.deepEqual(await symbolsOf(unit, 'f'), ['defined f$impl', 'external f', 'external g']);
});

test('nothing is generated before a unit is compiled: names mean what they mean then', async (t) => {
  const f = onlyFunction('def f(x) later(x);');
  const { ast, known } = layerFor(t, [f.prototype]);
  const unit = ast.functionUnit(f);
  const error = await t.throwsAsync(unheardMaterializations().partOf(unit, 'f'), { instanceOf: Diagnostic });
  t.regex(error?.message ?? '', /later/);
  known.set('later', prototype('later', 1));
  t.deepEqual(await symbolsOf(unit, 'f'), ['defined f$impl', 'external later']);
});

test('an expression has an entry of its own and no name for others', async (t) => {
  const { ast } = layerFor(t, [prototype('g', 1)]);
  const { unit, entry } = ast.expressionUnit(onlyFunction('g(1) + 2;'));
  t.is(unit.interface.functions.size, 0);
  t.is(unit.source.kind, 'expression');
  const symbols = await symbolsOf(unit, entry);
  t.true(symbols.includes(`defined ${entry}`), symbols.join());
  t.true(symbols.includes('external g'));
});

test('wrappers are named by what they call', async (t) => {
  const { wrappers } = layerFor(t);
  const wrapper = wrappers.wrapperUnit({ result: 'double', parameters: ['i32', 'ptr'] });
  t.is(wrapper.name, 'call$double$i32$ptr');
  t.is(wrapper.source.kind, 'wrapper');
  t.deepEqual(await symbolsOf(wrapper, wrapper.name), ['defined call$double$i32$ptr']);
  const main = wrappers.mainWrapperUnit();
  t.deepEqual(await symbolsOf(main, main.name), ['defined call$main']);
});

test('the compiler is told which of the callees the program defines itself', async (t) => {
  const f = onlyFunction('def f(x) fabs(x) + sin(x);');
  const { recorded, recording } = layerFor(
    t,
    [f.prototype, prototype('fabs', 1), prototype('sin', 1)],
    ['fabs'],
  );
  const unit = recorded.functionUnit(f);
  // What the layer records instead of compiling is no object.
  await t.throwsAsync(unheardMaterializations().partOf(unit, 'f'), { code: 'LINK_ERROR' });
  t.deepEqual(recording.inputs[0]?.programDefined, ['fabs']);
  t.is(await recorded.print(unit, 'ir'), 'ir of f');
  t.deepEqual(recording.inputs[1]?.programDefined, ['fabs']);
});

test('functions compiled side by side do not mix', async (t) => {
  const { ast, known } = layerFor(t);
  const functions = Array.from({ length: 12 }, (_, index) => onlyFunction(`def f${index}(x) x + ${index};`));
  for (const { prototype: one } of functions) known.set(one.name, one);
  const symbols = await Promise.all(
    functions.map((fn) => symbolsOf(ast.functionUnit(fn), fn.prototype.name)),
  );
  t.deepEqual(
    symbols,
    functions.map((_, index) => [`defined f${index}$impl`]),
  );
});
