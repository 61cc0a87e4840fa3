import test from 'ava';
import { CodegenPool } from '../../../src/codegen/codegen-pool.js';
import { implementationName } from '../../../src/core/materialization-unit.js';
import { moduleUnit } from '../../../src/frontends/llvm/module-layer.js';
import { displayName } from '../../../src/jitlink/local-names.js';
import { IRPipeline } from '../../../src/layers/ir-pipeline.js';
import { TARGET } from '../../layers/recording-compile-layer.js';
import { assemble } from '../../llvm/assemble.js';
import { installedLibLLVMs } from '../../llvm/installed.js';
import { unheardMaterializations } from '../../session/units.js';

const SOURCE = `
@counter = global i32 0
define internal i32 @helper(i32 %x) noinline {
  %y = mul i32 %x, %x
  ret i32 %y
}
define i32 @f(i32 %x) {
  %y = call i32 @g(i32 %x)
  %c = load i32, i32* @counter
  %z = add i32 %y, %c
  ret i32 %z
}
define i32 @g(i32 %x) noinline {
  %y = call i32 @helper(i32 %x)
  ret i32 %y
}
`;

for (const llvm of installedLibLLVMs()) {
  const on = `libLLVM ${llvm.version}`;

  const codegen = new CodegenPool({ libLLVM: () => llvm.path, size: 1 });
  test.after(() => codegen.stop());

  async function unitOf(source: string) {
    const bitcode = assemble(source);
    const defines = await codegen.readInterface('m', bitcode);
    return moduleUnit(
      new IRPipeline(codegen, TARGET, 0),
      { name: 'm', bitcode, defines },
      {
        isDefined: () => false,
      },
    );
  }

  test(`${on}: a module is one unit with a part for each function and each variable`, async (t) => {
    const unit = await unitOf(SOURCE);
    t.deepEqual([...unit.interface.functions].sort(), ['f', 'g']);
    t.deepEqual([...unit.interface.data], ['counter']);
    t.is(unit.source.kind, 'module');
    const materializations = unheardMaterializations();
    const parts = await Promise.all(['f', 'g', 'counter'].map((name) => materializations.partOf(unit, name)));
    t.is(new Set(parts).size, 3);
    t.true(parts.every((part) => part?.unit === unit));
  });

  test(`${on}: a part's graph defines its function and refers to the others`, async (t) => {
    const unit = await unitOf(SOURCE);
    const f = await unheardMaterializations().partOf(unit, 'f');
    const graph = f?.takeGraph();
    t.is(graph?.findDefinition('f')?.kind, 'defined');
    t.is(graph?.findDefinition('g'), undefined);
    const externals = graph?.symbols.filter(({ kind }) => kind === 'external').map(({ name }) => name);
    t.deepEqual(externals?.sort(), ['counter', 'g']);
  });

  test(`${on}: an internal function is a part of its own, under a name that no other unit has`, async (t) => {
    const [unit, other] = [await unitOf(SOURCE), await unitOf(SOURCE)];
    const materializations = unheardMaterializations();
    const g = await materializations.partOf(unit, 'g');
    await materializations.partOf(other, 'g');
    const [helper = ''] = materializations.localFunctionsOf(unit);
    t.is(displayName(helper), 'helper');
    t.deepEqual(g?.references, [helper]);
    t.notDeepEqual(materializations.localFunctionsOf(other), [helper]);
    const part = await materializations.partOf(unit, helper);
    t.not(part, g);
    t.true(part?.takeGraph().findDefinition(implementationName(helper))?.callable);
  });

  test(`${on}: graphs can be taken any number of times, whichever are taken in between`, async (t) => {
    const unit = await unitOf(SOURCE);
    const materializations = unheardMaterializations();
    const [f, g] = await Promise.all(['f', 'g'].map((name) => materializations.partOf(unit, name)));
    const taken = [f, f, g, f, g, g].map((part) => part?.takeGraph());
    t.is(new Set(taken).size, 6);
    t.deepEqual(
      taken.map((graph) => graph?.findDefinition('f')?.name ?? graph?.findDefinition('g')?.name),
      ['f', 'f', 'g', 'f', 'g', 'g'],
    );
  });
}
