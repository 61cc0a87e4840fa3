import { buildLinkGraph } from '../jitlink/elf.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import { splitGraph } from '../jitlink/split.js';
import type { ModuleInterface } from '../llvm/module-interface.js';
import { MaterializationUnit, ObjectPart, type ObjectSource } from '../session/materialization-unit.js';
import type { IRPipeline } from './ir-pipeline.js';

/**
 * A unit of a whole module: compiled at the first call of any of its functions, in one go; then split, so that each
 * function is linked at its own first call.
 */
export function moduleUnit(
  pipeline: IRPipeline,
  name: string,
  bitcode: Uint8Array,
  defines: ModuleInterface,
): MaterializationUnit {
  const source: ObjectSource = {
    kind: 'module',
    compile: () => pipeline.compileBitcode(name, bitcode),
    split: (object, unit) => splitModule(object, name, unit),
  };
  const functions = new Set(defines.functions.keys());
  return new MaterializationUnit(name, source, { functions, data: defines.data });
}

function splitModule(
  object: Uint8Array,
  name: string,
  unit: MaterializationUnit,
): ReadonlyMap<string, ObjectPart> {
  // A graph is used up by linking; splitting again gives the same graphs in the same order.
  let graphs: (LinkGraph | undefined)[] = splitGraph(buildLinkGraph(object, name));
  const take = (index: number): LinkGraph => {
    const graph = graphs[index];
    if (!graph) {
      graphs = splitGraph(buildLinkGraph(object, name));
      return take(index);
    }
    graphs[index] = undefined;
    return graph;
  };
  const parts = new Map<string, ObjectPart>();
  graphs.forEach((graph, index) => {
    const part = new ObjectPart(unit, () => take(index));
    for (const symbol of graph?.symbols ?? [])
      if (symbol.kind === 'defined' && symbol.scope === 'default') parts.set(symbol.name, part);
  });
  return parts;
}
