import { type BuildLinkGraphOptions, ElfLinkGraphBuilder } from './elf-link-graph-builder.js';
import { ElfObject } from './elf-object.js';
import { EM_X86_64, elfX86_64 } from './elf-x86_64.js';
import type { LinkGraph } from './link-graph.js';

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
  switch (file.machine) {
    case EM_X86_64:
      return new ElfLinkGraphBuilder(file, elfX86_64, options).build();
    default:
      throw file.unsupported(`there is no linker for ELF machine ${file.machine}`);
  }
}
