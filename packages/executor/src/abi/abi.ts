/**
 * All that the host needs to know of the architecture that a runner's code is for. One object each: `x86-64.ts`; which one
 * it is, `choose-abi.ts` says. What the runner knows of it is behind `runner/abi.h`.
 */
export interface Abi {
  /** LLVM's target triple of the runner. */
  readonly triple: string;
  /** LLVM's name of the CPU to generate code for. */
  readonly cpuName: string;
  readonly pointerBytes: number;
  /** Memory is reserved and protected in pages. */
  readonly pageBytes: number;
  /** Addresses of user space are smaller than 2 to that power. */
  readonly userAddressBits: number;
  /** Stub `i` lies so many bytes times `i` behind the first. */
  readonly stubBytes: number;
  /** As for stubs. */
  readonly trampolineBytes: number;
  /** Of the registers in a trap report, in its order. */
  readonly registerNames: readonly string[];

  /**
   * LLVM's feature string to generate code for: all that this machine has, or those of it that were asked for. Hosts that are
   * told the same can run the same code.
   * @param asked as in `+avx2,+fma`; the empty string is the baseline.
   * @throws {RangeError} for features that this machine does not have.
   */
  chooseCpuFeatures(asked?: string): string;

  /** Pointers as they lie in memory, of which each is `stride` more than the one before. */
  encodePointers(first: bigint, stride: bigint, count: number): Buffer;

  /**
   * The code of stubs from `stubsAddress` on, each of which jumps through its own of the pointers from `pointersAddress` on.
   * @throws {RangeError} when a stub does not reach its pointer.
   */
  encodeStubs(stubsAddress: bigint, pointersAddress: bigint, stubCount: number): Buffer;

  /**
   * The code of trampolines from `trampolinesAddress` on, which all call the resolver through one pointer.
   * @throws {RangeError} when a trampoline does not reach the pointer.
   */
  encodeTrampolines(
    trampolinesAddress: bigint,
    resolverPointerAddress: bigint,
    trampolineCount: number,
  ): Buffer;

  /** Where a trampoline begins whose call to the resolver would return there. */
  trampolineOf(returnAddress: bigint): bigint;
}
