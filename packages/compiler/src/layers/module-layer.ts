import type { ModuleInterface } from '../llvm/module-interface.js';
import { MaterializationUnit, ObjectPart, type ObjectSource } from '../session/materialization-unit.js';
import type { IRPipeline } from './ir-pipeline.js';
import { splitObject } from './split-object.js';

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
  const parts = new Map<string, ObjectPart>();
  for (const { symbols, takeGraph } of splitObject(object, name)) {
    const part = new ObjectPart(unit, takeGraph);
    for (const symbol of symbols) parts.set(symbol, part);
  }
  return parts;
}
