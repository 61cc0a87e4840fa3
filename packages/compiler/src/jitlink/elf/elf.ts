import type { LinkGraph } from '../link-graph.js';
import { MACHINES } from '../machines.js';
import { type BuildLinkGraphOptions, ElfLinkGraphBuilder } from './link-graph-builder.js';
import { ElfObject } from './object.js';

/** `e_machine` of what people may mistake for their own, in words. */
const MACHINE_NAMES: ReadonlyMap<number, string> = new Map([
  [3, 'i386'],
  [20, 'PowerPC'],
  [21, 'PowerPC64'],
  [22, 's390'],
  [40, 'Arm'],
  [183, 'AArch64'],
  [243, 'RISC-V'],
  [258, 'LoongArch'],
]);

/**
 * Reads a relocatable ELF object, as compilers emit it, position-independent or static, into a graph. The graph keeps
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
  if (!backend) {
    const machine = MACHINE_NAMES.get(file.machine);
    throw file.unsupported(
      `there is no linker for ELF machine ${file.machine}${machine === undefined ? '' : ` (${machine})`}`,
    );
  }
  return new ElfLinkGraphBuilder(file, backend, options).build();
}
