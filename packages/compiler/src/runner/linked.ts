import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { ObjectPart } from '../core/materialization-unit.js';
import type { FrameSection } from '../jitlink/eh-frame.js';
import type { LinkedGraph, LinkedSymbol } from '../jitlink/link.js';
import type { SectionProt } from '../jitlink/link-graph.js';

/**
 * The stub of a dylib's name. The index is the name's for as long as anything linked refers to it, over redefinitions and
 * over runner generations; addresses belong to a generation.
 */
export interface IndirectStub extends SymbolRef {
  readonly index: number;
  /** Parts linked into the current runner that hold the stub's address. */
  referenceCount: number;
}

/** Where one part of an object went in one runner, and what it holds on to there: `RunnerContext.linked` has it. */
export interface Linked {
  readonly part: ObjectPart;
  readonly symbols: ReadonlyMap<string, LinkedSymbol>;
  readonly allocations: readonly {
    readonly prot: SectionProt;
    readonly address: ExecutorAddr;
    readonly sizeBytes: number;
    /** A part of what was allocated for a linker set. */
    readonly isOfSet?: boolean;
  }[];
  /** Those that have names, also of those that only it can name. */
  readonly functions: LinkedGraph['functions'];
  /** What its unwinder reads of it. */
  readonly ehFrames: readonly FrameSection[];
  /** Stubs whose addresses the code holds. */
  readonly stubs: readonly IndirectStub[];
  /** Names it is bound to by address, without a stub: process symbols and data. */
  readonly directNames: readonly string[];
  /** What the names that it refers to were bound to. */
  readonly addresses: ReadonlyMap<string, ExecutorAddr>;
}
