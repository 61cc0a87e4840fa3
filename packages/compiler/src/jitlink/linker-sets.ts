/** A section of an object in the set of all those of its name. */
export interface SetMember {
  /** Name of the section, which is the set's. */
  readonly set: string;
  /** Which section of its object it is. */
  readonly index: number;
  /** Symbol of the COMDAT group it is in: who defines that has the member. */
  readonly group: string | undefined;
}

/** `__start_X` and `__stop_X`, between which all sections X are. */
export interface SetBound {
  readonly set: string;
  readonly which: 'start' | 'stop';
}

const IDENTIFIER = /^[A-Za-z_]\w*$/;
const MEMBER = /^#(\w+)#(\d+)(?:@(.+))?$/s;
const BOUND = /^__(start|stop)_([A-Za-z_]\w*)$/;

/** Whether linkers put all sections of that name side by side: it is a C identifier, so that C can name the bounds. */
export function isSetSection(section: string): boolean {
  return IDENTIFIER.test(section);
}

/** The symbol over such a section, which no object can ask for by accident. */
export function setMemberName(section: string, index: number, group?: string): string {
  return `#${section}#${index}${group === undefined ? '' : `@${group}`}`;
}

/** What a symbol of `setMemberName` says; undefined for any other name. */
export function parseSetMember(name: string): SetMember | undefined {
  // Every symbol is looked at.
  const match = name.startsWith('#') ? MEMBER.exec(name) : null;
  return match?.[1] === undefined ? undefined : { set: match[1], index: Number(match[2]), group: match[3] };
}

/** Which bound of which set a name is; undefined for any other name. */
export function parseSetBound(name: string): SetBound | undefined {
  const match = name.startsWith('__st') ? BOUND.exec(name) : null;
  return match?.[2] === undefined
    ? undefined
    : { set: match[2], which: match[1] === 'start' ? 'start' : 'stop' };
}
