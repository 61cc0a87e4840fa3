import { FarJITError } from '@farjit/protocol/errors';

/**
 * LLVM ended its process over a module: a fatal error of its own, or a crash. Other modules are not concerned, and the
 * next one gets a new process. Code `CODEGEN_LOST`.
 */
export class CodegenLostError extends FarJITError {
  /** The module being compiled; empty when there was none. */
  readonly moduleName: string;

  constructor(moduleName: string, reason: string) {
    super('CODEGEN_LOST', `LLVM gave up${moduleName && ` on module ${moduleName}`}: ${reason}`);
    this.moduleName = moduleName;
  }
}
