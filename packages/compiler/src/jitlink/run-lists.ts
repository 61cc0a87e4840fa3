/**
 * What a list of functions to run is for, in the order in which lists are run: before everything at a program's start, at its
 * start, at its end.
 */
export type RunPhase = 'preinit' | 'init' | 'fini';

/** A section that lists functions to run at the start or the end of a program, as a linker places it among others. */
export interface RunList {
  readonly phase: RunPhase;
  /** Lists of lower ones come first; those without one come last. */
  readonly priority: number;
  /** Which section of its object it is. */
  readonly index: number;
  /** Its functions are run from the last to the first: it comes from before there was `.init_array`. */
  readonly isReversed: boolean;
  /** Symbol of the COMDAT group it is in: who defines that runs its list. */
  readonly group: string | undefined;
}

const SECTION = /^\.(preinit_array|init_array|ctors|fini_array|dtors)(?:\.(\d{1,5}))?$/;
const NAME = /^(\.[a-z_]+(?:\.\d+)?)#(\d+)(?:@(.+))?$/s;

/** Priorities are below; what has none is as if it had this one. */
const NO_PRIORITY = 65_536;
/** `.ctors.N` counts down from here. */
const HIGHEST_PRIORITY = 65_535;

const PHASES: Readonly<Record<string, RunPhase>> = {
  preinit_array: 'preinit',
  init_array: 'init',
  ctors: 'init',
  fini_array: 'fini',
  dtors: 'fini',
};

/** Whether a section lists functions to run. */
export function isRunSection(section: string): boolean {
  return SECTION.test(section);
}

/**
 * The symbol over such a section, which no object can ask for by accident: who splits and links the object finds it by that.
 * @param group symbol of the COMDAT group that it is in.
 */
export function runListName(section: string, index: number, group?: string): string {
  return `${section}#${index}${group === undefined ? '' : `@${group}`}`;
}

/** What a symbol of `runListName` says; undefined for any other name. */
export function parseRunListName(name: string): RunList | undefined {
  const [, section = '', index, group] = NAME.exec(name) ?? [];
  const [, kind = '', digits] = SECTION.exec(section) ?? [];
  const phase = PHASES[kind];
  if (!phase) return undefined;
  const isReversed = kind === 'ctors' || kind === 'dtors';
  const number = Number(digits);
  const priority = isReversed ? HIGHEST_PRIORITY - number : number;
  return {
    phase,
    priority: digits === undefined ? NO_PRIORITY : priority,
    index: Number(index),
    isReversed,
    group,
  };
}

/**
 * Lists of one phase in the order of GNU ld's default script: by priority, then in the order given, which is that of objects,
 * and in an object that of its sections.
 */
export function inLinkOrder<List extends RunList>(lists: readonly List[]): List[] {
  return lists.toSorted((a, b) => a.priority - b.priority);
}
