import { Block, Edge, KEEP_ALIVE, LinkGraph, LinkSymbol } from './link-graph.js';
import type { FunctionReference, LocalIdentities } from './local-identities.js';
import { implementationOfLocal } from './local-names.js';

/** What is known of the graph that is being split. */
export interface Split {
  readonly source: LinkGraph;
  readonly places: ReadonlyMap<Block, number>;
  readonly components: ReadonlyMap<Block, number>;
  readonly identities: LocalIdentities | undefined;
  /** Names by which graphs refer to local symbols of others. */
  readonly names: ReadonlyMap<LinkSymbol, string>;
}

/** Copies one component, and what is copied along with it, into a graph of its own. */
export class GraphCopier {
  readonly #graph: LinkGraph;
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
    this.#graph = new LinkGraph(title ? `${name}(${title})` : name, architecture);
  }

  /** @param symbols all that are in the blocks. */
  copy(blocks: readonly Block[], symbols: readonly LinkSymbol[]): LinkGraph {
    const { source, names, identities } = this.#split;
    if (source.gotSymbol) this.#graph.gotSymbol = this.#symbol(source.gotSymbol);
    for (const block of blocks) this.#block(block);
    for (const symbol of symbols) {
      // An absolute symbol is copied as a value wherever it is used; here it is defined.
      const copy = this.#symbol(symbol);
      copy.scope = symbol.scope;
      copy.live = symbol.live;
      const local = names.get(symbol);
      if (local === undefined) continue;
      copy.name = identities?.isFunction(symbol) ? implementationOfLocal(local) : local;
      copy.scope = 'hidden';
      copy.live = true;
    }
    for (let pending = this.#pending.pop(); pending; pending = this.#pending.pop()) this.#copyEdges(pending);
    this.#placeBlocks();
    return this.#graph;
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
      const copy = this.#split.source.architecture.isSize(kind) ? this.#sizeOf(target) : this.#symbol(target);
      if (kind !== KEEP_ALIVE || copy.kind === 'defined')
        block.edges.push(new Edge(kind, offset, copy, addend));
    }
  }

  /** A symbol whose size is meant: it is known, wherever the symbol goes. */
  #sizeOf(target: LinkSymbol): LinkSymbol {
    if (target.kind === 'external') return this.#symbol(target);
    return this.#graph.addSymbol(
      new LinkSymbol({ name: target.name, kind: 'absolute', sizeBytes: target.sizeBytes }),
    );
  }

  /** A function as who refers to it means it: as a value it is its stub, also in its own code. */
  #function({ function: symbol, isCall }: FunctionReference): LinkSymbol {
    const { names, components } = this.#split;
    const name = names.get(symbol);
    const isHere = symbol.block !== null && components.get(symbol.block) === this.#component;
    if (name === undefined || (isCall && isHere)) return this.#symbol(symbol);
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
    const { kind, name, block, linkage, scope, sizeBytes, callable, threadLocal } = source;
    if (source === this.#split.source.gotSymbol) return new LinkSymbol({ name, kind, scope, linkage });
    if (kind === 'external') return this.#external(name, threadLocal, linkage);
    if (kind === 'absolute')
      return this.#graph.addSymbol(
        new LinkSymbol({ name, kind, address: source.address, sizeBytes, linkage, callable, threadLocal }),
      );
    if (!block) throw new Error(`"${name}" is defined nowhere`);
    const component = this.#split.components.get(block);
    if (component !== undefined && component !== this.#component)
      return this.#external(this.#split.names.get(source) ?? name, threadLocal, 'strong');
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
