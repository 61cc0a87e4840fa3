import { FarJITError } from '@farjit/protocol/errors';
import llvm from 'llvm-bindings';
import {
  type CallSignature,
  callWrapperName,
  MAIN_WRAPPER_NAME,
  type ScalarKind,
  SLOT_BYTES,
} from './call-signature.js';
import type { ModulePool, PooledModule } from './module-pool.js';

/** A verified module with one wrapper. Write its bitcode, then discard it. */
export interface GeneratedWrapper {
  readonly module: llvm.Module;
  /** Symbol of the wrapper, `void name(i8* block)`. */
  readonly name: string;
  discard(): void;
}

/**
 * A wrapper `void call$…(i8* block)` that calls any function of the signature:
 *
 * | block offset | before | after |
 * | --- | --- | --- |
 * | 0 | address of the function | the result; unchanged for `void` |
 * | 8 + 8·i | argument i | unchanged |
 *
 * Of the result's slot only the natural size is written.
 */
export function generateCallWrapper(modules: ModulePool, signature: CallSignature): GeneratedWrapper {
  return generateWrapper(modules, callWrapperName(signature), (emitter) => {
    const values = signature.parameters.map((kind, index) =>
      emitter.loadArgument(kind, SLOT_BYTES * (1 + index)),
    );
    const type = llvm.FunctionType.get(
      emitter.resultType(signature.result),
      signature.parameters.map((kind) => emitter.passedType(kind)),
      false,
    );
    const result = emitter.callFunctionAtStart(type, values);
    if (signature.result !== 'void') emitter.storeResult(signature.result, result);
  });
}

/**
 * A wrapper `void call$main(i8* block)` that calls an `int main(int argc, char **argv)`:
 *
 * | block offset | before | after |
 * | --- | --- | --- |
 * | 0 | address of the function | the exit code, an i32 |
 * | 8 | argc, an i64 | unchanged |
 * | 16 + 8·i | offset of string i from the block's start | its address |
 * | 16 + 8·argc | reserved | null |
 * | behind | the strings, NUL-terminated | as the function left them |
 */
export function generateMainWrapper(modules: ModulePool): GeneratedWrapper {
  return generateWrapper(modules, MAIN_WRAPPER_NAME, (emitter) => emitter.callMain());
}

function generateWrapper(
  modules: ModulePool,
  name: string,
  emitBody: (emitter: WrapperEmitter) => void,
): GeneratedWrapper {
  const target = modules.acquire();
  try {
    emitBody(new WrapperEmitter(modules, target, name));
    modules.builder.CreateRetVoid();
    if (llvm.verifyModule(target.module)) {
      throw new FarJITError(
        'INTERNAL',
        `the wrapper '${name}' does not verify: see LLVM's words on standard error`,
      );
    }
    return { module: target.module, name, discard: () => target.discard() };
  } catch (error) {
    target.discard();
    throw error;
  }
}

class WrapperEmitter {
  readonly #context: llvm.LLVMContext;
  readonly #builder: llvm.IRBuilder;
  readonly #wrapper: llvm.Function;
  readonly #block: llvm.Value;

