import { buildLinkGraph } from '../jitlink/elf.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import { splitGraph } from '../jitlink/split.js';

/** One of the graphs an object splits into. */
export interface ObjectSlice {
  /** Default-scope symbols it defines. */
  readonly symbols: readonly string[];
  /** A fresh graph: linking uses it up. */
  takeGraph(): LinkGraph;
}

/** Splits an object into what links and frees singly. */
export function splitObject(object: Uint8Array, name: string): ObjectSlice[] {
  // A graph is used up by linking; splitting again gives the same graphs in the same order.
  let graphs: (LinkGraph | undefined)[] = splitGraph(buildLinkGraph(object, name));
  const take = (index: number): LinkGraph => {
    const graph = graphs[index];
    if (!graph) {
      graphs = splitGraph(buildLinkGraph(object, name));
      return take(index);
    }
    graphs[index] = undefined;
    return graph;
  };
  return graphs.map((graph, index) => ({
    symbols: definitionsOf(graph),
    takeGraph: () => take(index),
  }));
}

function definitionsOf(graph: LinkGraph | undefined): string[] {
  const defined = graph?.symbols.filter(({ kind, scope }) => kind === 'defined' && scope === 'default');
  return defined?.map(({ name }) => name) ?? [];
}
