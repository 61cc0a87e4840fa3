import type { ModuleInterface } from '../llvm/module-interface.js';
import { MaterializationUnit, ObjectPart, type ObjectSource } from '../session/materialization-unit.js';
import type { IRPipeline } from './ir-pipeline.js';
import type { KeptObjects } from './kept-objects.js';
import { type ObjectSlice, splitObject } from './split-object.js';

/**
 * A unit of a whole module: compiled at the first call of any of its functions, in one go; then split, so that each
 * function is linked at its own first call.
 */
export function moduleUnit(
  pipeline: IRPipeline,
  name: string,
  bitcode: Uint8Array,
  defines: ModuleInterface,
  kept?: KeptObjects,
): MaterializationUnit {
  const key = () => kept?.key((keys) => keys.ofModule(bitcode, pipeline.codegen));
  const source: ObjectSource = {
    kind: 'module',
    findKept: (unit) => {
      const slices = kept?.find(key(), name);
      return slices && partsOf(slices, unit);
    },
    compile: () => pipeline.compileBitcode(name, bitcode),
    split: (object, unit) => {
      const slices = splitObject(object, name);
      kept?.keep(key(), slices);
      return partsOf(slices, unit);
    },
  };
  const functions = new Set(defines.functions.keys());
  return new MaterializationUnit(name, source, { functions, data: defines.data });
}

function partsOf(slices: readonly ObjectSlice[], unit: MaterializationUnit): ReadonlyMap<string, ObjectPart> {
  const parts = new Map<string, ObjectPart>();
  for (const slice of slices) {
    const part = new ObjectPart(unit, () => slice.takeGraph());
    for (const symbol of slice.symbols) parts.set(symbol, part);
  }
  return parts;
}
