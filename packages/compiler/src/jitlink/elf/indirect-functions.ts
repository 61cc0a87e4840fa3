import type { Block, LinkGraph, LinkSymbol } from '../link-graph.js';
import type { ElfBackend } from './backend.js';
import type { ElfObject } from './object.js';

/** The indirect functions of an object: names of one resolver are one function's. */
export class IndirectFunctions {
  readonly #object: ElfObject;
  readonly #graph: LinkGraph;
  readonly #backend: ElfBackend;
  readonly #thunks = new Map<Block, Map<number, Block>>();

  constructor(object: ElfObject, graph: LinkGraph, backend: ElfBackend) {
    this.#object = object;
    this.#graph = graph;
    this.#backend = backend;
  }

  /**
   * Makes a symbol, which is at its resolver, mean what that one answers.
   * @param at where in the file it is.
   * @throws {LinkError} when there is no code.
   */
  redirect(symbol: LinkSymbol, at: number): void {
    const { name, block, offset } = symbol;
    if (block?.section.prot !== 'code')
      throw this.#object.malformed(`the indirect function "${name}" has no code for a resolver`, at);
    const thunk = this.#thunkOf(name, block, offset);
    symbol.define(thunk, 0);
    symbol.sizeBytes = thunk.sizeBytes;
    symbol.callable = true;
  }

  #thunkOf(name: string, block: Block, offset: number): Block {
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
