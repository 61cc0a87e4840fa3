import { outPointer, readPointer } from '../ffi/out-parameter.js';
import { CompileError } from './errors.js';
import {
  type BackEnd,
  type LibLLVM,
  LLVMCodeModelSmall,
  LLVMRelocPIC,
  type LLVMTargetMachineRef,
  type LLVMTargetRef,
  takeMessage,
} from './libllvm.js';
import { CODE_GEN_OPT_LEVEL, type CodeLevel, type TargetDescription } from './target.js';

/** The back end of each architecture that a triple may begin with. */
const BACK_ENDS: Readonly<Record<string, BackEnd>> = { x86_64: 'X86', aarch64: 'AArch64' };

/** An `LLVMTargetMachine` for position-independent code in the small code model, for who calls libLLVM in this process. */
export class TargetMachine implements Disposable {
  readonly ref: LLVMTargetMachineRef;
  readonly target: TargetDescription;
  readonly optLevel: CodeLevel;
  readonly #llvm: LibLLVM;
  #disposed = false;

  /** Takes over `ref`; `createTargetMachine` is what callers use. */
  constructor(llvm: LibLLVM, ref: LLVMTargetMachineRef, target: TargetDescription, optLevel: CodeLevel) {
    this.#llvm = llvm;
    this.ref = ref;
    this.target = target;
    this.optLevel = optLevel;
  }

  /** The target's data layout as LLVM writes it, such as `e-m:e-p270:32:32-...`. */
  dataLayout(): string {
    const llvm = this.#llvm;
    const layout = llvm.LLVMCreateTargetDataLayout(this.ref);
    const text = takeMessage(llvm, llvm.LLVMCopyStringRepOfTargetData(layout));
    llvm.LLVMDisposeTargetData(layout);
    return text;
  }

  /** Frees the machine; once is enough, more does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#llvm.LLVMDisposeTargetMachine(this.ref);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Makes the target machine for a description; the caller disposes of it.
 * @throws {CompileError} when this libLLVM has no code generator for the triple.
 */
export function createTargetMachine(
  llvm: LibLLVM,
  target: TargetDescription,
  optLevel: CodeLevel,
): TargetMachine {
  const ref = llvm.LLVMCreateTargetMachine(
    targetFromTriple(llvm, target.triple),
    target.triple,
    target.cpuName,
    target.cpuFeatures,
    CODE_GEN_OPT_LEVEL[optLevel],
    LLVMRelocPIC,
    LLVMCodeModelSmall,
  );
  if (ref === 0n) {
    throw new CompileError(
      target.triple,
      `libLLVM ${llvm.version} generates no code for the target ${target.triple}.`,
    );
  }
  return new TargetMachine(llvm, ref, target, optLevel);
}

function targetFromTriple(llvm: LibLLVM, triple: string): LLVMTargetRef {
  const backEnd = BACK_ENDS[triple.split('-', 1)[0] ?? ''];
  if (backEnd === undefined) {
    throw new CompileError(
      triple,
      `The target ${triple} is not supported: FarJIT generates code for ${Object.keys(BACK_ENDS).join(' and ')}.`,
    );
  }
  llvm.initializeBackEnd(backEnd);
  const outTarget = outPointer();
  const outMessage = outPointer();
  if (llvm.LLVMGetTargetFromTriple(triple, outTarget, outMessage) !== 0) {
    throw new CompileError(
      triple,
      `libLLVM ${llvm.version} does not know the target ${triple}: ${takeMessage(llvm, readPointer(outMessage))}`,
    );
  }
  return readPointer(outTarget);
}
