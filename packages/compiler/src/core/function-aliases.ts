import { isLocalFunction } from '../jitlink/local-names.js';
import type { SymbolFlagsMap } from './symbol-flags.js';

/**
 * Names that are one function's, by each of them; of a function with one name, none. Strong names come first, and last what only
 * its object can name: the first that still means that function gives all of them its address.
 */
export type FunctionAliases = ReadonlyMap<string, readonly string[]>;

/** Of what has one name for each function. */
export const NO_ALIASES: FunctionAliases = new Map();

/**
 * @param places names that are at one place, for each place.
 * @param symbols what is defined for others: names of anything but its functions are left out.
 */
export function functionAliases(
  places: Iterable<readonly string[]>,
  symbols: SymbolFlagsMap,
): FunctionAliases {
  const aliases = new Map<string, readonly string[]>();
  for (const place of places) {
    if (place.length < 2) continue;
    const functions = place.filter((name) => symbols.get(name)?.callable || isLocalFunction(name));
    const names = functions.toSorted((a, b) => rankOf(a, symbols) - rankOf(b, symbols));
    if (names.length > 1) for (const name of names) aliases.set(name, names);
  }
  return aliases.size === 0 ? NO_ALIASES : aliases;
}

function rankOf(name: string, symbols: SymbolFlagsMap): number {
  if (isLocalFunction(name)) return 2;
  return symbols.get(name)?.linkage === 'strong' ? 0 : 1;
}
