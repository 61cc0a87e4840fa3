import { CompileError } from './errors.js';
import type { IRModule } from './ir-module.js';
import { LLVMCodeGenFileType, takeMemoryBuffer, takeMessage } from './libllvm.js';
import { outPointer, readPointer } from './out-parameter.js';
import type { TargetMachine } from './target-machine.js';

/** On which thread one of LLVM's long calls runs. */
export interface ThreadOptions {
  /** On libuv's thread pool, leaving the event loop free, instead of right here. Default false. */
  inNewThread?: boolean;
}

/** What code generation makes of a module. */
export type EmittedFile = 'object' | 'assembly';

/**
 * Generates code for a module. It lowers the module's IR in place, so a module is emitted once.
 * @returns the object file, or assembly as text.
 * @throws {CompileError} with LLVM's message.
 */
export async function emit(
  module: IRModule,
  machine: TargetMachine,
  file: EmittedFile,
  options: ThreadOptions = {},
): Promise<Buffer> {
  const { llvm } = module;
  const fileType =
    file === 'object' ? LLVMCodeGenFileType.LLVMObjectFile : LLVMCodeGenFileType.LLVMAssemblyFile;
  const outMessage = outPointer();
  const outBuffer = outPointer();
  const failed =
    options.inNewThread === true
      ? await llvm.LLVMTargetMachineEmitToMemoryBufferInNewThread(
          machine.ref,
          module.ref,
          fileType,
          outMessage,
          outBuffer,
        )
      : llvm.LLVMTargetMachineEmitToMemoryBuffer(machine.ref, module.ref, fileType, outMessage, outBuffer);
  if (failed !== 0) {
    const reason = takeMessage(llvm, readPointer(outMessage));
    throw new CompileError(module.name, `Cannot generate code for module ${module.name}: ${reason}`);
  }
  return takeMemoryBuffer(llvm, readPointer(outBuffer));
}
