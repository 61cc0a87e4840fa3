import type { FrameEvent, RunnerEnd, RunnerStarted } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Limit } from '@farjit/protocol/limits';

/** What a compiled object was made from. */
export type UnitKind = 'function' | 'expression' | 'wrapper' | 'loop' | 'module';

/** Of functions in an object, those that are the program's: others are made to call them. */
export function functionsIn(kind: UnitKind, functionCount: number): number {
  if (kind === 'function') return 1;
  return kind === 'module' ? functionCount : 0;
}

/** Who made an object: LLVM, or a front end that makes its functions' first code itself. */
export type UnitCompiler = 'llvm' | 'front-end';

/** Milliseconds of each stage between an AST (or IR module) and its object: of a front end's own, `emitMs` is all of it. */
export interface CompileTimings {
  readonly irgenMs: number;
  readonly parseMs: number;
  readonly passesMs: number;
  readonly emitMs: number;
}

/** What becomes of a session's connection. */
export type ConnectionEvent =
  | {
      readonly type: 'connection-lost';
      readonly reason: string;
      /** For so long the session can be resumed, and is tried to be. */
      readonly timeToLiveMs: number;
    }
  /** An attempt: the executor cannot be reached yet. */
  | { readonly type: 'resume-failed'; readonly error: Error }
  | {
      readonly type: 'connection-resumed';
      /** Frames that were lost with the connection and have been sent again. */
      readonly replayedCount: number;
    };

/** Where an object was found that is not in this process's memory: in this user's directory, or where compilers share them. */
export type StoreKind = 'disk' | 'store';

/** What a cache has to say; all but the first two happen on disk. */
export type CacheEvent =
  | {
      readonly type: 'cache-hit';
      readonly unit: string;
      readonly from: 'memory' | StoreKind;
      readonly objectBytes: number;
    }
  | { readonly type: 'cache-miss'; readonly unit: string }
  | { readonly type: 'cache-stored'; readonly objectCount: number; readonly sizeBytes: number }
  /** Of a file that is of no use as a whole, one. */
  | { readonly type: 'cache-damaged'; readonly objectCount: number }
  /** Said once: from then on nothing is read from the directory or written to it. */
  | { readonly type: 'cache-unusable'; readonly reason: string };

