import { type MaterializationUnit, ObjectPart, type PartsByName } from '../../core/materialization-unit.js';
import type { ObjectSlice } from '../../jitlink/object-slice.js';

/** The parts that slices become, by the names that lead to each. */
export function partsOf(slices: readonly ObjectSlice[], unit: MaterializationUnit): PartsByName {
  const parts = new Map<string, ObjectPart>();
  for (const slice of slices) {
    const part = new ObjectPart(unit, () => slice.takeGraph(), { references: slice.references });
    for (const symbol of slice.symbols) parts.set(symbol, part);
  }
  return parts;
}
