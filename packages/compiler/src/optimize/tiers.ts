import type { CodeLevel, OptLevel } from '../llvm/target.js';

/** Code to stay: LLVM's inliner is in its standard pipelines only. */
export const OPTIMIZED_LEVEL: CodeLevel = 2;

/**
 * Entries and loop iterations after which a function is worth optimising. They cost some 10 ns each in baseline code, so
 * that is 0.1 ms of running, against 3 ms of another core for compiling: few programs end within the 3 ms after it, and a
 * function that only starts a program up does not get there.
 */
export const HOT_THRESHOLD = 10_000;

/**
 * Bodies that one optimised function may see, nearest in the call graph first, and how many nodes they may have
 * altogether: it bounds a compilation to about 20 ms, and LLVM inlines little of what is farther away.
 */
export const MAX_AVAILABLE_FUNCTIONS = 32;
export const MAX_AVAILABLE_NODES = 2000;

/** Whether front ends that can make the first code of their functions themselves, or leave that to LLVM. */
export type BaselineMode = 'on' | 'off';

/** How functions are compiled: once at a level, or first fast, and again when they have become hot. */
export type TierPolicy =
  | { readonly kind: 'pinned'; readonly optLevel: OptLevel }
  | { readonly kind: 'tiered'; readonly hotThreshold: number };

/** What an optimising compilation is made from, besides the ASTs that the names mean: plain data. */
export interface OptimizationPlan {
  readonly name: string;
  readonly level: CodeLevel;
  /** Functions whose bodies are there to be inlined. */
  readonly available: readonly string[];
  /** Names whose meaning the object depends on: what is available, and all that it or the function itself calls. */
  readonly dependencies: readonly string[];
}
