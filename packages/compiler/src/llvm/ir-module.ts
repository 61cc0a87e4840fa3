import { outPointer, readPointer } from '../ffi/out-parameter.js';
import { findBitstreamDamage } from './bitstream.js';
import { BitcodeError, CompileError } from './errors.js';
import { copyBytes } from './libc.js';
import {
  type LibLLVM,
  type LLVMContextRef,
  type LLVMMemoryBufferRef,
  type LLVMModuleRef,
  LLVMReturnStatusAction,
  type LLVMValueRef,
  takeMemoryBuffer,
  takeMessage,
} from './libllvm.js';

/** A function of an `IRModule`; lives as long as the module. */
export interface IRFunction {
  ref: LLVMValueRef;
  /** Its name's bytes as UTF-8; empty when it has none. */
  name: string;
  isDeclaration: boolean;
}

/** A module in libLLVM, with a context of its own, so that different modules may be worked on by different threads. */
export class IRModule implements Disposable {
  readonly llvm: LibLLVM;
  readonly name: string;
  readonly context: LLVMContextRef;
  readonly ref: LLVMModuleRef;
  #disposed = false;

  private constructor(llvm: LibLLVM, name: string, context: LLVMContextRef, ref: LLVMModuleRef) {
    this.llvm = llvm;
    this.name = name;
    this.context = context;
    this.ref = ref;
  }

  /**
   * Reads a module from bitcode. `name` is for messages and becomes the module's identifier.
   *
   * Bytes that are no bitcode, or only the beginning of some, are refused. Other damage is mostly refused, but
   * libLLVM's reader aborts the process on some, 14's on much of it: bitcode from strangers belongs in a process of
   * its own.
   * @throws {BitcodeError} with the reason.
   */
  static parse(llvm: LibLLVM, name: string, bitcode: Uint8Array): IRModule {
    const damage = findBitstreamDamage(bitcode);
    if (damage !== undefined) throw new BitcodeError(name, `Module ${name} is not bitcode: ${damage}.`);
    const context = llvm.LLVMContextCreate();
    try {
      const ref = parseBitcode(llvm, context, name, bitcode);
      const identifier = Buffer.from(name);
      llvm.LLVMSetModuleIdentifier(ref, identifier, BigInt(identifier.length));
      return new IRModule(llvm, name, context, ref);
    } catch (error) {
      llvm.LLVMContextDispose(context);
      throw error;
    }
  }

  /** The module as LLVM assembly. */
  print(): string {
    return takeMessage(this.llvm, this.llvm.LLVMPrintModuleToString(this.ref));
  }

  /** The module as bitcode of this libLLVM. */
  toBitcode(): Uint8Array {
    return takeMemoryBuffer(this.llvm, this.llvm.LLVMWriteBitcodeToMemoryBuffer(this.ref));
  }

  /**
   * Checks what passes and code generation take for granted; they may crash on a module that fails.
   * @throws {CompileError} with the verifier's findings.
   */
  verify(): void {
    const outMessage = outPointer();
    const broken = this.llvm.LLVMVerifyModule(this.ref, LLVMReturnStatusAction, outMessage) !== 0;
    const message = takeMessage(this.llvm, readPointer(outMessage));
    if (broken) {
      throw new CompileError(
        this.name,
        `Module ${this.name} does not pass LLVM's verifier: ${message.trim()}`,
      );
    }
  }

  /** All functions, declarations too, in the module's order. */
  functions(): IRFunction[] {
    const { llvm } = this;
    const functions: IRFunction[] = [];
    for (let ref = llvm.LLVMGetFirstFunction(this.ref); ref !== 0n; ref = llvm.LLVMGetNextFunction(ref)) {
      functions.push({
        ref,
        name: this.valueName(ref).toString('utf8'),
        isDeclaration: llvm.LLVMIsDeclaration(ref) !== 0,
      });
    }
    return functions;
  }

  /** The exact bytes of a value's name; IR allows any. */
  valueName(value: LLVMValueRef): Buffer {
    const outLength = outPointer();
    const start = this.llvm.LLVMGetValueName2(value, outLength);
    return copyBytes(this.llvm.libc, start, Number(readPointer(outLength)));
  }

  /** Frees module and context; once is enough, more does nothing. Everything got from the module ends with it. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.llvm.LLVMDisposeModule(this.ref);
    this.llvm.LLVMContextDispose(this.context);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function parseBitcode(
  llvm: LibLLVM,
  context: LLVMContextRef,
  name: string,
  bitcode: Uint8Array,
): LLVMModuleRef {
  const bytes = Buffer.from(bitcode.buffer, bitcode.byteOffset, bitcode.byteLength);
  const buffer: LLVMMemoryBufferRef = llvm.LLVMCreateMemoryBufferWithMemoryRange(
    bytes,
    BigInt(bytes.length),
    'bitcode',
    0,
  );
  const outModule = outPointer();
  const outMessage = outPointer();
  const failed = llvm.LLVMParseBitcodeInContext(context, buffer, outModule, outMessage) !== 0;
  llvm.LLVMDisposeMemoryBuffer(buffer);
  if (failed) {
    const reason = takeMessage(llvm, readPointer(outMessage));
    throw new BitcodeError(
      name,
      `Module ${name} is not bitcode that libLLVM ${llvm.version} reads: ${reason}`,
    );
  }
  return readPointer(outModule);
}

/**
 * Changes bitcode by way of a module in this process, as a transform may. What LLVM aborts over ends this process.
 * @param change works on the module through `module.llvm`, and leaves it to be written.
 * @throws {BitcodeError} when this libLLVM does not read it.
 * @throws {CompileError} when it does not verify any more: writing what is broken may crash.
 */
export async function changeModule(
  llvm: LibLLVM,
  name: string,
  bitcode: Uint8Array,
  change: (module: IRModule) => void | Promise<void>,
): Promise<Uint8Array> {
  using module = IRModule.parse(llvm, name, bitcode);
  await change(module);
  module.verify();
  return module.toBitcode();
}
