import { COMMON_SECTION } from '../jitlink/elf/link-graph-builder.js';
import { functionPlaces } from '../jitlink/function-places.js';
import type { LinkGraph, LinkSymbol } from '../jitlink/link-graph.js';
import { parseSetMember } from '../jitlink/linker-sets.js';
import { parseRunListName } from '../jitlink/run-lists.js';
import { type FunctionAliases, functionAliases } from './function-aliases.js';
import { type UnitSets, unitSets } from './materialization-unit.js';
import { isVague, type SymbolFlags, type SymbolFlagsMap } from './symbol-flags.js';

/** What an object defines for others, as its symbol table has it. A number (`SHN_ABS`) is data at that address. */
export function symbolsOfObject(graph: LinkGraph): SymbolFlagsMap {
  const symbols = new Map<string, SymbolFlags>();
  for (const symbol of graph.symbols) {
    const { name, kind, scope } = symbol;
    if (scope === 'local' || kind === 'external' || parseRunListName(name) || parseSetMember(name)) continue;
    symbols.set(name, flagsOf(symbol));
  }
  return symbols;
}

/** Which of an object's functions for others have several names. */
export function aliasesOfObject(graph: LinkGraph, defined: SymbolFlagsMap): FunctionAliases {
  return functionAliases(functionPlaces(graph), defined);
}

/** Symbols over what an object wants run at the start or the end. */
export function runListsOf(graph: LinkGraph): string[] {
  return graph.symbols.flatMap(({ name }) => (parseRunListName(name) ? name : []));
}

/** Which linker sets an object is in, and which ones it asks the bounds of. */
export function setsOfObject({ symbols }: LinkGraph): UnitSets | undefined {
  return unitSets(
    symbols.flatMap(({ name }) => parseSetMember(name)?.set ?? []),
    symbols.flatMap(({ kind, name }) => (kind === 'external' ? name : [])),
  );
}

function flagsOf(symbol: LinkSymbol): SymbolFlags {
  const { name, kind, block, linkage, threadLocal, sizeBytes } = symbol;
  const isCommon = block?.section.name === COMMON_SECTION;
  const callable = symbol.callable && kind !== 'absolute';
  const scope = symbol.scope === 'hidden' ? 'hidden' : 'exported';
  return {
    callable,
    linkage: isCommon ? 'common' : linkage,
    scope,
    threadLocal,
    vague: symbol.vague && isVague(name, { callable, scope }),
    sizeBytes: isCommon ? sizeBytes : 0,
  };
}
