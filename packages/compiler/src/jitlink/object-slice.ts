import { buildLinkGraph } from './elf/elf.js';
import { LinkError } from './errors.js';
import type { LinkGraph } from './link-graph.js';
import { writeLinkGraph } from './link-graph-file.js';
import { readLinkGraph } from './link-graph-reader.js';
import { localOfImplementation } from './local-names.js';
import { type SplitOptions, splitGraph } from './split.js';

const COUNT_BYTES = 4;

/** One of the graphs an object splits into. */
export class ObjectSlice {
  /** Symbols for others that it defines, and keeps when what nobody needs is dropped. A local function's is its own name. */
  readonly symbols: readonly string[];
  /** Names that it refers to and does not define. */
  readonly references: readonly string[];
  #graph: LinkGraph | undefined;
  #remake: () => LinkGraph;

  /** @param remake makes the same graph again. */
  constructor(graph: LinkGraph, remake: () => LinkGraph) {
    this.symbols = definitionsOf(graph);
    const externals = graph.symbols.filter(({ kind }) => kind === 'external');
    this.references = [...new Set(externals.map(({ name }) => localOfImplementation(name) ?? name))];
    this.#graph = graph;
    this.#remake = remake;
  }

  /** A fresh graph: linking uses it up. */
  takeGraph(): LinkGraph {
    const graph = this.#graph ?? this.#remake();
    this.#graph = undefined;
    return graph;
  }

  /** The graph as bytes, of which it is made again from now on; undefined when it cannot be written. */
  write(): Uint8Array | undefined {
    this.#graph ??= this.#remake();
    const bytes = writeLinkGraph(this.#graph);
    if (bytes) this.#remake = () => readLinkGraph(bytes);
    return bytes;
  }
}

/**
 * Splits an object into what links and frees singly.
 * @param options.graph the object's, if it has been built; it is used up.
 */
export function splitObject(
  object: Uint8Array,
  name: string,
  { graph = buildLinkGraph(object, name), ...options }: SplitOptions & { graph?: LinkGraph } = {},
): ObjectSlice[] {
  const split = (): (LinkGraph | undefined)[] => splitGraph(buildLinkGraph(object, name), options);
  // Splitting again gives the same graphs in the same order, for all slices that need theirs again.
  let again: (LinkGraph | undefined)[] = [];
  const remake = (index: number): LinkGraph => {
    if (!again[index]) again = split();
    const graph = again[index];
    if (!graph) throw new Error(`${name} has no part ${index} any more`);
    again[index] = undefined;
    return graph;
  };
  return splitGraph(graph, options).map((part, index) => new ObjectSlice(part, () => remake(index)));
}

/** An object that is linked and freed as one. */
export function wholeObject(object: Uint8Array, name: string): ObjectSlice {
  const build = () => buildLinkGraph(object, name);
  return new ObjectSlice(build(), build);
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
    slices.push(new ObjectSlice(readLinkGraph(graph), () => readLinkGraph(graph)));
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
