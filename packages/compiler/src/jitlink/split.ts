import { LinkError } from './errors.js';
import { Block, Edge, KEEP_ALIVE, LinkGraph, LinkSymbol } from './link-graph.js';

/**
 * Following blocks that are copied may take so many steps for each edge of the graph. A CIE and the pointer to the
 * personality routine that it leads to make two for each function; only in a hostile object do such blocks form chains,
 * which would be copied into every graph.
 */
const MAX_STEPS_PER_EDGE = 8;
/** What a small graph may take in any case. */
const MIN_STEPS = 10_000;

/**
 * Splits a graph into graphs that are linked, replaced and freed singly: as a rule one per function and one per
 * section of data, when each function has a section of its own. The given graph stays as it is.
 *
 * - Blocks that reach each other through symbols without a public name stay together: a function with its
 *   `.eh_frame` record, its exception table, its jump tables, and whatever else refers to the same local data.
 * - Names that are not local are shared: one graph defines them, the others refer to them as externals. So is writable data
 *   that only this object can name: it is under names that nobody else has, and stays where it is when a function that
 *   uses it is linked again.
 * - Mergeable constants and CIEs are copied into each graph that uses them.
 * - What no graph has a reason to keep (a root, or a public name) is left out.
 *
 * @throws {LinkError} when copies would be out of proportion to the graph.
 */
export function splitGraph(graph: LinkGraph): LinkGraph[] {
  const copied = findCopiedBlocks(graph);
  const places = numberBlocks(graph);
  const components = findComponents(graph, copied);
  const symbolsOf = groupSymbols(graph, components);
  const ownData = nameOwnData(graph);
  const graphs: LinkGraph[] = [];
  for (const [component, blocks] of groupBlocks(graph, components)) {
    const symbols = symbolsOf.get(component) ?? [];
    const isKept = (symbol: LinkSymbol) => symbol.live || ownData.has(symbol);
    if (!blocks.some((block) => block.live) && !symbols.some(isKept)) continue;
    const title = symbols.find((symbol) => symbol.scope !== 'local') ?? symbols[0];
    graphs.push(
      new GraphCopier(graph, title?.name ?? '', component, components, places, ownData).copy(blocks, symbols),
    );
  }
  const absolutes = graph.symbols.filter(({ kind, scope }) => kind === 'absolute' && scope !== 'local');
  if (absolutes.length > 0)
    graphs.push(new GraphCopier(graph, 'absolute', -1, components, places, ownData).copy([], absolutes));
  return graphs;
}

/** Place of each block in its object. */
function numberBlocks(graph: LinkGraph): Map<Block, number> {
  const places = new Map<Block, number>();
  for (const section of graph.sections) for (const block of section.blocks) places.set(block, places.size);
  return places;
}

/** Mergeable blocks, save those that others can find by name: a name has one place. */
function findCopiedBlocks(graph: LinkGraph): Set<Block> {
  const copied = new Set<Block>();
  for (const section of graph.sections)
    for (const block of section.blocks) if (block.mergeable) copied.add(block);
  for (const { block, scope } of graph.symbols) if (block && scope !== 'local') copied.delete(block);
  return copied;
}

/** Whether another graph can refer to the symbol by its name, or by one that it is given. */
function isShared(symbol: LinkSymbol): boolean {
  return (symbol.scope !== 'local' && symbol.name !== '') || isOwnData(symbol);
}

/** Whether a symbol is of writable data, and no other object can name it. */
function isOwnData({ scope, block }: LinkSymbol): boolean {
  return scope === 'local' && block?.section.prot === 'data' && !block.mergeable;
}

/** Names for data that only its object can name, the same each time that the object is split. */
function nameOwnData(graph: LinkGraph): Map<LinkSymbol, string> {
  const names = new Map<LinkSymbol, string>();
  for (const [index, symbol] of graph.symbols.entries())
    if (isOwnData(symbol)) names.set(symbol, `${symbol.name || symbol.block?.section.name}#${index}`);
  return names;
}

