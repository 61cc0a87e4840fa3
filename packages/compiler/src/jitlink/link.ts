import type { Segment } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { type FrameSection, frameSections, terminateEHFrame } from './eh-frame.js';
import { missingSymbolsError } from './errors.js';
import { type AllocationRequest, layOut, placeSegment, type SegmentLayout } from './layout.js';
import type { LinkGraph, LinkSymbol, SectionProt, ThreadIndex } from './link-graph.js';
import { displayName } from './local-names.js';
import { prune } from './prune.js';

/** A function on a graph. */
export type LinkGraphPass = (graph: LinkGraph) => void;

/** What thread-local variables are bound by. */
export interface FinishOptions {
  /** As `LinkGraph.threadPointer`; not given where there is no room for thread-local variables. */
  readonly threadPointer?: ExecutorAddr | undefined;
  /** Where libraries have those that are `inLibrary`. */
  readonly threadIndexOf?: (name: string) => ThreadIndex | undefined;
}

/** What the linker asks of its surroundings. */
export interface LinkContext extends FinishOptions {
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
  /** At most one per `MemProt`, one per linker set, and the image of thread-local variables. */
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
    readonly prot: SectionProt;
  }[];
}

/**
 * A graph on its way, for those who have to look around between its steps: what it refers to is known from the start, it
 * is placed, it is finished. Each step is made once and none of them waits for anything.
 */
export class GraphLink {
  readonly graph: LinkGraph;
  /** Names it refers to and does not define, each once. */
  readonly externalNames: readonly string[];
  /** Those of them that are bound to 0 when nobody defines them. */
  readonly weakNames: ReadonlySet<string>;
  /** Those that are accessed as thread-local variables. */
  readonly threadLocalNames: ReadonlySet<string>;
  readonly #postFixup: readonly LinkGraphPass[] | undefined;
  #layouts: SegmentLayout[] | undefined;
  #segments: Segment[] = [];
  #allocations: LinkedGraph['allocations'] = [];
  #symbols: ReadonlyMap<string, LinkedSymbol> = new Map();

  /**
   * Dead-strips the graph, and builds its GOT and stubs.
   * @param isNear whether an external name will be bound to what a direct call reaches from all places that the graph may get.
   * @throws {LinkError} as `Architecture.buildGOTAndStubs`.
   */
  constructor(graph: LinkGraph, passes: LinkContext['passes'] = {}, isNear?: (name: string) => boolean) {
    runPasses(graph, passes.prePrune);
    prune(graph);
    runPasses(graph, passes.postPrune);
    if (isNear)
      for (const symbol of graph.symbols) if (symbol.kind === 'external') symbol.near = isNear(symbol.name);
    graph.architecture.buildGOTAndStubs(graph);
    terminateEHFrame(graph);
    this.graph = graph;
    const externals = externalsOf(graph);
    this.externalNames = distinctNames(externals);
    this.weakNames = namesOf(externals, ({ linkage }) => linkage === 'weak');
    this.threadLocalNames = namesOf(externals, ({ threadLocal }) => threadLocal);
    this.#postFixup = passes.postFixup;
  }

  /** What it is to be placed as. @throws {LinkError} when it is too large. */
  get layouts(): readonly SegmentLayout[] {
    this.#layouts ??= layOut(this.graph);
    return this.#layouts;
  }

