import type { Block, LinkGraph, LinkSymbol } from './link-graph.js';
import { localOfImplementation } from './local-names.js';

/** Names of functions that are at one place, where there are several: those that others can name, or other parts of the object. */
export function functionPlaces({ symbols }: LinkGraph): string[][] {
  const inBlocks = new Map<Block, LinkSymbol[]>();
  for (const symbol of symbols) {
    const { block, scope, callable } = symbol;
    if (!block || !callable || scope === 'local') continue;
    const others = inBlocks.get(block);
    if (others) others.push(symbol);
    else inBlocks.set(block, [symbol]);
  }
  const places: string[][] = [];
  for (const together of inBlocks.values()) if (together.length > 1) places.push(...namesByOffset(together));
  return places.filter((names) => names.length > 1);
}

function namesByOffset(symbols: readonly LinkSymbol[]): string[][] {
  const places = new Map<number, string[]>();
  for (const { name: symbolName, offset } of symbols) {
    const name = localOfImplementation(symbolName) ?? symbolName;
    const others = places.get(offset);
    if (others) others.push(name);
    else places.set(offset, [name]);
  }
  return [...places.values()];
}
