import { functionAliases } from '../../core/function-aliases.js';
import {
  type MaterializationUnit,
  ObjectPart,
  type PartDescription,
  type PartsByName,
} from '../../core/materialization-unit.js';
import type { LinkGraph } from '../../jitlink/link-graph.js';
import { qualifyLocal } from '../../jitlink/local-names.js';
import type { ObjectSlice } from '../../jitlink/object-slice.js';

/** The parts that slices become, by the names that lead to each. */
export function partsOf(slices: readonly ObjectSlice[], unit: MaterializationUnit): PartsByName {
  const parts = new Map<string, ObjectPart>();
  const places: string[][] = [];
  for (const slice of slices) {
    const description = new SliceDescription(slice, unit);
    const part = new ObjectPart(unit, () => named(slice.takeGraph(), unit), { description });
    for (const symbol of slice.symbols) parts.set(qualifyLocal(symbol, unit.number), part);
    for (const names of slice.mixedPlaces) places.push(names.map((name) => qualifyLocal(name, unit.number)));
  }
  if (places.length > 0) unit.aliases = new Map([...unit.aliases, ...functionAliases(places, unit.symbols)]);
  return parts;
}

/** Asked of few of the parts, and not known before their graphs are made. */
class SliceDescription implements PartDescription {
  readonly #slice: ObjectSlice;
  readonly #unit: MaterializationUnit;
  #references: readonly string[] | undefined;

  constructor(slice: ObjectSlice, unit: MaterializationUnit) {
    this.#slice = slice;
    this.#unit = unit;
  }

  get references(): readonly string[] {
    this.#references ??= this.#slice.references.map((name) => qualifyLocal(name, this.#unit.number));
    return this.#references;
  }

  get sizeBytes(): number {
    return this.#slice.sizeBytes;
  }
}

/** With names that mean the same in the whole session. */
function named(graph: LinkGraph, unit: MaterializationUnit): LinkGraph {
  for (const symbol of graph.symbols) symbol.name = qualifyLocal(symbol.name, unit.number);
  return graph;
}
