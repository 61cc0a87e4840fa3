import { EH_FRAME_SECTION } from './eh-frame.js';
import { type Block, type Edge, KEEP_ALIVE, type LinkGraph, LinkSymbol } from './link-graph.js';
import { implementationOfLocal, type LocalKind, localName } from './local-names.js';

/** What is behind such a name in the object of a piece: `FARJIT_LOCAL_MARK` of `codegen.h` and its letters. */
const MARKED = /^(.*)\x02([fd])$/s;
const KINDS: Readonly<Record<string, LocalKind>> = { f: 'function', d: 'data' };

interface Marked {
  readonly name: string;
  readonly kind: LocalKind;
}

/**
 * Gives what only its module can name, in the object of a piece of it, the names by which other pieces know it: they are those
 * that splitting the whole module's object gives. A function is called by its code, and is its stub as a value, in whichever
 * piece it is.
 */
export function adoptPieceLocals(graph: LinkGraph): void {
  const functions = new Map<LinkSymbol, string>();
  for (const symbol of graph.symbols) {
    const marked = parseMarked(symbol.name);
    // Sections are called after their functions.
    if (!marked || symbol.name === symbol.block?.section.name) continue;
    if (marked.kind === 'function') functions.set(symbol, marked.name);
    else symbol.name = marked.name;
    if (symbol.kind === 'external') continue;
    if (marked.kind === 'function') symbol.name = implementationOfLocal(marked.name);
    symbol.scope = 'hidden';
    symbol.live = true;
  }
  bindFunctions(graph, functions);
}

function parseMarked(symbol: string): Marked | undefined {
  const [, name, letter] = MARKED.exec(symbol) ?? [];
  const kind = KINDS[letter ?? ''];
  return name === undefined || !kind ? undefined : { name: localName(name, kind), kind };
}

/** Makes each reference to one of these functions one to its code or to its stub. */
function bindFunctions(graph: LinkGraph, functions: ReadonlyMap<LinkSymbol, string>): void {
  const externals = new Map<string, LinkSymbol>();
  const external = (name: string) => {
    const symbol = externals.get(name) ?? new LinkSymbol({ name, kind: 'external', scope: 'default' });
    externals.set(name, symbol);
    return symbol;
  };
  for (const { blocks } of graph.sections)
    for (const block of blocks)
      for (const edge of block.edges) {
        const name = functions.get(edge.target);
        if (name === undefined) continue;
        const isHere = edge.target.kind === 'defined';
        const meaning = meaningOf(graph, block, edge);
        if (meaning === 'value') edge.target = external(name);
        else if (!isHere) edge.target = external(implementationOfLocal(name));
      }
  graph.symbols = graph.symbols.filter((symbol) => !functions.has(symbol) || symbol.kind !== 'external');
  graph.symbols.push(...externals.values());
}

/** What describes a function, or has places inside it, means its code as who calls it does. */
function meaningOf(graph: LinkGraph, block: Block, edge: Edge): 'code' | 'value' {
  if (edge.kind === KEEP_ALIVE || block.section.name === EH_FRAME_SECTION) return 'code';
  const reference = graph.architecture.referenceOf(block, edge);
  if (!reference) return edge.target.kind === 'defined' ? 'code' : 'value';
  const isInside = edge.target.kind === 'defined' && reference.offset !== edge.target.offset;
  return reference.isCall || isInside ? 'code' : 'value';
}
