import { LinkError } from './errors.js';
import { Block, Edge, KEEP_ALIVE, LinkGraph, LinkSymbol } from './link-graph.js';
import { type FunctionReference, LocalIdentities, LocalNames } from './local-identities.js';
import { implementationOfLocal } from './local-names.js';

/**
 * Following blocks that are copied may take so many steps for each edge of the graph. A CIE and the pointer to the
 * personality routine that it leads to make two for each function; only in a hostile object do such blocks form chains,
 * which would be copied into every graph.
 */
const MAX_STEPS_PER_EDGE = 8;
/** What a small graph may take in any case. */
const MIN_STEPS = 10_000;

/** How a graph is split. */
export interface SplitOptions {
  /** Whether functions and constants that only the object can name become graphs of their own. */
  readonly locals?: boolean;
}

/**
 * Splits a graph into graphs that are linked, replaced and freed singly: as a rule one per function and one per
 * section of data, when each function has a section of its own. The given graph stays as it is.
 *
 * - Blocks that reach each other through symbols without a public name stay together: a function with its
 *   `.eh_frame` record, its exception table, its jump tables, its cold part.
 * - Names that are not local are shared: one graph defines them, the others refer to them as externals. So is writable data
 *   that only this object can name: it is under names that nobody else has, and stays where it is when a function that
 *   uses it is linked again.
 * - With `locals`, so are local functions that have a section to themselves, and constants that have a name or several
 *   users. Calls of such a function mean its code, other references its stub.
 * - Mergeable constants and CIEs are copied into each graph that uses them.
 * - What no graph has a reason to keep (a root, or a public name) is left out.
 *
 * @throws {LinkError} when copies would be out of proportion to the graph.
 */
export function splitGraph(graph: LinkGraph, { locals = false }: SplitOptions = {}): LinkGraph[] {
  return new Splitter(graph, locals).split();
}

/** What is known of the graph that is being split. */
interface Split {
  readonly source: LinkGraph;
  readonly places: ReadonlyMap<Block, number>;
  readonly components: ReadonlyMap<Block, number>;
  readonly identities: LocalIdentities | undefined;
  readonly names: LocalNames;
  /** A symbol that is local is referred to from another component than its own. */
  cross(symbol: LinkSymbol): void;
}

class Splitter {
  readonly #graph: LinkGraph;
  readonly #split: Split;
  readonly #blocksOf: ReadonlyMap<number, readonly Block[]>;
  readonly #symbolsOf: ReadonlyMap<number, readonly LinkSymbol[]>;
  readonly #copiers = new Map<number, GraphCopier>();
  /** Components that are to be copied. */
  readonly #needed: number[] = [];
  readonly #crossed = new Set<LinkSymbol>();

  constructor(graph: LinkGraph, locals: boolean) {
    this.#graph = graph;
    const copied = findCopiedBlocks(graph);
    const names = new LocalNames();
    const identities = locals ? new LocalIdentities(graph, names) : undefined;
    const components = findComponents(graph, copied, identities);
    const places = numberBlocks(graph);
    this.#blocksOf = groupBlocks(graph, components);
    this.#symbolsOf = groupSymbols(graph, components);
    const cross = (symbol: LinkSymbol) => this.#cross(symbol);
    this.#split = { source: graph, places, components, identities, names, cross };
  }

