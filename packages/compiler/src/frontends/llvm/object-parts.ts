import { type MaterializationUnit, ObjectPart, type PartsByName } from '../../core/materialization-unit.js';
import type { LinkGraph } from '../../jitlink/link-graph.js';
import { qualifyLocal } from '../../jitlink/local-names.js';
import type { ObjectSlice } from '../../jitlink/object-slice.js';

/** The parts that slices become, by the names that lead to each. */
export function partsOf(slices: readonly ObjectSlice[], unit: MaterializationUnit): PartsByName {
  const parts = new Map<string, ObjectPart>();
  for (const slice of slices) {
    const own = (name: string) => qualifyLocal(name, unit.number);
    const part = new ObjectPart(unit, () => named(slice.takeGraph(), own), {
      references: slice.references.map(own),
    });
    for (const symbol of slice.symbols) parts.set(own(symbol), part);
  }
  return parts;
}

function named(graph: LinkGraph, own: (name: string) => string): LinkGraph {
  for (const symbol of graph.symbols) symbol.name = own(symbol.name);
  return graph;
}
