/**
 * Names for what only its own object can name, and other parts of the object refer to: the linker's, and nobody else's,
 * since no symbol of an object has a NUL in it. They are the same each time that the object is split, and those of two
 * objects are told apart by a number, which `qualifyLocal` adds.
 *
 * A function has two. By `localName` it is meant as a value: its stub, so that it has one address wherever that is taken. By
 * `implementationOfLocal` it is called.
 */
const MARK = '\0';
/** What a function's code is called, behind its name: the plain name is its stub's. */
export const IMPLEMENTATION_SUFFIX = '$impl';

/** What a local name is of. */
export type LocalKind = 'function' | 'data';

const LETTERS = { function: 'f', data: 'd' } as const satisfies Record<LocalKind, string>;

/** @param index digits that tell it from others of that name in its object. */
export function localName(name: string, kind: LocalKind, index = ''): string {
  return `${name}${MARK}${LETTERS[kind]}${index}`;
}

/** The name of a local function's code. */
export function implementationOfLocal(name: string): string {
  return name + IMPLEMENTATION_SUFFIX;
}

/** The local name of which `name` is the implementation; undefined for any other name. */
export function localOfImplementation(name: string): string | undefined {
  return name.includes(MARK) && name.endsWith(IMPLEMENTATION_SUFFIX)
    ? name.slice(0, -IMPLEMENTATION_SUFFIX.length)
    : undefined;
}

/** The name of the same in a session, where many objects are. Names that others know stay as they are. */
export function qualifyLocal(name: string, unit: number): string {
  return name.replace(MARK, `${MARK}${unit}`);
}

/** The name of the same in its object. */
export function unqualifyLocal(name: string): string {
  return name.replace(/\0\d+/, MARK);
}

/** Whether a name, which is not qualified, was made up when an object was split: no other object of its module has it. */
export function isMadeUp(name: string): boolean {
  return /\0[fd]\d+$/.test(name);
}

/** Whose a qualified name is; undefined for names that others know. */
export function unitOfLocal(name: string): number | undefined {
  const at = name.indexOf(MARK);
  return at < 0 ? undefined : Number.parseInt(name.slice(at + 1), 10);
}

/** Whether a name is one of these. */
export function isLocal(name: string): boolean {
  return name.includes(MARK);
}

/** Whether a name is a local function's, qualified or not. */
export function isLocalFunction(name: string): boolean {
  return name.includes(MARK) && /\0\d*f\d*$/.test(name);
}

/** As the source has it: for people. */
export function displayName(name: string): string {
  const at = name.indexOf(MARK);
  return at < 0 ? name : name.slice(0, at);
}