/** What there is to say of an event of each type. */
export type EventBody =
  | { readonly type: 'defined'; readonly name: string }
  | {
      readonly type: 'compiled';
      readonly unit: string;
      /** A piece is some functions of a module, or its data. */
      readonly kind: UnitKind | 'piece';
      readonly compiler: UnitCompiler;
      readonly objectBytes: number;
      readonly timings: CompileTimings;
      /** Those of a piece. */
      readonly functions?: readonly string[];
      /** Functions of the program's that are in it. */
      readonly functionCount: number;
    }
  | {
      /** A code generator has made an object of a module: of a unit's, of several units' together, or of a piece of one. */
      readonly type: 'module-compiled';
      readonly module: string;
      /** The level of its passes, or `baseline`. */
      readonly level: string;
      readonly llvmVersion: string;
      readonly inputForm: 'bitcode' | 'recording' | 'assembly';
      readonly inputBytes: number;
      readonly objectBytes: number;
      /** When its IR was begun to be made, where it was; when a code generator was given it, and when that had answered. */
      readonly beganNs: number;
      readonly sentNs: number;
      readonly answeredNs: number;
      readonly timings: CompileTimings;
      /** The pipeline, in the words of `opt -passes=`. */
      readonly passes: string;
      /** SHA-256 of what went in and of what came out, where artefacts are kept: see `JIT.artefact`. */
      readonly input?: string;
      /** With `input`: functions that were the program's own, whatever they are called, and what of the module was compiled. */
      readonly programDefined?: readonly string[];
      readonly piece?: {
        readonly kind: string;
        readonly asked: readonly string[];
        readonly compiled: readonly string[];
        readonly most: number;
      };
      readonly object?: string;
    }
  | {
      readonly type: 'linked';
      readonly unit: string;
      /** Where its first byte is, and that of its code: `address`. */
      readonly beganNs: number;
      /** Names of its functions. */
      readonly functions: readonly string[];
      /** SHA-256 of its link graph, and of its segments' contents one after the other: as of `module-compiled`. */
      readonly graph?: string;
      readonly bytes?: string;
      readonly linkMs: number;
      readonly segmentBytes: number;
    }
  /** Threads wait for a function: `reenter` has come. `address` is its trampoline's. */
  | {
      readonly type: 'callback-begun';
      /** Number of the request, which all events of this callback say. */
      readonly callback: number;
      readonly name: string;
    }
  | {
      /** It has been answered: said when the answer is made, with all that it takes along. */
      readonly type: 'callback';
      readonly callback: number;
      /** Public name of the function whose trampoline was hit. */
      readonly name: string;
      /** Between the request's arrival and its answer, in the compiler. */
      readonly handlingMs: number;
      readonly outcome: 'landed' | 'failed';
    }
  | {
      readonly type: 'guessed';
      /** Functions that LLVM compiles because one they may be called from was asked for. */
      readonly names: readonly string[];
    }
  | {
      readonly type: 'guess-failed';
      /** A function that was guessed and not compiled, or not linked: it is not guessed again. When called, it is tried anew. */
      readonly name: string;
      readonly error: Error;
    }
  | {
      readonly type: 'linked-ahead';
      /** Functions found and linked because one they may be called from was asked for: their objects were kept, or made at once. */
      readonly names: readonly string[];
    }
  | ConnectionEvent
  | CacheEvent
  | {
      readonly type: 'tier-up';
      /** A function that had become hot, compiled again; its stub leads to the new code. */
      readonly name: string;
      /** Functions whose bodies were there to be inlined. */
      readonly available: readonly string[];
      /** Undefined when the object had been kept from an earlier compilation. */
      readonly compiled: { readonly objectBytes: number; readonly timings: CompileTimings } | undefined;
    }
  /** A hot function stays as it was. */
  | { readonly type: 'tier-up-failed'; readonly name: string; readonly error: Error }
  | {
      readonly type: 'tier-down';
      /** A function whose better code is given up. */
      readonly name: string;
      /** What that code depended on and has changed. */
      readonly changed: string;
    }
  | { readonly type: 'called'; readonly name: string; readonly wallMs: number }
  | { readonly type: 'removed'; readonly name: string }
  | { readonly type: 'runner-started'; readonly runner: RunnerStarted }
  | { readonly type: 'runner-lost'; readonly generation: number; readonly end: RunnerEnd }
  /** The program was refused memory or a thread, and goes on. */
  | { readonly type: 'limit-reached'; readonly generation: number; readonly limit: Limit }
  /** The executor says that memory is short, and guesses are held back, or that it is not any more. */
  | { readonly type: 'memory-pressure'; readonly isHigh: boolean }
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr'; readonly content: Uint8Array }
  | {
      /** A recording keeps a function's IR after each pass: `passes` is the SHA-256 of JSON, a list of `pass`, `on`, `changed` and `ir`. */
      readonly type: 'passes-recorded';
      readonly name: string;
      readonly unit: string;
      readonly llvmVersion: string;
      readonly passes: string;
    }
  | ({ readonly type: 'frame' } & FrameEvent)
  | HostSideEvent
  /** Events that the host, or who reads events, could not keep. */
  | { readonly type: 'events-missed'; readonly count: number; readonly where: 'host' | 'reader' };

/** What happens in the host and in the runner: heard by listeners who ask for it, some of it at a time and so later than the rest. */
export type HostSideEvent =
  | { readonly type: 'doorbell'; readonly callback: number; readonly rangNs: number }
  | { readonly type: 'thread-blocked'; readonly callback: number; readonly isFirst: boolean }
  | {
      readonly type: 'answer-received';
      readonly callback: number;
      readonly outcome: 'landed' | 'failed';
    }
  | {
      readonly type: 'commit-written';
      readonly beganNs: number;
      readonly segmentCount: number;
      readonly pointerCount: number;
    }
  | { readonly type: 'thread-released'; readonly callback: number }
  | { readonly type: 'thread-landed'; readonly callback: number }
  | { readonly type: 'host-runner-started' }
  | { readonly type: 'host-runner-ended'; readonly end: string };

/** Where and when an event was. What does not concern it is undefined. */
export interface EventStamp {
  /** Nanoseconds since the session's clock began: of the compiler's monotonic clock, to which the host's is related. */
  readonly atNs: number;
  /** By so much `atNs` may be wrong, of what was seen by another process's clock. */
  readonly errorNs: number;
  readonly process: 'compiler' | 'host' | 'runner' | 'code-generator';
  readonly processId: number;
  /** As the executor calls it. */
  readonly session: string;
  readonly generation?: number | undefined;
  /** Number of the request that runs the call. */
  readonly call?: number | undefined;
  readonly thread?: number | undefined;
  readonly unit?: string | undefined;
  readonly symbol?: string | undefined;
  readonly address?: ExecutorAddr | undefined;
  readonly sizeBytes?: number | undefined;
}

/** Something that happens in a session: who wants to look inside reads one stream of these. */
export type SessionEvent = EventBody & EventStamp;

export type SessionListener = (event: SessionEvent) => void;
