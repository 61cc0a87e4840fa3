import type { LinkOptions } from './linked-files.js';

/** Options of `farjit run` for programs that begin with `main`. */
export interface ProgramOptions extends LinkOptions {
  /** What the program finds in its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The function that it begins with. */
  readonly entry?: string;
  /** Files and folders that it sees: `HOST:GUEST`, and `HOST:GUEST:rw`. */
  readonly file?: readonly string[];
  readonly dir?: readonly string[];
  /** All of it is linked before it begins. */
  readonly eager?: boolean;
  /** Standard error ends with what its run has taken. */
  readonly report?: 'json';
}
