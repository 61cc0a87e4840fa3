import { type MaterializationUnit, ObjectPart, type PartsByName } from '../../core/materialization-unit.js';
import { LinkError } from '../../jitlink/errors.js';
import type { LinkGraph } from '../../jitlink/link-graph.js';
import { type ObjectSlice, splitObject } from '../../jitlink/object-slice.js';

/** What a section is called whose contents are called when a program starts or ends. */
const RUN_SECTION = /^\.((pre)?init_array|fini_array|ctors|dtors)/;

/**
 * Splits an object into what is linked singly. Module assembly and objects can ask for what no interface shows.
 * @param graph the object's, if it has been built; it is used up.
 * @throws {LinkError} `unsupported` for functions to run at the start or the end: nobody would run them.
 */
export function takeApart(object: Uint8Array, name: string, graph?: LinkGraph): ObjectSlice[] {
  const slices = splitObject(object, name, graph);
  const section = slices.flatMap(({ sections }) => sections).find((title) => RUN_SECTION.test(title));
  if (section !== undefined)
    throw new LinkError(
      'unsupported',
      { graph: name, section },
      'functions to run at the start or the end of a program are not supported',
    );
  return slices;
}

/** The parts that slices become, by the names that lead to each. */
export function partsOf(slices: readonly ObjectSlice[], unit: MaterializationUnit): PartsByName {
  const parts = new Map<string, ObjectPart>();
  for (const slice of slices) {
    const part = new ObjectPart(unit, () => slice.takeGraph(), { references: slice.references });
    for (const symbol of slice.symbols) parts.set(symbol, part);
  }
  return parts;
}
