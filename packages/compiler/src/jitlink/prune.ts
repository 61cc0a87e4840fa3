import type { Block, LinkGraph } from './link-graph.js';

/**
 * Drops every block and symbol that cannot be reached from a live symbol or block. Names of functions that stay, stay with
 * them, for backtraces.
 */
export function prune(graph: LinkGraph): void {
  const worklist: Block[] = [];
  const visit = (block: Block): void => {
    if (block.live) return;
    block.live = true;
    worklist.push(block);
  };
  // A block may be live from the start: nobody refers to it, but it is there for a reason.
  for (const section of graph.sections)
    for (const block of section.blocks) if (block.live) worklist.push(block);
  for (const symbol of graph.symbols) if (symbol.live && symbol.block) visit(symbol.block);

  for (let block = worklist.pop(); block; block = worklist.pop())
    for (const { target } of block.edges) {
      target.live = true;
      if (target.block) visit(target.block);
    }

  for (const section of graph.sections)
    if (!section.blocks.every((block) => block.live))
      section.blocks = section.blocks.filter((block) => block.live);
  graph.symbols = graph.symbols.filter(
    ({ live, block, scope, callable }) => live || (block?.live === true && (scope !== 'local' || callable)),
  );
}
