/** What a definition is to those who look its name up: ORC's `JITSymbolFlags`. */
export interface SymbolFlags {
  /** A function, called through its stub and linked when it is. Anything else is data, and is bound by address. */
  readonly callable: boolean;
  /** How it competes with others of its name; one of a COMDAT group is 'weak'. */
  readonly linkage: 'strong' | 'weak' | 'common';
  /** A hidden name is found from inside its dylib only. */
  readonly scope: 'exported' | 'hidden';
  /** Data that each thread has its own of: it has no address, and code finds it by its distance from the thread pointer. */
  readonly threadLocal: boolean;
  /**
   * Data of which a program has one, however many define it: C++'s, by the rule of one definition. Libraries that define it
   * use their own copy, so that has to be everybody's.
   */
  readonly vague: boolean;
  /** What a common one takes; 0 for others. */
  readonly sizeBytes: number;
}

/** The names that something defines. */
export type SymbolFlagsMap = ReadonlyMap<string, SymbolFlags>;

/** Of what defines nothing for others. */
export const NO_SYMBOLS: SymbolFlagsMap = new Map();

export const FUNCTION: SymbolFlags = {
  callable: true,
  linkage: 'strong',
  scope: 'exported',
  threadLocal: false,
  vague: false,
  sizeBytes: 0,
};
export const DATA: SymbolFlags = { ...FUNCTION, callable: false };

const STRENGTH = { weak: 0, common: 1, strong: 2 } as const;

/** A table of virtual functions: each copy leads to the functions of those who have it, which are as good. */
const VIRTUAL_TABLE = /^_ZT[VTC]/;

/** Whether a definition that any other would do for is one that a program must have one of. */
export function isVague(name: string, { callable, scope }: Pick<SymbolFlags, 'callable' | 'scope'>): boolean {
  return !callable && scope === 'exported' && !VIRTUAL_TABLE.test(name);
}

/** Strong, exported symbols. */
export function strongSymbols(functions: Iterable<string>, data: Iterable<string> = []): SymbolFlagsMap {
  const symbols = new Map<string, SymbolFlags>();
  for (const name of functions) symbols.set(name, FUNCTION);
  for (const name of data) symbols.set(name, DATA);
  return symbols;
}

/**
 * Which of two definitions of a name is taken: strong over common over weak, the larger of two common ones, else the first.
 * Two strong ones, or such of two kinds, are no choice.
 */
export function arbitrate(first: SymbolFlags, second: SymbolFlags): 'first' | 'second' | 'duplicate' {
  const bothStrong = first.linkage === 'strong' && second.linkage === 'strong';
  const isOfOneKind = first.callable === second.callable && first.threadLocal === second.threadLocal;
  if (bothStrong || !isOfOneKind) return 'duplicate';
  if (first.linkage === 'common' && second.linkage === 'common')
    return second.sizeBytes > first.sizeBytes ? 'second' : 'first';
  return STRENGTH[second.linkage] > STRENGTH[first.linkage] ? 'second' : 'first';
}
