import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ProgramOptions } from '../calls/programs.js';
import type { COptions } from '../frontends/llvm/c-compiler.js';
import type { SignatureWords } from '../frontends/llvm/object-unit.js';

/** An address of the executor, and whether it is a function's; a bare one is. */
export type AbsoluteDefinition =
  | ExecutorAddr
  | { readonly address: ExecutorAddr; readonly callable: boolean };

/** How what is added is called. */
export interface AddOptions {
  /** As errors call it: the name of a file, as a rule. */
  readonly name?: string;
}

export interface ObjectOptions extends AddOptions {
  /** How functions of it are called, in words: what `lookup` is not told then. */
  readonly signatures?: SignatureWords;
}

/** An object that an error can name, and whose caller may give it up. */
export interface NamedObject extends ObjectOptions {
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

export interface ArchiveOptions extends AddOptions {
  /** Where the members of a thin archive are: what its paths begin at. */
  readonly directory?: string;
}

/** How a C or C++ source is compiled. */
export interface AddCOptions extends COptions {
  /** Path of a clang. */
  readonly cc?: string;
}

/** A program to compile. */
export type ProgramSelection = Pick<EntryOptions, 'entry'>;

/** What one run of a program finds, and how long it may take. */
export type RunOptions = Omit<EntryOptions, 'entry' | 'eager'>;

/** A program to run. */
export interface EntryOptions extends ProgramOptions {
  /** Its function: `main` unless given. */
  readonly entry?: string;
}
