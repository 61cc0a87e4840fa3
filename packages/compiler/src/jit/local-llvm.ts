import type { IRPipeline } from '../layers/ir-pipeline.js';
import { type LibLLVM, loadLibLLVM } from '../llvm/libllvm.js';
import { createTargetMachine, type TargetMachine } from '../llvm/target-machine.js';

/** libLLVM in this process, for callers who use it themselves: FarJIT's own code is made by code generators. */
export class LocalLLVM {
  readonly #pipeline: Pick<IRPipeline, 'target' | 'optLevel'>;
  readonly #path: string | undefined;
  #library: LibLLVM | undefined;

  /** @param path of libLLVM; the newest unless it is given. */
  constructor(pipeline: Pick<IRPipeline, 'target' | 'optLevel'>, path: string | undefined) {
    this.#pipeline = pipeline;
    this.#path = path;
  }

  /** Loaded when it is first asked for. */
  get library(): LibLLVM {
    this.#library ??= loadLibLLVM(this.#path);
    return this.#library;
  }

  /** The caller disposes it. */
  createTargetMachine(): TargetMachine {
    const { target, optLevel } = this.#pipeline;
    return createTargetMachine(this.library, target, optLevel);
  }

  dataLayout(): string {
    const machine = this.createTargetMachine();
    try {
      return machine.dataLayout();
    } finally {
      machine.dispose();
    }
  }
}
