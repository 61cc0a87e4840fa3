import type { Segment } from '@farjit/protocol';
import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import { type LinkContext, type LinkedGraph, link } from '../../src/jitlink/link.js';
import type { LinkGraph, SectionProt } from '../../src/jitlink/link-graph.js';

/** Where test segments go: as a session's slab, within 2 GiB of each other and above what fits 32 bits. */
export const BASES: Readonly<Record<SectionProt, bigint>> = {
  code: 0x7f00_1000_0000n,
  constant: 0x7f00_1010_0000n,
  data: 0x7f00_1020_0000n,
  thread: 0x7f00_1030_0000n,
};

/** Where the thread pointer would be if the images were the thread's copies. */
export const THREAD_POINTER = 0x7f00_1031_0000n;

/** Where segments go, and the thread pointer; what is not given is as usual. */
type Bases = Readonly<Partial<Record<SectionProt | 'threadPointer', bigint>>>;

/** A placed section of a linked graph. */
export interface PlacedSection {
  readonly address: ExecutorAddr;
  readonly content: Uint8Array;
  readonly sizeBytes: number;
}

/** Result of `linkAt`, with a look inside. */
export interface Linked extends LinkedGraph {
  readonly graph: LinkGraph;
  /** From the first block of a section to the end of its last one. */
  section(name: string): PlacedSection;
  readonly sectionNames: readonly string[];
  /** Address of a public definition. */
  addressOf(name: string): bigint;
}

/** A context that allocates at fixed bases and knows the given names. */
export function contextAt(
  names: Readonly<Record<string, bigint>> = {},
  bases: Bases = BASES,
): LinkContext & { readonly deallocated: ExecutorAddr[]; readonly lookups: string[][] } {
  const deallocated: ExecutorAddr[] = [];
  const lookups: string[][] = [];
  return {
    deallocated,
    lookups,
    threadPointer: toExecutorAddr(bases.threadPointer ?? THREAD_POINTER),
    allocate: (requests) => requests.map(({ prot }) => toExecutorAddr(bases[prot] ?? BASES[prot])),
    deallocate: (addresses) => {
      deallocated.push(...addresses);
    },
    lookup: async (wanted) => {
      lookups.push([...wanted]);
      const found = new Map<string, ExecutorAddr>();
      for (const name of wanted) {
        const address = names[name];
        if (address !== undefined) found.set(name, toExecutorAddr(address));
      }
      return found;
    },
  };
}

/** Links a graph at the test's addresses. */
export async function linkAt(
  graph: LinkGraph,
  names: Readonly<Record<string, bigint>> = {},
  bases: Bases = BASES,
): Promise<Linked> {
  const linked = await link(graph, contextAt(names, bases));
  const section = (name: string): PlacedSection => {
    const blocks = graph.findSection(name)?.blocks ?? [];
    const first = blocks[0];
    const last = blocks.at(-1);
    if (!first || !last) throw new Error(`${graph.name} has no ${name}`);
    const { address } = first;
    const sizeBytes = Number(last.address - address) + last.sizeBytes;
    const isInside = (segment: Segment) =>
      address >= segment.address && address - segment.address <= segment.memoryBytes;
    const segment = linked.segments.find(isInside);
    if (!segment) throw new Error(`${name} is in no segment`);
    const offset = Number(address - segment.address);
    return { address, sizeBytes, content: segment.content.subarray(offset, offset + sizeBytes) };
  };
  const sectionNames = graph.sections.filter(({ blocks }) => blocks.length > 0).map(({ name }) => name);
  const addressOf = (name: string): bigint => {
    const symbol = linked.symbols.get(name);
    if (!symbol) throw new Error(`${graph.name} does not define ${name}`);
    return symbol.address;
  };
  return { ...linked, graph, section, sectionNames, addressOf };
}

export function hex(content: Uint8Array): string {
  return Buffer.from(content).toString('hex');
}
