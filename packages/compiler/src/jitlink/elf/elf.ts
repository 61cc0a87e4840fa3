import type { LinkGraph } from '../link-graph.js';
import { MACHINES } from '../machines.js';
import { type BuildLinkGraphOptions, ElfLinkGraphBuilder } from './link-graph-builder.js';
import { ElfObject } from './object.js';

/**
 * Reads a relocatable ELF object, as LLVM's small code models emit it (PIC or static), into a graph. The graph keeps
 * views into `object`, which has to stay as it is until the graph is linked.
 *
 * @param name of the graph: it leads every error message.
 * @throws {LinkError} when the object is malformed, for another machine, or uses what is not supported.
 */
export function buildLinkGraph(
  object: Uint8Array,
  name: string,
  options: BuildLinkGraphOptions = {},
): LinkGraph {
  const file = new ElfObject(name, object);
  const backend = MACHINES.get(file.machine);
  if (!backend) throw file.unsupported(`there is no linker for ELF machine ${file.machine}`);
  return new ElfLinkGraphBuilder(file, backend, options).build();
}
