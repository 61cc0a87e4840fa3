import type {
  IRBuilder,
  IRFunction,
  IRFunctionType,
  IRLibrary,
  IRType,
  IRValue,
} from '../llvm/ir-library.js';
import {
  type CallSignature,
  callWrapperName,
  MAIN_WRAPPER_NAME,
  type ScalarKind,
  SLOT_BYTES,
} from './call-signature.js';
import type { ModulePool } from './module-pool.js';

/** A module with one wrapper. Write it down, then discard it. */
export interface GeneratedWrapper<Module> {
  readonly module: Module;
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
export function generateCallWrapper<Module>(
  modules: ModulePool<Module>,
  signature: CallSignature,
): GeneratedWrapper<Module> {
  return generateWrapper(modules, callWrapperName(signature), (emitter) => {
    const values = signature.parameters.map((kind, index) =>
      emitter.loadArgument(kind, SLOT_BYTES * (1 + index)),
    );
    const type = modules.library.FunctionType.get(
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
export function generateMainWrapper<Module>(modules: ModulePool<Module>): GeneratedWrapper<Module> {
  return generateWrapper(modules, MAIN_WRAPPER_NAME, (emitter) => emitter.callMain());
}

function generateWrapper<Module>(
  modules: ModulePool<Module>,
  name: string,
  emitBody: (emitter: WrapperEmitter) => void,
): GeneratedWrapper<Module> {
  const target = modules.acquire();
  try {
    const { library, context } = modules;
    const { Type, FunctionType } = library;
    const type = FunctionType.get(Type.getVoidTy(context), [Type.getInt8PtrTy(context)], false);
    emitBody(new WrapperEmitter(modules, target.addFunction(name, type)));
    modules.builder.CreateRetVoid();
    return { module: target.module, name, discard: () => target.discard() };
  } catch (error) {
    target.discard();
    throw error;
  }
}

/** All of a library but what makes modules. */
type Library = Omit<IRLibrary<never>, 'Module' | 'Function'>;

class WrapperEmitter {
  readonly #library: Library;
  readonly #context: object;
  readonly #builder: IRBuilder;
  readonly #wrapper: IRFunction;
  readonly #block: IRValue;

  constructor(
    { library, context, builder }: { library: Library; context: object; builder: IRBuilder },
    wrapper: IRFunction,
  ) {
    this.#library = library;
    this.#context = context;
    this.#builder = builder;
    this.#wrapper = wrapper;
    this.#block = wrapper.getArg(0);
    builder.SetInsertPoint(library.BasicBlock.Create(context, 'entry', wrapper));
  }

  resultType(kind: ScalarKind | 'void'): IRType {
    return kind === 'void' ? this.#library.Type.getVoidTy(this.#context) : this.#type(kind);
  }

  /**
   * A C function may rely on its caller having widened a narrow integer to 32 bits. Passing the widened value takes the
   * same register or stack slot, and a callee declared with the narrow type reads just its low bits.
   */
  passedType(kind: ScalarKind): IRType {
    return isNarrow(kind) ? this.#library.Type.getInt32Ty(this.#context) : this.#type(kind);
  }

  loadArgument(kind: ScalarKind, offset: number): IRValue {
    const stored = this.#storedType(kind);
    const value = this.#builder.CreateLoad(stored, this.#slot(stored, offset));
    if (kind === 'i1') {
      const bit = this.#builder.CreateTrunc(value, this.#type('i1'));
      return this.#builder.CreateZExt(bit, this.passedType(kind));
    }
    return isNarrow(kind) ? this.#builder.CreateSExt(value, this.passedType(kind)) : value;
  }

  /** Calls the function whose address the block starts with. */
  callFunctionAtStart(type: IRFunctionType, values: IRValue[]): IRValue {
    const pointerType = this.#library.PointerType.get(type, 0);
    const callee = this.#builder.CreateLoad(pointerType, this.#slot(pointerType, 0), 'callee');
    return this.#builder.CreateCall(type, callee, values);
  }

  storeResult(kind: ScalarKind, value: IRValue): void {
    const stored = this.#storedType(kind);
    const result = kind === 'i1' ? this.#builder.CreateZExt(value, stored) : value;
    this.#builder.CreateStore(result, this.#slot(stored, 0));
  }

  callMain(): void {
    const builder = this.#builder;
    const i64 = this.#library.Type.getInt64Ty(this.#context);
    const bytePointer = this.#type('ptr');
    const argc = builder.CreateLoad(i64, this.#slot(i64, SLOT_BYTES), 'argc');
    const argv = this.#slot(bytePointer, 2 * SLOT_BYTES);

    const entryBlock = this.#wrapper.getEntryBlock();
    const testBlock = this.#library.BasicBlock.Create(this.#context, 'test', this.#wrapper);
    const relocateBlock = this.#library.BasicBlock.Create(this.#context, 'relocate', this.#wrapper);
    const callBlock = this.#library.BasicBlock.Create(this.#context, 'call', this.#wrapper);
    builder.CreateBr(testBlock);

    builder.SetInsertPoint(testBlock);
    const index = builder.CreatePHI(i64, 2, 'index');
    const slot = builder.CreateGEP(bytePointer, argv, index, 'slot');
    builder.CreateCondBr(builder.CreateICmpULT(index, argc), relocateBlock, callBlock);

    builder.SetInsertPoint(relocateBlock);
    const offset = builder.CreatePtrToInt(builder.CreateLoad(bytePointer, slot), i64, 'offset');
    builder.CreateStore(
      builder.CreateGEP(this.#library.Type.getInt8Ty(this.#context), this.#block, offset),
      slot,
    );
    const nextIndex = builder.CreateAdd(index, builder.getInt64(1));
    builder.CreateBr(testBlock);
    index.addIncoming(builder.getInt64(0), entryBlock);
    index.addIncoming(nextIndex, relocateBlock);

    builder.SetInsertPoint(callBlock);
    builder.CreateStore(this.#library.Constant.getNullValue(bytePointer), slot);
    const i32 = this.#library.Type.getInt32Ty(this.#context);
    const type = this.#library.FunctionType.get(
      i32,
      [i32, this.#library.PointerType.get(bytePointer, 0)],
      false,
    );
    this.storeResult('i32', this.callFunctionAtStart(type, [builder.CreateTrunc(argc, i32), argv]));
  }

  #slot(type: IRType, offset: number): IRValue {
    const address = this.#builder.CreateGEP(
      this.#library.Type.getInt8Ty(this.#context),
      this.#block,
      this.#builder.getInt64(offset),
    );
    return this.#builder.CreateBitCast(address, this.#library.PointerType.get(type, 0));
  }

  #storedType(kind: ScalarKind): IRType {
    return kind === 'i1' ? this.#library.Type.getInt8Ty(this.#context) : this.#type(kind);
  }

  #type(kind: ScalarKind): IRType {
    switch (kind) {
      case 'double':
        return this.#library.Type.getDoubleTy(this.#context);
      case 'float':
        return this.#library.Type.getFloatTy(this.#context);
      case 'i1':
        return this.#library.Type.getInt1Ty(this.#context);
      case 'i8':
        return this.#library.Type.getInt8Ty(this.#context);
      case 'i16':
        return this.#library.Type.getInt16Ty(this.#context);
      case 'i32':
        return this.#library.Type.getInt32Ty(this.#context);
      case 'i64':
        return this.#library.Type.getInt64Ty(this.#context);
      case 'ptr':
        return this.#library.Type.getInt8PtrTy(this.#context);
    }
  }
}

function isNarrow(kind: ScalarKind): boolean {
  return kind === 'i1' || kind === 'i8' || kind === 'i16';
}