/** Component number of each block that is not copied. */
function findComponents(graph: LinkGraph, copied: ReadonlySet<Block>): Map<Block, number> {
  const components = new Map<Block, number>();
  const parents: number[] = [];
  for (const section of graph.sections)
    for (const block of section.blocks)
      if (!copied.has(block)) {
        components.set(block, parents.length);
        parents.push(parents.length);
      }

  const find = (start: number): number => {
    let at = start;
    for (let parent = parents[at] ?? at; parent !== at; parent = parents[at] ?? at) {
      parents[at] = parents[parent] ?? parent;
      at = parent;
    }
    return at;
  };
  const unite = (id: number, block: Block): void => {
    const other = components.get(block);
    if (other !== undefined) {
      // The older block leads, so that graphs come in the order of the object.
      const [a, b] = [find(id), find(other)];
      if (a !== b) parents[Math.max(a, b)] = Math.min(a, b);
    }
  };
  const walk = new CopyWalk(graph, copied);
  for (const [block, id] of components) for (const target of walk.privateTargets(block)) unite(id, target);
  for (const [block, id] of components) components.set(block, find(id));
  return components;
}

/** Follows edges through blocks that are copied; what it walks is what will be copied. */
class CopyWalk {
  readonly #graph: LinkGraph;
  readonly #copied: ReadonlySet<Block>;
  #stepsLeft: number;

  constructor(graph: LinkGraph, copied: ReadonlySet<Block>) {
    this.#graph = graph;
    this.#copied = copied;
    let edgeCount = 0;
    for (const section of graph.sections) for (const { edges } of section.blocks) edgeCount += edges.length;
    this.#stepsLeft = Math.max(edgeCount * MAX_STEPS_PER_EDGE, MIN_STEPS);
  }