  split(): LinkGraph[] {
    for (const [component, blocks] of this.#blocksOf) {
      const symbols = this.#symbolsOf.get(component) ?? [];
      if (blocks.some(({ live }) => live) || symbols.some(({ live }) => live)) this.#needed.push(component);
    }
    for (let next = this.#needed.pop(); next !== undefined; next = this.#needed.pop()) this.#copy(next);
    for (const symbol of this.#crossed) {
      const component = symbol.block && this.#split.components.get(symbol.block);
      this.#copiers.get(component ?? -1)?.publish(symbol);
    }
    const graphs = [...this.#copiers].toSorted(([a], [b]) => a - b).map(([, copier]) => copier.graph);
    const absolutes = this.#graph.symbols.filter(
      ({ kind, scope }) => kind === 'absolute' && scope !== 'local',
    );
    if (absolutes.length === 0) return graphs;
    const copier = new GraphCopier(this.#split, 'absolute', -1);
    copier.copy([], absolutes);
    return [...graphs, copier.graph];
  }

  #copy(component: number): void {
    if (this.#copiers.has(component)) return;
    const symbols = this.#symbolsOf.get(component) ?? [];
    const title = symbols.find((symbol) => symbol.scope !== 'local') ?? symbols[0];
    const copier = new GraphCopier(this.#split, title?.name ?? '', component);
    this.#copiers.set(component, copier);
    copier.copy(this.#blocksOf.get(component) ?? [], symbols);
  }

  #cross(symbol: LinkSymbol): void {
    if (this.#crossed.has(symbol)) return;
    this.#crossed.add(symbol);
    const component = symbol.block && this.#split.components.get(symbol.block);
    if (component !== undefined && component !== null) this.#needed.push(component);
  }
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
  const prot = block?.section.prot;
  return scope === 'local' && (prot === 'data' || prot === 'thread') && block?.mergeable === false;
}

/** Component number of each block that is not copied. */
function findComponents(
  graph: LinkGraph,
  copied: ReadonlySet<Block>,
  identities: LocalIdentities | undefined,
): Map<Block, number> {
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
  const constants = identities?.findConstants(copied);
  const users = new Map<Block, Set<number>>();
  const walk = new CopyWalk(graph, copied, identities);
  for (const [block, id] of components)
    for (const target of walk.privateTargets(block))
      if (!constants?.blocks.has(target)) unite(id, target);
      else if (target !== block) users.set(target, (users.get(target) ?? new Set()).add(id));
  // A constant with one user goes with it, unless it has a name: then its address may be what it is there for.
  for (const [block, ids] of users) {
    const [user, ...others] = new Set([...ids].map(find));
    if (user !== undefined && others.length === 0 && !constants?.named.has(block)) unite(user, block);
  }
  for (const [block, id] of components) components.set(block, find(id));
  return components;
}

/** Follows edges through blocks that are copied; what it walks is what will be copied. */
class CopyWalk {
  readonly #graph: LinkGraph;
  readonly #copied: ReadonlySet<Block>;
  readonly #identities: LocalIdentities | undefined;
  #stepsLeft: number;

  constructor(graph: LinkGraph, copied: ReadonlySet<Block>, identities: LocalIdentities | undefined) {
    this.#graph = graph;
    this.#copied = copied;
    this.#identities = identities;
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
      for (const edge of next.edges) {
        const { target } = edge;
        if (!target.block || isShared(target) || this.#identities?.functionOf(next, edge)) continue;
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
  readonly graph: LinkGraph;
  readonly #split: Split;
  readonly #component: number;
  readonly #blocks = new Map<Block, Block>();
  /** Blocks whose edges are still to be copied: a chain of references may be far longer than the stack is deep. */
  readonly #pending: Block[] = [];
  readonly #symbols = new Map<LinkSymbol, LinkSymbol>();
  readonly #externals = new Map<string, LinkSymbol>();

  constructor(split: Split, title: string, component: number) {
    const { name, architecture } = split.source;
    this.#split = split;
    this.#component = component;
    this.graph = new LinkGraph(title ? `${name}(${title})` : name, architecture);
  }

  copy(blocks: readonly Block[], symbols: readonly LinkSymbol[]): void {
    const { gotSymbol } = this.#split.source;
    if (gotSymbol) this.graph.gotSymbol = this.#symbol(gotSymbol);
    for (const block of blocks) this.#block(block);
    for (const symbol of symbols) {
      // An absolute symbol is copied as a value wherever it is used; here it is defined.
      const copy = this.#symbol(symbol);
      copy.scope = symbol.scope;
      copy.live = symbol.live;
    }
    for (let source = this.#pending.pop(); source; source = this.#pending.pop()) this.#copyEdges(source);
    this.#placeBlocks();
  }

  /** Lets other graphs refer to a symbol of this one that is local. */
  publish(symbol: LinkSymbol): void {
    const { identities, names } = this.#split;
    const copy = this.#symbol(symbol);
    const functionName = identities?.nameOf(symbol);
    copy.name = functionName === undefined ? names.of(symbol, 'data') : implementationOfLocal(functionName);
    copy.scope = 'hidden';
    copy.live = true;
  }

  #copyEdges(source: Block): void {
    const block = this.#block(source);
    for (const edge of source.edges) {
      const { kind, offset, target, addend } = edge;
      const reference = this.#split.identities?.functionOf(source, edge);
      if (reference) {
        const copy = this.#function(reference);
        // From here on it counts from the function's own symbol.
        const fromSymbol = addend + BigInt(target.offset - reference.function.offset);
        block.edges.push(new Edge(kind, offset, copy, fromSymbol));
        continue;
      }
      const copy = this.#symbol(target);
      if (kind !== KEEP_ALIVE || copy.kind === 'defined')
        block.edges.push(new Edge(kind, offset, copy, addend));
    }
  }

  /** A function as who refers to it means it: as a value it is its stub, also in its own code. */
  #function({ function: symbol, isCall }: FunctionReference): LinkSymbol {
    const { identities, components, cross } = this.#split;
    const name = identities?.nameOf(symbol);
    if (name === undefined || !symbol.block) return this.#symbol(symbol);
    if (isCall && components.get(symbol.block) === this.#component) return this.#symbol(symbol);
    cross(symbol);
    return this.#external(isCall ? implementationOfLocal(name) : name, false, 'strong');
  }

  /** In the order of the object, in which a CIE precedes its FDEs. */
  #placeBlocks(): void {
    const place = (source: Block): number => this.#split.places.get(source) ?? 0;
    const inOrder = [...this.#blocks].sort(([a], [b]) => place(a) - place(b));
    for (const [, block] of inOrder) block.section.blocks.push(block);
  }

  #block(source: Block): Block {
    const done = this.#blocks.get(source);
    if (done) return done;
    const section = this.graph.section(source.section.name, source.section.prot);
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
    const { kind, name, block, linkage, scope, sizeBytes, callable, threadLocal } = source;
    if (source === this.#split.source.gotSymbol) return new LinkSymbol({ name, kind, scope, linkage });
    if (kind === 'external') return this.#external(name, threadLocal, linkage);
    if (kind === 'absolute')
      return this.graph.addSymbol(
        new LinkSymbol({ name, kind, address: source.address, sizeBytes, linkage, callable, threadLocal }),
      );
    if (!block) throw new Error(`"${name}" is defined nowhere`);
    const component = this.#split.components.get(block);
    if (component !== undefined && component !== this.#component) return this.#elsewhere(source);
    const { offset, live } = source;
    const copy = new LinkSymbol({ name, kind, offset, sizeBytes, linkage, scope, callable, live });
    copy.define(this.#block(block), offset);
    return this.graph.addSymbol(copy);
  }

  /** A symbol that another component defines. */
  #elsewhere(source: LinkSymbol): LinkSymbol {
    const { names, cross } = this.#split;
    const { name, scope, threadLocal } = source;
    if (scope !== 'local') return this.#external(name, threadLocal, 'strong');
    cross(source);
    return this.#external(names.of(source, 'data'), threadLocal, 'strong');
  }

  #external(name: string, threadLocal: boolean, linkage: LinkSymbol['linkage']): LinkSymbol {
    let symbol = this.#externals.get(name);
    if (!symbol) {
      symbol = this.graph.addSymbol(
        new LinkSymbol({ name, kind: 'external', linkage, scope: 'default', threadLocal }),
      );
      this.#externals.set(name, symbol);
    } else if (linkage === 'strong') symbol.linkage = 'strong';
    return symbol;
  }
}
