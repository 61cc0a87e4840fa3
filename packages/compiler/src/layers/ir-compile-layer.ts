import type { CompileInput, CompileOutput } from '../codegen/compile-input.js';
import type { ModuleInterface } from '../llvm/module-interface.js';

/** What turns IR into object files, wherever it does it. */
export interface IRCompileLayer {
  /** Rejects with `BitcodeError` or `CompileError`. */
  compile(input: CompileInput): Promise<CompileOutput>;
  /** The module's LLVM assembly after the passes, or the target's assembly. Rejects as `compile` does. */
  print(input: CompileInput, what: 'ir' | 'asm'): Promise<string>;
}

/** A compile layer that gives IR as bitcode, too, for others to work on, and looks at what comes back. */
export interface BitcodeCompileLayer extends IRCompileLayer {
  /** The module after its passes. Rejects as `compile` does. */
  writeBitcode(input: CompileInput): Promise<Uint8Array>;
  /** Verifies a module, and answers what it defines for others. Rejects as `compile` does. */
  readInterface(name: string, bitcode: Uint8Array): Promise<ModuleInterface>;
}