  /**
   * Gives the graph its place.
   * @returns its definitions, as `LinkedGraph.symbols`.
   * @throws {LinkError} when it is too large, or `allocate` gave what is not aligned; and what `allocate` throws.
   */
  place(allocate: LinkContext['allocate']): ReadonlyMap<string, LinkedSymbol> {
    const { layouts } = this;
    const addresses = layouts.length === 0 ? [] : allocate(layouts.map(requestOf));
    this.#segments = placeSegments(this.graph, layouts, addresses);
    this.#allocations = this.#segments.map(({ address, memoryBytes }, index) => ({
      address,
      sizeBytes: memoryBytes,
      prot: layouts[index]?.prot ?? 'constant',
    }));
    this.#symbols = linkedSymbols(this.graph);
    return this.#symbols;
  }

  /**
   * @throws {LinkError} when names are missing, or a value does not fit.
   */
  finish(
    found: ReadonlyMap<string, ExecutorAddr>,
    { threadPointer, threadIndexOf = () => undefined }: FinishOptions = {},
  ): LinkedGraph {
    const { graph } = this;
    graph.threadPointer = threadPointer ?? null;
    for (const symbol of graph.symbols)
      if (symbol.inLibrary) symbol.threadIndex = threadIndexOf(symbol.name) ?? null;
    resolveExternals(graph, found);
    graph.architecture.relax(graph);
    for (const section of graph.sections)
      for (const block of section.blocks) graph.architecture.applyFixups(graph, block);
    runPasses(graph, this.#postFixup);
    return {
      segments: this.#segments,
      symbols: this.#symbols,
      functions: functionsOf(graph),
      ehFrames: frameSections(graph),
      allocations: this.#allocations,
    };
  }
}

/**
 * Links a graph. Nothing is written to the executor. The graph is used up.
 *
 * @throws {LinkError} when names are missing, a value does not fit, or the graph is too large; allocated memory has
 * been given back. What `allocate`, `lookup` and passes throw comes through.
 */
export async function link(graph: LinkGraph, context: LinkContext): Promise<LinkedGraph> {
  const linking = new GraphLink(graph, context.passes);
  let addresses: readonly ExecutorAddr[] = [];
  try {
    const symbols = linking.place((requests) => {
      addresses = context.allocate(requests);
      return addresses;
    });
    context.notifyResolved?.(symbols);
    return linking.finish(await context.lookup(linking.externalNames), context);
  } catch (error) {
    if (addresses.length > 0) context.deallocate(addresses);
    throw error;
  }
}

function runPasses(graph: LinkGraph, passes: readonly LinkGraphPass[] | undefined): void {
  if (passes) for (const pass of passes) pass(graph);
}

function requestOf({ prot, sizeBytes, alignment, set }: SegmentLayout): AllocationRequest {
  return { prot, sizeBytes, alignment, ...(set !== undefined && { set }) };
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
  for (const symbol of graph.symbols) {
    const { name, kind, scope, sizeBytes, callable } = symbol;
    if (kind !== 'external' && scope !== 'local')
      symbols.set(name, { address: symbol.address, sizeBytes, callable });
  }
  return symbols;
}

function functionsOf(graph: LinkGraph): LinkedGraph['functions'] {
  const functions: { name: string; address: ExecutorAddr; sizeBytes: number }[] = [];
  for (const symbol of graph.symbols) {
    const { name, kind, callable, sizeBytes } = symbol;
    if (callable && name !== '' && kind !== 'external')
      functions.push({ name: displayName(name), address: symbol.address, sizeBytes });
  }
  return functions;
}

function externalsOf(graph: LinkGraph): LinkSymbol[] {
  return graph.symbols.filter(({ kind }) => kind === 'external');
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** Names of those of a graph's externals that are so: mostly none. */
function namesOf(
  externals: readonly LinkSymbol[],
  isSo: (symbol: LinkSymbol) => boolean,
): ReadonlySet<string> {
  return externals.some(isSo) ? new Set(externals.filter(isSo).map(({ name }) => name)) : NO_NAMES;
}

function distinctNames(externals: readonly LinkSymbol[]): readonly string[] {
  const names = externals.map(({ name }) => name);
  return names.length < 2 ? names : [...new Set(names)];
}

function resolveExternals(graph: LinkGraph, found: ReadonlyMap<string, ExecutorAddr>): void {
  let missing: Set<string> | undefined;
  for (const symbol of graph.symbols) {
    if (symbol.kind !== 'external') continue;
    const address = found.get(symbol.name);
    if (address !== undefined) symbol.resolve(address);
    else if (symbol.threadIndex !== null) continue;
    // A weak reference is null when nobody defines it.
    else if (symbol.linkage === 'strong') {
      missing ??= new Set();
      missing.add(symbol.name);
    }
  }
  if (missing) throw missingSymbolsError(graph.name, [...missing]);
}
