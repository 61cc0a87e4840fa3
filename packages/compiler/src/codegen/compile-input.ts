import type { ModuleIR } from '../llvm/module-ir.js';
import type { CodeLevel, TargetDescription } from '../llvm/target.js';

/** What of a module is compiled. */
export interface ModulePiece {
  /** Functions with some that they call; all that is no function; all functions that are left. */
  readonly kind: 'functions' | 'data' | 'rest';
  /** Functions that are asked for, of `functions`. */
  readonly asked: readonly string[];
  /** Functions that other pieces have. */
  readonly compiled: readonly string[];
  /** How many functions there may be in it, unless more are asked for. */
  readonly most: number;
}

/** One module to compile: plain data, so that it can go to another process or be a cache's key. */
export interface CompileInput {
  /** The module's name, for messages. */
  name: string;
  ir: ModuleIR;
  target: TargetDescription;
  optLevel: CodeLevel;
  /** A pass pipeline in the words of `opt -passes=` instead of the level's; the empty string is none. */
  passes?: string;
  /** Functions that the program defines itself, whatever they are called: LLVM must not take them for libc's. */
  programDefined?: readonly string[];
  /** No thread is blocked for it: whatever else there is to compile comes first. */
  canWait?: boolean;
  /** Of one that can wait: whether somebody has come to wait for it all the same. */
  hurry?: { isWanted: boolean } | undefined;
  /** What of it is compiled: all of it unless given. Only bitcode has pieces. */
  piece?: ModulePiece | undefined;
  /** It holds functions that nobody has asked for: it is given up after a short share of the time a module may take. */
  holdsGuesses?: boolean;
}

/** A compiled module: plain data. */
export interface CompileOutput {
  /** A relocatable object file, every function in a section of its own. */
  object: Uint8Array;
  /** Of the libLLVM that made it. */
  llvmVersion: string;
  timings: CompileTimings;
  /** Who made it, and when it was given to make it and had answered, in nanoseconds of `process.hrtime.bigint()`. */
  by?: {
    readonly processId: number;
    readonly sentNs: bigint;
    readonly answeredNs: bigint;
    /** In the words of `opt -passes=`. */
    readonly passes: string;
  };
}

/** Where the time of a compilation went, the wait for a process left out. */
export interface CompileTimings {
  /** Transforms, reading the module, verifying, sections and attributes. */
  parseMs: number;
  passesMs: number;
  emitMs: number;
}
