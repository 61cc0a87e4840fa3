import type { MemProt } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { IndirectStub } from '../indirection/indirect-stubs-manager.js';
import type { FrameSection } from '../jitlink/eh-frame.js';

/** A symbol's place in the executor. */
export interface LinkedSymbol {
  readonly address: ExecutorAddr;
  readonly sizeBytes: number;
  readonly callable: boolean;
}

/** Where one part of an object went in one runner, and what it holds on to there: `RunnerContext.linked` has it. */
export interface Linked {
  readonly symbols: ReadonlyMap<string, LinkedSymbol>;
  /** Where functions begin that backtraces may name. */
  readonly functions: readonly ExecutorAddr[];
  readonly allocations: readonly {
    readonly prot: MemProt;
    readonly address: ExecutorAddr;
    readonly sizeBytes: number;
  }[];
  readonly ehFrames: readonly FrameSection[];
  /** Stubs whose addresses the code holds. */
  readonly stubs: readonly IndirectStub[];
  /** Names it is bound to by address, without a stub: process symbols and data. */
  readonly directNames: readonly string[];
  /** Where it counts. */
  readonly counter: ExecutorAddr | undefined;
}