  /** Blocks that must be in the same graph as `block`, also by way of blocks that are copied along with it. */
  privateTargets(block: Block): Block[] {
    const targets: Block[] = [];
    const visited = new Set<Block>();
    const worklist = [block];
    for (let next = worklist.pop(); next; next = worklist.pop()) {
      this.#stepsLeft -= next.edges.length;
      if (this.#stepsLeft < 0)
        throw new LinkError(
          'too-large',
          { graph: this.#graph.name },
          'each of its functions would need copies of too many mergeable blocks',
        );
      for (const { target } of next.edges) {
        if (!target.block || isShared(target)) continue;
        if (!this.#copied.has(target.block)) targets.push(target.block);
        else if (target.block.edges.length > 0 && !visited.has(target.block)) {
          visited.add(target.block);
          worklist.push(target.block);
        }
      }
    }
    return targets;
  }
}

function groupBlocks(graph: LinkGraph, components: ReadonlyMap<Block, number>): Map<number, Block[]> {
  const groups = new Map<number, Block[]>();
  for (const section of graph.sections)
    for (const block of section.blocks) addTo(groups, components.get(block), block);
  return groups;
}

function groupSymbols(graph: LinkGraph, components: ReadonlyMap<Block, number>): Map<number, LinkSymbol[]> {
  const groups = new Map<number, LinkSymbol[]>();
  for (const symbol of graph.symbols) if (symbol.block) addTo(groups, components.get(symbol.block), symbol);
  return groups;
}

function addTo<T>(groups: Map<number, T[]>, key: number | undefined, value: T): void {
  if (key === undefined) return;
  const group = groups.get(key);
  if (group) group.push(value);
  else groups.set(key, [value]);
}

/** Copies one component, and what is copied along with it, into a graph of its own. */
class GraphCopier {
  readonly #source: LinkGraph;
  readonly #component: number;
  readonly #components: ReadonlyMap<Block, number>;
  readonly #places: ReadonlyMap<Block, number>;
  /** Names of data that only the source can name. */
  readonly #ownData: ReadonlyMap<LinkSymbol, string>;
  readonly #graph: LinkGraph;
  readonly #blocks = new Map<Block, Block>();
  /** Blocks whose edges are still to be copied: a chain of references may be far longer than the stack is deep. */
  readonly #pending: Block[] = [];
  readonly #symbols = new Map<LinkSymbol, LinkSymbol>();
  readonly #externals = new Map<string, LinkSymbol>();

  constructor(
    source: LinkGraph,
    title: string,
    component: number,
    components: ReadonlyMap<Block, number>,
    places: ReadonlyMap<Block, number>,
    ownData: ReadonlyMap<LinkSymbol, string>,
  ) {
    this.#source = source;
    this.#component = component;
    this.#components = components;
    this.#places = places;
    this.#ownData = ownData;
    this.#graph = new LinkGraph(title ? `${source.name}(${title})` : source.name, source.architecture);
  }

  copy(blocks: readonly Block[], symbols: readonly LinkSymbol[]): LinkGraph {
    if (this.#source.gotSymbol) this.#graph.gotSymbol = this.#symbol(this.#source.gotSymbol);
    for (const block of blocks) this.#block(block);
    for (const symbol of symbols) {
      // An absolute symbol is copied as a value wherever it is used; here it is defined.
      const copy = this.#symbol(symbol);
      copy.scope = this.#ownData.has(symbol) ? 'hidden' : symbol.scope;
      copy.live = symbol.live || this.#ownData.has(symbol);
    }
    for (let source = this.#pending.pop(); source; source = this.#pending.pop()) this.#copyEdges(source);
    this.#placeBlocks();
    return this.#graph;
  }

  #copyEdges(source: Block): void {
    const block = this.#block(source);
    for (const { kind, offset, target, addend } of source.edges) {
      const copy = this.#symbol(target);
      if (kind !== KEEP_ALIVE || copy.kind === 'defined')
        block.edges.push(new Edge(kind, offset, copy, addend));
    }
  }

  /** In the order of the object, in which a CIE precedes its FDEs. */
  #placeBlocks(): void {
    const place = (source: Block): number => this.#places.get(source) ?? 0;
    const inOrder = [...this.#blocks].sort(([a], [b]) => place(a) - place(b));
    for (const [, block] of inOrder) block.section.blocks.push(block);
  }

  #block(source: Block): Block {
    const done = this.#blocks.get(source);
    if (done) return done;
    const section = this.#graph.section(source.section.name, source.section.prot);
    section.alignment = Math.max(section.alignment, source.section.alignment);
    const block = new Block(section, source.content, source.sizeBytes, source);
    block.live = source.live;
    this.#blocks.set(source, block);
    this.#pending.push(source);
    return block;
  }

  #symbol(source: LinkSymbol): LinkSymbol {
    let copy = this.#symbols.get(source);
    if (!copy) {
      copy = this.#makeSymbol(source);
      this.#symbols.set(source, copy);
    }
    return copy;
  }

  #makeSymbol(source: LinkSymbol): LinkSymbol {
    const { kind, block, linkage, scope, sizeBytes, callable, threadLocal } = source;
    const name = this.#ownData.get(source) ?? source.name;
    if (source === this.#source.gotSymbol) return new LinkSymbol({ name, kind, scope, linkage });
    if (kind === 'external') return this.#external(name, threadLocal, linkage);
    if (kind === 'absolute')
      return this.#graph.addSymbol(
        new LinkSymbol({ name, kind, address: source.address, sizeBytes, linkage, callable, threadLocal }),
      );
    if (!block) throw new Error(`"${name}" is defined nowhere`);
    const component = this.#components.get(block);
    if (component !== undefined && component !== this.#component)
      return this.#external(name, threadLocal, 'strong');
    const { offset, live } = source;
    const copy = new LinkSymbol({ name, kind, offset, sizeBytes, linkage, scope, callable, live });
    copy.define(this.#block(block), offset);
    return this.#graph.addSymbol(copy);
  }

  #external(name: string, threadLocal: boolean, linkage: LinkSymbol['linkage']): LinkSymbol {
    let symbol = this.#externals.get(name);
    if (!symbol) {
      symbol = this.#graph.addSymbol(
        new LinkSymbol({ name, kind: 'external', linkage, scope: 'default', threadLocal }),
      );
      this.#externals.set(name, symbol);
    } else if (linkage === 'strong') symbol.linkage = 'strong';
    return symbol;
  }
}
