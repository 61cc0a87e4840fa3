import { LinkError } from './errors.js';
import { GraphCopier, type Split } from './graph-copier.js';
import type { Block, LinkGraph, LinkSymbol } from './link-graph.js';
import { isOfCompiler, LocalIdentities } from './local-identities.js';
import { localName, localOfImplementation } from './local-names.js';

/**
 * Following blocks that are copied may take so many steps for each edge of the graph. A CIE and the pointer to the
 * personality routine that it leads to make two for each function; only in a hostile object do such blocks form chains,
 * which would be copied into every graph.
 */
const MAX_STEPS_PER_EDGE = 8;
/** What a small graph may take in any case. */
const MIN_STEPS = 10_000;
/** Of a graph whose functions and constants stay where they are. */
const NO_CONSTANTS = { blocks: new Set<Block>(), named: new Set<Block>() };

/** How a graph is split. */
export interface SplitOptions {
  /** Whether functions and constants that only the object can name become graphs of their own. */
  readonly locals?: boolean;
  /** Digits that tell names which splitting makes up from those that it makes up for other objects of the same unit. */
  readonly prefix?: string;
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
 * - With `locals`, so are local functions that have a section to themselves, and constants: those of one user together,
 *   unless they have a name, other users or references. Calls of such a function mean its code, other references its stub.
 * - Mergeable constants and CIEs are copied into each graph that uses them; strings are not, whose address programs compare.
 * - What no graph has a reason to keep (a root, or a public name) is left out.
 *
 * @throws {LinkError} when copies would be out of proportion to the graph.
 */
export function splitGraph(graph: LinkGraph, options: SplitOptions = {}): LinkGraph[] {
  return partsOfGraph(graph, options).map((part) => part.copy());
}

/** What a graph splits into, copied when it is needed. The graph has to stay as it is. */
export interface GraphPart {
  /** The symbols for others that it defines. A local function's is its own name. */
  readonly symbols: readonly string[];
  /** A graph of its own, each time. */
  copy(): LinkGraph;
}

/** As `splitGraph`. @throws {LinkError} when copies would be out of proportion to the graph. */
export function partsOfGraph(
  graph: LinkGraph,
  { locals = false, prefix = '' }: SplitOptions = {},
): GraphPart[] {
  const copied = findCopiedBlocks(graph);
  const identities = locals ? new LocalIdentities(graph) : undefined;
  const { components, constants } = findComponents(graph, copied, identities);
  const names = nameLocals(graph, constants, identities, prefix);
  const split: Split = { source: graph, places: numberBlocks(graph), components, identities, names };
  const symbolsOf = groupSymbols(graph, components);
  const parts: GraphPart[] = [];
  for (const [component, blocks] of groupBlocks(graph, components)) {
    const symbols = symbolsOf.get(component) ?? [];
    const isKept = (symbol: LinkSymbol) => symbol.live || names.has(symbol);
    if (blocks.some(({ live }) => live) || symbols.some(isKept))
      parts.push(partOf(split, component, blocks, symbols));
  }
  const absolutes = graph.symbols.filter(({ kind, scope }) => kind === 'absolute' && scope !== 'local');
  if (absolutes.length > 0) parts.push(partOf(split, NO_COMPONENT, [], absolutes));
  return parts;
}

/** Of what is in no block. */
const NO_COMPONENT = -1;

function partOf(
  split: Split,
  component: number,
  blocks: readonly Block[],
  symbols: readonly LinkSymbol[],
): GraphPart {
  const title = (symbols.find(({ scope }) => scope !== 'local') ?? symbols[0])?.name ?? '';
  const named = symbols.flatMap(
    (symbol) =>
      split.names.get(symbol) ??
      (isShared(symbol) ? (localOfImplementation(symbol.name) ?? symbol.name) : []),
  );
  return {
    symbols: named,
    copy: () =>
      new GraphCopier(split, component === NO_COMPONENT ? 'absolute' : title, component).copy(
        blocks,
        symbols,
      ),
  };
}

/** Names for what only this object can name and its graphs refer to, the same each time that it is split. */
function nameLocals(
  graph: LinkGraph,
  constants: ReadonlySet<Block>,
  identities: LocalIdentities | undefined,
  prefix: string,
): Map<LinkSymbol, string> {
  const names = new Map<LinkSymbol, string>();
  const counts = new Map<string, number>();
  for (const symbol of graph.symbols) {
    const { name, block, scope } = symbol;
    if (!block || scope !== 'local') continue;
    const isFunction = identities?.isFunction(symbol);
    if (!isFunction && !isOwnData(symbol) && !constants.has(block)) continue;
    const kind = isFunction ? 'function' : 'data';
    const first = localName(name || block.section.name, kind, prefix);
    const count = counts.get(first) ?? 0;
    counts.set(first, count + 1);
    names.set(symbol, count === 0 ? first : localName(name || block.section.name, kind, `${prefix}${count}`));
  }
  return names;
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

/** Component number of each block that is not copied, and which constants are apart from all others. */
function findComponents(
  graph: LinkGraph,
  copied: ReadonlySet<Block>,
  identities: LocalIdentities | undefined,
): { components: Map<Block, number>; constants: Set<Block> } {
  const sets = new BlockSets(graph, copied);
  const { blocks: constants, named } = identities?.findConstants(copied) ?? NO_CONSTANTS;
  const users = new Map<Block, Set<Block>>();
  const walk = new CopyWalk(graph, copied, identities);
  for (const block of sets.blocks)
    for (const target of walk.privateTargets(block))
      if (!constants.has(target)) sets.unite(block, target);
      else if (target !== block) users.set(target, (users.get(target) ?? new Set()).add(block));
  for (const block of placeConstants(sets, users, named)) constants.delete(block);
  return { components: sets.numbers(), constants };
}

/**
 * Finds constants their place. A program may keep the address of one, so it does not go with its user, which is linked again:
 * a constant that has a name, several users or references is apart; the others of one user are so together. What is for
 * the compiler's own use goes with the user.
 * @returns those that have gone with their users.
 */
function placeConstants(
  sets: BlockSets,
  users: ReadonlyMap<Block, ReadonlySet<Block>>,
  named: ReadonlySet<Block>,
): Block[] {
  const joining: Block[] = [];
  const firstOf = new Map<number, Block>();
  for (const [block, [user, ...others]] of users) {
    if (!user || named.has(block)) continue;
    const component = sets.find(user);
    if (others.some((other) => sets.find(other) !== component)) continue;
    if (isOfCompiler(block)) {
      sets.unite(user, block);
      joining.push(block);
    } else if (block.edges.length === 0) {
      const first = firstOf.get(component) ?? block;
      firstOf.set(component, first);
      sets.unite(first, block);
    }
  }
  return joining;
}

/** Which blocks are together. */
class BlockSets {
  readonly #ids = new Map<Block, number>();
  readonly #parents: number[] = [];

  /** At first each is alone that is not copied. */
  constructor(graph: LinkGraph, copied: ReadonlySet<Block>) {
    for (const section of graph.sections)
      for (const block of section.blocks)
        if (!copied.has(block)) {
          this.#ids.set(block, this.#parents.length);
          this.#parents.push(this.#parents.length);
        }
  }

  /** In the order of the object. */
  get blocks(): IterableIterator<Block> {
    return this.#ids.keys();
  }

  /** Number of the set that a block is in, as long as that does not grow. */
  readonly find = (block: Block): number => {
    const parents = this.#parents;
    let at = this.#ids.get(block) ?? NO_COMPONENT;
    for (let parent = parents[at] ?? at; parent !== at; parent = parents[at] ?? at) {
      parents[at] = parents[parent] ?? parent;
      at = parent;
    }
    return at;
  };

  /** The older block leads, so that graphs come in the order of the object. */
  unite(one: Block, other: Block): void {
    const [a, b] = [this.find(one), this.find(other)];
    if (a !== b && Math.min(a, b) !== NO_COMPONENT) this.#parents[Math.max(a, b)] = Math.min(a, b);
  }

  numbers(): Map<Block, number> {
    return new Map([...this.#ids.keys()].map((block) => [block, this.find(block)]));
  }
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
