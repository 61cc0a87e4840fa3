import type { Block, LinkGraph } from '../link-graph.js';
import type { ElfBackend } from './backend.js';

/** What a graph's indirect functions are called by: names of one resolver are one function's. */
export class IndirectFunctions {
  readonly #graph: LinkGraph;
  readonly #backend: ElfBackend;
  readonly #thunks = new Map<Block, Map<number, Block>>();

  constructor(graph: LinkGraph, backend: ElfBackend) {
    this.#graph = graph;
    this.#backend = backend;
  }

  /** The code to call instead of the resolver that is at `offset` of `block`. */
  thunkOf(name: string, block: Block, offset: number): Block {
    const thunks = this.#thunks.get(block) ?? new Map<number, Block>();
    this.#thunks.set(block, thunks);
    const known = thunks.get(offset);
    if (known) return known;
    const resolver = this.#graph.addAnonymousSymbol(block, offset);
    const thunk = this.#backend.addIfuncThunk(this.#graph, name, resolver);
    thunks.set(offset, thunk);
    return thunk;
  }
}
