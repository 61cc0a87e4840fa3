/** How bad it is: after an error something has not been done. */
export type ReportLevel = 'error' | 'warning' | 'note';

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column?: number | undefined;
}

/** What a command has to say on standard error. */
export interface Report {
  readonly level: ReportLevel;
  /** Of the error it is about. */
  readonly code?: string | undefined;
  readonly message: string;
  /** Where in a source or in data, from 1. */
  readonly place?: Place;
  /** How people are shown what has its place in front already; otherwise it is `farjit: LEVEL: MESSAGE`. */
  readonly shown?: string;
  /** What else is said in the same words: for programs, lines of their own. */
  readonly others?: readonly Report[];
  /** Lines to add: the diagnostic of a function that could not be compiled, or a backtrace. */
  readonly details?: readonly string[];
}

/** For people, without a final newline. */
export function reportText({ level, message, shown, details = [] }: Report): string {
  return [shown ?? `farjit: ${level}: ${message}`, ...details].join('\n');
}

/** For programs: a line, and one for each of the others, an object with a key that is the level. */
export function reportJSON({ others = [], ...report }: Report): string {
  return [report, ...others].map(objectJSON).join('\n');
}

function objectJSON({ level, code, message, place, details = [] }: Report): string {
  return JSON.stringify({
    [level]: {
      ...(code !== undefined && { code }),
      message,
      ...place,
      ...(details.length > 0 && { details }),
    },
  });
}
