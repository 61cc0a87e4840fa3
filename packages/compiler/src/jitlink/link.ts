import type { MemProt, Segment } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { type FrameSection, frameSections, terminateEHFrame } from './eh-frame.js';
import { missingSymbolsError } from './errors.js';
import { type AllocationRequest, layOut, placeSegment, type SegmentLayout } from './layout.js';
import type { LinkGraph } from './link-graph.js';
import { prune } from './prune.js';

/** A function on a graph. */
export type LinkGraphPass = (graph: LinkGraph) => void;

/** What the linker asks of its surroundings. */
export interface LinkContext {
  /**
   * Reserves executor memory, one range per request and none when there are none. Ranges of one call are within
   * 2 GiB of each other.
   */
  allocate(requests: readonly AllocationRequest[]): readonly ExecutorAddr[];
  /** Gives back what `allocate` gave, when the link fails after it. */
  deallocate(addresses: readonly ExecutorAddr[]): void;
  /**
   * Resolves external names. Called exactly once per link, after `allocate`, with all names; also when there are
   * none, so that links can wait for each other here. A name that nobody defines is absent from the map.
   */
  lookup(names: readonly string[]): Promise<ReadonlyMap<string, ExecutorAddr>>;
  /**
   * Told the addresses of the graph's symbols as soon as they are known, before `lookup`: graphs that are linked at
   * the same time can refer to each other.
   */
  notifyResolved?(symbols: ReadonlyMap<string, LinkedSymbol>): void;
  readonly passes?: {
    /** On the graph as the object has it: before dead-stripping, so that passes may mark and rename symbols. */
    readonly prePrune?: readonly LinkGraphPass[];
    /** After dead-stripping, before the GOT and the stubs are built. */
    readonly postPrune?: readonly LinkGraphPass[];
    /** On the finished working memory. */
    readonly postFixup?: readonly LinkGraphPass[];
  };
}

/** A definition that others may refer to. */
export interface LinkedSymbol {
  readonly address: ExecutorAddr;
  /** 0 when unknown. */
  readonly sizeBytes: number;
  /** True for a function. */
  readonly callable: boolean;
}

/** A graph that needs nothing but to be written to the executor. */
export interface LinkedGraph {
  /** At most one per `MemProt`. */
  readonly segments: Segment[];
  /** Definitions that are not local, by name. */
  readonly symbols: ReadonlyMap<string, LinkedSymbol>;
  /** Every function that has a name, those that only the graph itself knows too: for backtraces. */
  readonly functions: readonly {
    readonly name: string;
    readonly address: ExecutorAddr;
    readonly sizeBytes: number;
  }[];
  /** NUL-terminated `.eh_frame` sections, for `__register_frame`. */
  readonly ehFrames: FrameSection[];
  /** What `allocate` gave and for what. */
  readonly allocations: readonly {
    readonly address: ExecutorAddr;
    readonly sizeBytes: number;
    readonly prot: MemProt;
  }[];
}

/**
 * Links a graph. Nothing is written to the executor. The graph is used up.
 *
 * @throws {LinkError} when names are missing, a value does not fit, or the graph is too large; allocated memory has
 * been given back. What `allocate`, `lookup` and passes throw comes through.
 */
export async function link(graph: LinkGraph, context: LinkContext): Promise<LinkedGraph> {
  const { architecture } = graph;
  runPasses(graph, context.passes?.prePrune);
  prune(graph);
  runPasses(graph, context.passes?.postPrune);
  architecture.buildGOTAndStubs(graph);
  terminateEHFrame(graph);

  const layouts = layOut(graph);
  const addresses = layouts.length === 0 ? [] : context.allocate(layouts.map(requestOf));
  try {
    const segments = placeSegments(graph, layouts, addresses);
    const symbols = linkedSymbols(graph);
    context.notifyResolved?.(symbols);
    await resolveExternals(graph, context);
    architecture.relax(graph);
    for (const section of graph.sections)
      for (const block of section.blocks) architecture.applyFixups(graph, block);
    runPasses(graph, context.passes?.postFixup);
    const allocations = segments.map(({ address, memoryBytes, prot }) => ({
      address,
      sizeBytes: memoryBytes,
      prot,
    }));
    return {
      segments,
      symbols,
      functions: functionsOf(graph),
      ehFrames: frameSections(graph),
      allocations,
    };
  } catch (error) {
    if (addresses.length > 0) context.deallocate(addresses);
    throw error;
  }
}

function runPasses(graph: LinkGraph, passes: readonly LinkGraphPass[] | undefined): void {
  if (passes) for (const pass of passes) pass(graph);
}

function requestOf({ prot, sizeBytes, alignment }: SegmentLayout): AllocationRequest {
  return { prot, sizeBytes, alignment };
}

function placeSegments(
  graph: LinkGraph,
  layouts: readonly SegmentLayout[],
  addresses: readonly ExecutorAddr[],
): Segment[] {
  return layouts.map((layout, i) => {
    const address = addresses[i];
    if (address === undefined)
      throw new Error(`allocate gave ${addresses.length} of ${layouts.length} ranges`);
    return placeSegment(graph, layout, address);
  });
}

function linkedSymbols(graph: LinkGraph): Map<string, LinkedSymbol> {
  const symbols = new Map<string, LinkedSymbol>();
  for (const { name, kind, scope, address, sizeBytes, callable } of graph.symbols)
    if (kind !== 'external' && scope !== 'local') symbols.set(name, { address, sizeBytes, callable });
  return symbols;
}

function functionsOf(graph: LinkGraph): LinkedGraph['functions'] {
  return graph.symbols
    .filter(({ name, kind, callable }) => callable && name !== '' && kind !== 'external')
    .map(({ name, address, sizeBytes }) => ({ name, address, sizeBytes }));
}

async function resolveExternals(graph: LinkGraph, context: LinkContext): Promise<void> {
  const externals = graph.symbols.filter(({ kind }) => kind === 'external');
  const names = [...new Set(externals.map(({ name }) => name))];
  const found = await context.lookup(names);
  const missing = new Set<string>();
  for (const symbol of externals) {
    const address = found.get(symbol.name);
    if (address !== undefined) symbol.resolve(address);
    // A weak reference is null when nobody defines it.
    else if (symbol.linkage === 'strong') missing.add(symbol.name);
  }
  if (missing.size > 0) throw missingSymbolsError(graph.name, [...missing]);
}
