import { createHash } from 'node:crypto';
import { buildLinkGraph } from './elf/elf.js';
import { LinkError } from './errors.js';
import { functionPlaces } from './function-places.js';
import type { LinkGraph } from './link-graph.js';
import { writeLinkGraph } from './link-graph-file.js';
import { readLinkGraph } from './link-graph-reader.js';
import { isLocal, isLocalFunction, localOfImplementation } from './local-names.js';
import { adoptPieceLocals } from './piece-locals.js';
import { partsOfGraph, type SplitOptions } from './split.js';

const COUNT_BYTES = 4;

/** One of the graphs an object splits into. */
export class ObjectSlice {
  /** Symbols for others that it defines, and keeps when what nobody needs is dropped. A local function's is its own name. */
  readonly symbols: readonly string[];
  #references: readonly string[] | undefined;
  #graph: LinkGraph | undefined;
  #remake: () => LinkGraph;

  /** @param make makes its graph, the same each time. */
  constructor(symbols: readonly string[], make: () => LinkGraph) {
    this.symbols = symbols;
    this.#remake = make;
  }

  /** Names that it refers to and does not define. */
  get references(): readonly string[] {
    if (!this.#references) {
      const externals = this.#peek().symbols.filter(({ kind }) => kind === 'external');
      this.#references = [...new Set(externals.map(({ name }) => localOfImplementation(name) ?? name))];
    }
    return this.#references;
  }

  /** Names of functions at one place, where some are for others and some for this object alone. */
  get mixedPlaces(): readonly (readonly string[])[] {
    const isMixed = (names: readonly string[]) => names.some(isLocalFunction) && !names.every(isLocal);
    // Of most there is no need to make the graph.
    return isMixed(this.symbols) ? functionPlaces(this.#peek()).filter(isMixed) : [];
  }

  /** Of its blocks, which is about what it costs on the way to an executor. */
  get sizeBytes(): number {
    let sizeBytes = 0;
    for (const { blocks } of this.#peek().sections) for (const block of blocks) sizeBytes += block.sizeBytes;
    return sizeBytes;
  }

  /** A fresh graph: linking uses it up. */
  takeGraph(): LinkGraph {
    const graph = this.#peek();
    this.#graph = undefined;
    return graph;
  }

  /** The graph as bytes, of which it is made again from now on; undefined when it cannot be written. */
  write(): Uint8Array | undefined {
    const bytes = writeLinkGraph(this.#peek());
    if (bytes) this.#remake = () => readLinkGraph(bytes);
    return bytes;
  }

  #peek(): LinkGraph {
    this.#graph ??= this.#remake();
    return this.#graph;
  }
}

/**
 * Splits an object into what links and frees singly.
 * @param options.graph the object's, if it has been built; nobody else may change it.
 */
export function splitObject(
  object: Uint8Array,
  name: string,
  { graph = buildLinkGraph(object, name), ...options }: SplitOptions & { graph?: LinkGraph } = {},
): ObjectSlice[] {
  return partsOfGraph(graph, options).map(({ symbols, copy }) => new ObjectSlice(symbols, copy));
}

/** Digits that stand for an object's bytes. */
const PREFIX_BYTES = 6;
const PREFIX_DIGITS = 15;

/** Splits the object of a piece of a module: names that only the module knows are the same in all of its pieces. */
export function splitPiece(object: Uint8Array, name: string): ObjectSlice[] {
  const graph = buildLinkGraph(object, name);
  adoptPieceLocals(graph);
  const digest = createHash('sha256').update(object).digest().readUIntBE(0, PREFIX_BYTES);
  return splitObject(object, name, {
    graph,
    locals: true,
    prefix: String(digest).padStart(PREFIX_DIGITS, '0'),
  });
}

/** An object that is linked and freed as one. */
export function wholeObject(object: Uint8Array, name: string): ObjectSlice {
  const build = () => buildLinkGraph(object, name);
  return sliceOf(build(), build);
}

function sliceOf(graph: LinkGraph, remake: () => LinkGraph): ObjectSlice {
  let first: LinkGraph | undefined = graph;
  return new ObjectSlice(definitionsOf(graph), () => {
    const made = first ?? remake();
    first = undefined;
    return made;
  });
}

/**
 * Slices as bytes: u32 number of graphs, u32 size of each, then the graphs as `writeLinkGraph` makes them; little-endian.
 * @returns undefined when one cannot be written.
 */
export function writeSlices(slices: readonly ObjectSlice[]): Uint8Array | undefined {
  const graphs = slices.map((slice) => slice.write());
  const head = Buffer.alloc(COUNT_BYTES * (1 + graphs.length));
  head.writeUInt32LE(graphs.length, 0);
  const parts: Uint8Array[] = [head];
  for (const [index, graph] of graphs.entries()) {
    if (!graph) return undefined;
    head.writeUInt32LE(graph.byteLength, COUNT_BYTES * (1 + index));
    parts.push(graph);
  }
  return Buffer.concat(parts);
}

/**
 * Reads what `writeSlices` wrote, from wherever it comes.
 * @throws {LinkError} `malformed-object`
 */
export function readSlices(bytes: Uint8Array): ObjectSlice[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const malformed = () =>
    new LinkError('malformed-object', { graph: 'kept object' }, 'its parts do not add up to its size');
  if (bytes.byteLength < COUNT_BYTES) throw malformed();
  const count = view.getUint32(0, true);
  let at = COUNT_BYTES * (1 + count);
  if (at > bytes.byteLength) throw malformed();
  const slices: ObjectSlice[] = [];
  for (let index = 0; index < count; index++) {
    const end = at + view.getUint32(COUNT_BYTES * (1 + index), true);
    if (end > bytes.byteLength) throw malformed();
    const graph = bytes.subarray(at, end);
    slices.push(sliceOf(readLinkGraph(graph), () => readLinkGraph(graph)));
    at = end;
  }
  if (at !== bytes.byteLength) throw malformed();
  return slices;
}

function definitionsOf(graph: LinkGraph): string[] {
  const defined = graph.symbols.filter(
    ({ kind, scope, live }) => kind === 'defined' && scope !== 'local' && live,
  );
  return defined.map(({ name }) => localOfImplementation(name) ?? name);
}
