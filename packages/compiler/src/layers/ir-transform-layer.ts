import type { ThreadOptions } from '../llvm/emit.js';
import { CompileError } from '../llvm/errors.js';
import type { IRModule } from '../llvm/ir-module.js';
import { type LibLLVM, takeError } from '../llvm/libllvm.js';
import type { CodeLevel, TargetMachine } from '../llvm/target-machine.js';

/**
 * A change to a module between IR generation and code generation, made through `module.llvm`.
 *
 * It runs before the module gets its sections and attributes, and what it leaves is verified.
 */
export type IRTransform = (module: IRModule, machine: TargetMachine) => void | Promise<void>;

/** How `optimizeModule` runs. */
export interface OptimizeOptions extends ThreadOptions {
  /** A pipeline in the words of `opt -passes=` instead of the level's; the empty string is none. */
  passes?: string;
}

/** The layer that applies a list of transforms in order, as the tutorial's `IRTransformLayer` applies its function. */
export class IRTransformLayer {
  readonly #transforms: readonly IRTransform[];

  constructor(transforms: readonly IRTransform[] = []) {
    this.#transforms = transforms;
  }

  /** Runs every transform on the module; the first error ends it. */
  async apply(module: IRModule, machine: TargetMachine): Promise<void> {
    for (const transform of this.#transforms) await transform(module, machine);
  }
}

/**
 * Runs the pass pipeline of a level on a module, as the tutorial's function of that name does with its four passes.
 * @throws {CompileError} when this libLLVM does not know the pipeline.
 */
export async function optimizeModule(
  module: IRModule,
  machine: TargetMachine,
  level: CodeLevel,
  options: OptimizeOptions = {},
): Promise<void> {
  const { llvm } = module;
  const passes = options.passes ?? passPipeline(llvm, level);
  if (passes === '') return;
  const builderOptions = llvm.LLVMCreatePassBuilderOptions();
  try {
    const error =
      options.inNewThread === true
        ? await llvm.LLVMRunPassesInNewThread(module.ref, passes, machine.ref, builderOptions)
        : llvm.LLVMRunPasses(module.ref, passes, machine.ref, builderOptions);
    if (error !== 0n) {
      throw new CompileError(
        module.name,
        `Cannot run the passes "${passes}" on module ${module.name}: ${takeError(llvm, error)}`,
      );
    }
  } finally {
    llvm.LLVMDisposePassBuilderOptions(builderOptions);
  }
}

/**
 * The pass pipeline of a level.
 *
 * | level | passes | code generation |
 * | --- | --- | --- |
 * | first | level 1's | None |
 * | 0 | none | None |
 * | 1 | the tutorial's: mem2reg, instcombine, reassociate, gvn, simplifycfg | Default |
 * | 2 | LLVM's `default<O2>` | Default |
 * | 3 | LLVM's `default<O3>` | Aggressive |
 *
 * Code generation at None (FastISel) takes a quarter of the time and leaves a floating-point loop running 2.7 times as
 * long; the other three cost the same. The tutorial's passes make that loop 1.8 times as fast as none; `default<O2>`
 * takes seven times as long as they do and gains nothing more in scalar code. So first code goes through the tutorial's
 * passes: in modules of 64 small functions they cost 14 µs a function, and code generation takes 6 µs less after them.
 */
export function passPipeline(llvm: Pick<LibLLVM, 'majorVersion'>, level: CodeLevel): string {
  switch (level) {
    case 0:
      return '';
    case 1:
    case 'first':
      return `function(mem2reg,${instCombine(llvm)},reassociate,gvn,simplifycfg)`;
    default:
      return `default<O${level}>`;
  }
}

/**
 * From 18 on, instcombine asked for by name aborts the process when its one iteration leaves something to combine, a
 * check for LLVM's own tests; the standard pipelines ask for it without.
 */
function instCombine(llvm: Pick<LibLLVM, 'majorVersion'>): string {
  return llvm.majorVersion >= 18 ? 'instcombine<no-verify-fixpoint>' : 'instcombine';
}
