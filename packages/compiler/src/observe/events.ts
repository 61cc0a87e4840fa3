import { EventStream as Events, type FrameEvent, type RunnerEnd, type RunnerStarted } from '@farjit/protocol';
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

/** What a cache has to say; all but the first two happen on disk. */
export type CacheEvent =
  | {
      readonly type: 'cache-hit';
      readonly unit: string;
      readonly from: 'memory' | 'disk';
      readonly objectBytes: number;
    }
  | { readonly type: 'cache-miss'; readonly unit: string }
  | { readonly type: 'cache-stored'; readonly objectCount: number; readonly sizeBytes: number }
  /** Of a file that is of no use as a whole, one. */
  | { readonly type: 'cache-damaged'; readonly objectCount: number }
  /** Said once: from then on nothing is read from the directory or written to it. */
  | { readonly type: 'cache-unusable'; readonly reason: string };

/**
 * Everything that happens in a session, in order. Statistics, the command line's progress and anyone who wants
 * to look inside read this one stream.
 */
export type SessionEvent =
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
      readonly type: 'linked';
      readonly unit: string;
      readonly linkMs: number;
      readonly segmentBytes: number;
    }
  | {
      readonly type: 'callback';
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
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr'; readonly content: Uint8Array }
  | ({ readonly type: 'frame' } & FrameEvent);

export type SessionListener = (event: SessionEvent) => void;

/** A session's. */
export class EventStream extends Events<SessionEvent> {}
