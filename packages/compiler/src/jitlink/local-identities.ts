import { EH_FRAME_SECTION } from './eh-frame.js';
import type { Block, Edge, LinkGraph, LinkSymbol } from './link-graph.js';
import { isRunSection } from './run-lists.js';

/** A function as an edge means it. */
export interface FunctionReference {
  readonly function: LinkSymbol;
  /** It is called, or jumped to. Else it is a value. */
  readonly isCall: boolean;
}

/**
 * Parts of functions that are apart from them: they are jumped to in the middle of a call, with its frame and what it keeps
 * below its stack pointer, which a trampoline would overwrite.
 */
const COLD_NAME = /\.(cold|__part)(\.\d+)*$/;
const COLD_SECTION = /^\.text\.(unlikely|split)(\.|$)/;
/** Sections of constants in which symbols are for the compiler's own use. */
const NAMELESS_SECTION = /^\.gcc_except_table/;

/**
 * Which of the functions and constants that only their object can name are parts of their own, and how others in the object
 * refer to them. Whatever is in doubt is none: it stays together with who refers to it.
 */
export class LocalIdentities {
  readonly #graph: LinkGraph;
  /** The symbol of each function that is alone in its block. */
  readonly #functions: ReadonlyMap<Block, LinkSymbol>;

  constructor(graph: LinkGraph) {
    this.#graph = graph;
    this.#functions = findFunctions(graph);
  }

  /** Whether a local symbol is that of such a function. */
  isFunction(symbol: LinkSymbol): boolean {
    return symbol.block !== null && this.#functions.get(symbol.block) === symbol;
  }

  /** The function that an edge means, if it can be linked apart from who refers to it. */
  functionOf(block: Block, edge: Edge): FunctionReference | undefined {
    const { target } = edge;
    // What describes code, or runs it at the start, goes where that code goes.
    if (!target.block || target.scope !== 'local' || target.name === '' || isOfCode(block)) return undefined;
    const symbol = this.#functions.get(target.block);
    if (!symbol) return undefined;
    const reference = this.#graph.architecture.referenceOf(block, edge);
    return reference?.offset === 0 ? { function: symbol, isCall: reference.isCall } : undefined;
  }

  /** Constants that need not be where those are who refer to them. The ones that others know by a name cannot but be apart. */
  findConstants(copied: ReadonlySet<Block>): { blocks: Set<Block>; named: Set<Block> } {
    const blocks = new Set<Block>();
    for (const { name, prot, blocks: all } of this.#graph.sections)
      if (prot === 'constant' && name !== EH_FRAME_SECTION && !isRunSection(name))
        for (const block of all) if (!copied.has(block) && !this.#isTied(block)) blocks.add(block);
    const named = new Set<Block>();
    for (const { name, block, scope } of this.#graph.symbols) {
      const isOwn = block === null || !blocks.has(block) || isOfCompiler(block);
      if (
        !isOwn &&
        (scope !== 'local' || (name !== '' && name !== block.section.name && !name.startsWith('.L')))
      )
        named.add(block);
    }
    return { blocks, named };
  }

  /** Whether it has places inside of functions, as jump tables have. */
  #isTied(block: Block): boolean {
    return (
      block.live ||
      block.edges.some(
        (edge) =>
          edge.target.scope === 'local' &&
          edge.target.block?.section.prot === 'code' &&
          !this.functionOf(block, edge),
      )
    );
  }
}

/** Whether a constant is one that no program has the address of. */
export function isOfCompiler({ section }: Block): boolean {
  return NAMELESS_SECTION.test(section.name);
}

function isOfCode({ section }: Block): boolean {
  return section.name === EH_FRAME_SECTION || isRunSection(section.name);
}

function findFunctions(graph: LinkGraph): Map<Block, LinkSymbol> {
  const all = new Map<Block, LinkSymbol[]>();
  for (const symbol of graph.symbols) {
    const { block, callable } = symbol;
    if (!block || !callable || block.section.prot !== 'code') continue;
    const others = all.get(block);
    if (others) others.push(symbol);
    else all.set(block, [symbol]);
  }
  const functions = new Map<Block, LinkSymbol>();
  for (const [block, symbols] of all) {
    // Where there are several, what they know of each other shows in no edge.
    if (symbols.some(({ offset }) => offset !== 0) || graph.architecture.takesOwnAddress(block)) continue;
    // Its public names, if they are weak, may come to mean another.
    const symbol = symbols.find(isForGood) ?? symbols.find(isSeparable);
    if (symbol) functions.set(block, symbol);
  }
  return functions;
}

/** Whether a public name is that code's, whoever else defines it. */
function isForGood({ scope, linkage }: LinkSymbol): boolean {
  return scope !== 'local' && linkage === 'strong';
}

function isSeparable({ name, block, scope }: LinkSymbol): boolean {
  return scope === 'local' && !COLD_NAME.test(name) && !COLD_SECTION.test(block?.section.name ?? '');
}