  constructor({ context, builder }: ModulePool, target: PooledModule, name: string) {
    this.#context = context;
    this.#builder = builder;
    const bytePointer = llvm.Type.getInt8PtrTy(context);
    const type = llvm.FunctionType.get(llvm.Type.getVoidTy(context), [bytePointer], false);
    this.#wrapper = target.addFunction(name, type);
    this.#block = this.#wrapper.getArg(0);
    builder.SetInsertPoint(llvm.BasicBlock.Create(context, 'entry', this.#wrapper));
  }

  resultType(kind: ScalarKind | 'void'): llvm.Type {
    return kind === 'void' ? llvm.Type.getVoidTy(this.#context) : this.#type(kind);
  }

  /**
   * A C function may rely on its caller having widened a narrow integer to 32 bits. Passing the widened value takes the
   * same register or stack slot, and a callee declared with the narrow type reads just its low bits.
   */
  passedType(kind: ScalarKind): llvm.Type {
    return isNarrow(kind) ? llvm.Type.getInt32Ty(this.#context) : this.#type(kind);
  }

  loadArgument(kind: ScalarKind, offset: number): llvm.Value {
    const stored = this.#storedType(kind);
    const value = this.#builder.CreateLoad(stored, this.#slot(stored, offset));
    if (kind === 'i1') {
      const bit = this.#builder.CreateTrunc(value, this.#type('i1'));
      return this.#builder.CreateZExt(bit, this.passedType(kind));
    }
    return isNarrow(kind) ? this.#builder.CreateSExt(value, this.passedType(kind)) : value;
  }

  /** Calls the function whose address the block starts with. */
  callFunctionAtStart(type: llvm.FunctionType, values: llvm.Value[]): llvm.CallInst {
    const pointerType = llvm.PointerType.get(type, 0);
    const callee = this.#builder.CreateLoad(pointerType, this.#slot(pointerType, 0), 'callee');
    return this.#builder.CreateCall(type, callee, values);
  }

  storeResult(kind: ScalarKind, value: llvm.Value): void {
    const stored = this.#storedType(kind);
    const result = kind === 'i1' ? this.#builder.CreateZExt(value, stored) : value;
    this.#builder.CreateStore(result, this.#slot(stored, 0));
  }

  callMain(): void {
    const builder = this.#builder;
    const i64 = llvm.Type.getInt64Ty(this.#context);
    const bytePointer = this.#type('ptr');
    const argc = builder.CreateLoad(i64, this.#slot(i64, SLOT_BYTES), 'argc');
    const argv = this.#slot(bytePointer, 2 * SLOT_BYTES);

    const entryBlock = this.#wrapper.getEntryBlock();
    const testBlock = llvm.BasicBlock.Create(this.#context, 'test', this.#wrapper);
    const relocateBlock = llvm.BasicBlock.Create(this.#context, 'relocate', this.#wrapper);
    const callBlock = llvm.BasicBlock.Create(this.#context, 'call', this.#wrapper);
    builder.CreateBr(testBlock);

    builder.SetInsertPoint(testBlock);
    const index = builder.CreatePHI(i64, 2, 'index');
    const slot = builder.CreateGEP(bytePointer, argv, index, 'slot');
    builder.CreateCondBr(builder.CreateICmpULT(index, argc), relocateBlock, callBlock);

    builder.SetInsertPoint(relocateBlock);
    const offset = builder.CreatePtrToInt(builder.CreateLoad(bytePointer, slot), i64, 'offset');
    builder.CreateStore(builder.CreateGEP(llvm.Type.getInt8Ty(this.#context), this.#block, offset), slot);
    const nextIndex = builder.CreateAdd(index, builder.getInt64(1));
    builder.CreateBr(testBlock);
    index.addIncoming(builder.getInt64(0), entryBlock);
    index.addIncoming(nextIndex, relocateBlock);

    builder.SetInsertPoint(callBlock);
    builder.CreateStore(llvm.Constant.getNullValue(bytePointer), slot);
    const i32 = llvm.Type.getInt32Ty(this.#context);
    const type = llvm.FunctionType.get(i32, [i32, llvm.PointerType.get(bytePointer, 0)], false);
    this.storeResult('i32', this.callFunctionAtStart(type, [builder.CreateTrunc(argc, i32), argv]));
  }

  #slot(type: llvm.Type, offset: number): llvm.Value {
    const address = this.#builder.CreateGEP(
      llvm.Type.getInt8Ty(this.#context),
      this.#block,
      this.#builder.getInt64(offset),
    );
    return this.#builder.CreateBitCast(address, llvm.PointerType.get(type, 0));
  }

  #storedType(kind: ScalarKind): llvm.Type {
    return kind === 'i1' ? llvm.Type.getInt8Ty(this.#context) : this.#type(kind);
  }

  #type(kind: ScalarKind): llvm.Type {
    switch (kind) {
      case 'double':
        return llvm.Type.getDoubleTy(this.#context);
      case 'float':
        return llvm.Type.getFloatTy(this.#context);
      case 'i1':
        return llvm.Type.getInt1Ty(this.#context);
      case 'i8':
        return llvm.Type.getInt8Ty(this.#context);
      case 'i16':
        return llvm.Type.getInt16Ty(this.#context);
      case 'i32':
        return llvm.Type.getInt32Ty(this.#context);
      case 'i64':
        return llvm.Type.getInt64Ty(this.#context);
      case 'ptr':
        return llvm.Type.getInt8PtrTy(this.#context);
    }
  }
}

function isNarrow(kind: ScalarKind): boolean {
  return kind === 'i1' || kind === 'i8' || kind === 'i16';
}
