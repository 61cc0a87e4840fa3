import type { CLanguage } from '#compiler/src/frontends/llvm/c-language.js';

/** One file of a program. */
export interface ProgramSource {
  readonly path: string;
  readonly language: CLanguage | 'ir';
}

/** What FarJIT has to say instead of running a program. */
export interface Refusal {
  /** Of the error; codes that it may have, with a stroke between them. */
  readonly code: string;
  /** In its message. */
  readonly words: string;
}

/** A program that is run natively and by FarJIT. */
export interface Program {
  /** Unique in its suite. */
  readonly name: string;
  readonly sources: readonly ProgramSource[];
  /** Writes its sources, where they are made and not kept. */
  prepare?(): Promise<void>;
  /** For the compiler. */
  readonly flags: readonly string[];
  /** Makes objects of the sources, which both sides link; without one, clang makes a program here and bitcode there. */
  readonly objectCompiler?: readonly string[] | undefined;
  /** Sources that are put into an archive, by file name. */
  readonly archived?: readonly string[];
  /** Libraries of the system that it needs, as `-l` names them. */
  readonly libraries?: readonly string[];
  /** After its own name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** What is in the folder that it begins in, where it may write: by names. It sees none unless given. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Whether what its runs cost is of interest. */
  readonly isCounted?: boolean;
  readonly refusal?: Refusal | undefined;
  /** What a document says that it prints. */
  readonly shown?: string | undefined;
  /** Why it is known to end otherwise under FarJIT than natively. */
  readonly knownDifference?: string | undefined;
}

/** What can be seen of a program from outside. Output is Latin-1, so that each byte is a character. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What it has left in its folder: the SHA-256 of each file, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** How FarJIT runs a program. */
export interface Mode {
  readonly eager: boolean;
  readonly optLevel?: 0;
}

/** From the one that users meet to the one farthest from it. */
export const MODES: readonly Mode[] = [
  { eager: false },
  { eager: true },
  { eager: false, optLevel: 0 },
  { eager: true, optLevel: 0 },
];

export function describeMode({ eager, optLevel }: Mode): string {
  return `${eager ? 'eager' : 'lazy'}${optLevel === undefined ? '' : `-O${optLevel}`}`;
}
