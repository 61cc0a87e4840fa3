/** What code is generated for; plain data. */
export interface TargetDescription {
  /** LLVM target triple, such as `x86_64-pc-linux-gnu`. */
  triple: string;
  /** LLVM's name of the CPU, such as `skylake`; the empty string is the generic one. */
  cpuName: string;
  /** Comma-separated, each with a sign: `+avx2,-avx512f`. May be empty. */
  cpuFeatures: string;
}

/** As on compilers' command lines: 0 for none, 3 for the most. */
export type OptLevel = 0 | 1 | 2 | 3;

/**
 * How code is made: at a level, or as a function's first code, which has to be made fast (`first`: the passes of level
 * 1, the code generation of level 0).
 */
export type CodeLevel = OptLevel | 'first';

/**
 * `LLVMCodeGenOptLevel` by `CodeLevel`: None, Less, Default, Aggressive.
 *
 * Only None differs in cost: it selects instructions with FastISel and allocates registers without looking ahead.
 */
export const CODE_GEN_OPT_LEVEL: Readonly<Record<CodeLevel, number>> = { first: 0, 0: 0, 1: 2, 2: 2, 3: 3 };
