import { FarJITError } from '@farjit/protocol/errors';

/**
 * LLVM ended its process over a module: a fatal error of its own, or a crash. Other modules are not concerned, and the next
 * one gets a new process.
 * @remarks Look at the module, and at LLVM’s last words in the message; give it more time with `codegenLimitMs` if that is
 * what it says.
 */
export class CodegenLostError extends FarJITError {
  /** The module being compiled; empty when there was none. */
  readonly moduleName: string;

  constructor(moduleName: string, reason: string) {
    super('CODEGEN_LOST', `LLVM gave up${moduleName && ` on module ${moduleName}`}: ${reason}`);
    this.moduleName = moduleName;
  }
}
