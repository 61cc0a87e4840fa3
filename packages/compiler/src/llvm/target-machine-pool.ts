import type { LibLLVM } from './libllvm.js';
import {
  type CodeLevel,
  createTargetMachine,
  type TargetDescription,
  type TargetMachine,
} from './target-machine.js';

/** Idle machines kept of each kind: as many as libuv's pool compiles at a time, by its default size. */
const IDLE_PER_KIND = 4;

/**
 * Target machines for compilations to come, each lent to one at a time.
 *
 * A machine works out its CPU's scheduling model and features once, at the first function: together with making it,
 * 0.6 ms, half of what compiling a small function takes.
 */
export class TargetMachinePool implements Disposable {
  readonly #llvm: LibLLVM;
  readonly #idle = new Map<string, TargetMachine[]>();
  #disposed = false;

  constructor(llvm: LibLLVM) {
    this.#llvm = llvm;
  }

  /**
   * Lends a machine until `release`.
   * @throws {CompileError} when this libLLVM has no code generator for the triple.
   */
  acquire(target: TargetDescription, optLevel: CodeLevel): TargetMachine {
    return (
      this.#idle.get(kindOf(target, optLevel))?.pop() ?? createTargetMachine(this.#llvm, target, optLevel)
    );
  }

  /** Takes a machine back. */
  release(machine: TargetMachine): void {
    const kind = kindOf(machine.target, machine.optLevel);
    const idle = this.#idle.get(kind) ?? [];
    if (this.#disposed || idle.length >= IDLE_PER_KIND) {
      machine.dispose();
      return;
    }
    idle.push(machine);
    this.#idle.set(kind, idle);
  }

  /** Frees the idle machines; those on loan are freed when they come back. */
  dispose(): void {
    this.#disposed = true;
    for (const machine of [...this.#idle.values()].flat()) machine.dispose();
    this.#idle.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function kindOf(target: TargetDescription, optLevel: CodeLevel): string {
  return JSON.stringify([optLevel, target.triple, target.cpuName, target.cpuFeatures]);
}
