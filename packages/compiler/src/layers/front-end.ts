import type { KeyBytes } from '../cache/key-bytes.js';
import type { WrapperSignature } from '../calls/call-signature.js';
import type { Call } from '../core/call-edges.js';
import type { IRBlock, IRBuilder, IRFunction } from '../ir/ir-builder.js';
import type { FunctionType } from '../ir/types.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import type { TargetDescription } from '../llvm/target.js';

/**
 * All that the core asks about a language. Its functions are `Body`s, which nobody else looks into. Laziness, caching,
 * speculation, tiers and calls are the core's, and need no line of a front end's own.
 */
export interface FrontEnd<Body extends object> {
  /** Of the language; keys begin with it. */
  readonly name: string;
  /** What others call the function. */
  nameOf(body: Body): string;
  typeOf(body: Body): FunctionType;
  /** With how many parameters bodies call a name, as names are now; undefined for one that they cannot call. */
  parameterCountOf(name: string): number | undefined;
  /** The functions it calls, in the order in which a run calls them. */
  callsOf(body: Body): readonly Call[];
  /** How large it is, in nodes or the like: what is large is not inlined. */
  sizeOf(body: Body): number;
  /** Adds all that its code depends on, but for what the names it calls mean. */
  addKey(body: Body, bytes: KeyBytes): void;
  /**
   * Finds what is wrong with it, as names are now.
   * @throws whatever tells its author: the call that wanted it rejects with that as its cause.
   */
  check(body: Body): void;
  /** Emits the body of what `check` has found right. */
  emit(body: Body, emission: BodyEmission): void;
  /**
   * Code to begin with, made without IR, of what `check` has found right: what becomes hot is compiled again from its IR. Calls
   * go to symbols of their callees' names, through edges that a call of a function elsewhere takes.
   * @returns undefined for what it cannot make, which is compiled from IR at once. The graph is used up by linking, and asked
   *   for again.
   */
  firstCode?(body: Body, request: FirstCodeRequest): LinkGraph | undefined;
  /**
   * The code that calls from outside of functions of a signature go through, made without IR: `void symbol(void *block)`, where the
   * block has the function's address at 0, where its result goes, and its arguments at 8 and up, 8 bytes each.
   * @returns undefined for a signature that LLVM is to make it for.
   */
  wrapperCode?(signature: WrapperSignature, request: WrapperCodeRequest): LinkGraph | undefined;
  /** What `firstCode` makes in assembly, for people, who are shown bytes without it. */
  printFirstCode?(body: Body, request: FirstCodeRequest): string | undefined;
  /** A function that calls another with its own arguments, which loops over columns apply. */
  application?(callee: string, parameterCount: number): Body;
}

/** Of what `FrontEnd.firstCode` makes. */
export interface FirstCodeRequest {
  readonly target: TargetDescription;
  /** Of the function, exported and live. */
  readonly symbol: string;
  /**
   * Of another function `void (double *result)`, exported and live: it calls the first, which has no parameters and gives a double,
   * and stores what that gives. Undefined when nobody asks for it.
   */
  readonly entry: string | undefined;
  /** Each entry and each iteration of a loop is counted with these; undefined when nothing is counted. */
  readonly counting: Counting | undefined;
}

/** Of what `FrontEnd.wrapperCode` makes. */
export interface WrapperCodeRequest {
  readonly target: TargetDescription;
  /** Of the function, exported and live. */
  readonly symbol: string;
}

/** What counted code counts with, by their symbols. */
export interface Counting {
  /** `uint32_t`, at 0 in the beginning. A count adds 1. */
  readonly counter: string;
  /** `const uint32_t`: the count that makes the function hot. */
  readonly threshold: string;
  /**
   * `void (uint32_t *counter)`: counts, and tells when that makes the function hot. To store the threshold is for it alone, so
   * that nobody passes it by.
   */
  readonly function: string;
}

/** Where a body is emitted. */
export interface BodyEmission {
  readonly ir: IRBuilder;
  readonly function: IRFunction;
  /** The function's first block, at whose end the builder stands. */
  readonly entry: IRBlock;
  /** What a call of a name goes to. */
  calleeOf(name: string, type: FunctionType): IRFunction;
  /** Emits a count where the builder stands, for each iteration of a loop; undefined when nothing is counted. */
  readonly count: (() => void) | undefined;
}
