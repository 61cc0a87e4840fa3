import type { KeyBytes } from '../cache/key-bytes.js';
import type { Call } from '../core/call-edges.js';
import type { IRBlock, IRBuilder, IRFunction } from '../ir/ir-builder.js';
import type { FunctionType } from '../ir/types.js';

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
  /** A function that calls another with its own arguments, which loops over columns apply. */
  application?(callee: string, parameterCount: number): Body;
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
