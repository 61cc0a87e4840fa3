/** A type; LLVM's contexts own them. */
export interface IRType {
  isDoubleTy(): boolean;
}

export interface IRFunctionType extends IRType {
  getTypeID(): number;
}

export interface IRValue {
  setName(name: string): void;
}

export interface IRInstruction extends IRValue {
  getParent(): unknown;
}

export interface IRBasicBlock extends IRValue {
  /** Where something can be put in front of all that computes; none in an empty block. */
  getFirstNonPHI(): IRInstruction | null;
}

export interface IRPHINode extends IRValue {
  addIncoming(value: IRValue, block: IRBasicBlock): void;
}

export interface IRFunction extends IRValue {
  getArg(index: number): IRValue;
  getEntryBlock(): IRBasicBlock;
  deleteBody(): void;
  eraseFromParent(): void;
}

/** `llvm::IRBuilder`. */
export interface IRBuilder {
  GetInsertBlock(): IRBasicBlock | null;
  SetInsertPoint(where: IRBasicBlock | IRInstruction): void;
  getInt64(value: number): IRValue;
  CreateRet(value: IRValue): IRValue;
  CreateRetVoid(): IRValue;
  CreateBr(target: IRBasicBlock): IRValue;
  CreateCondBr(condition: IRValue, thenBlock: IRBasicBlock, elseBlock: IRBasicBlock): IRValue;
  CreateAdd(left: IRValue, right: IRValue, name?: string): IRValue;
  CreateFAdd(left: IRValue, right: IRValue, name?: string): IRValue;
  CreateFSub(left: IRValue, right: IRValue, name?: string): IRValue;
  CreateFMul(left: IRValue, right: IRValue, name?: string): IRValue;
  CreateICmpULT(left: IRValue, right: IRValue, name?: string): IRValue;
  CreateFCmpULT(left: IRValue, right: IRValue, name?: string): IRValue;
  CreateFCmpONE(left: IRValue, right: IRValue, name?: string): IRValue;
  CreateTrunc(value: IRValue, type: IRType, name?: string): IRValue;
  CreateZExt(value: IRValue, type: IRType, name?: string): IRValue;
  CreateSExt(value: IRValue, type: IRType, name?: string): IRValue;
  CreateUIToFP(value: IRValue, type: IRType, name?: string): IRValue;
  CreatePtrToInt(value: IRValue, type: IRType, name?: string): IRValue;
  CreateBitCast(value: IRValue, type: IRType, name?: string): IRValue;
  CreateAlloca(type: IRType, arraySize: null, name?: string): IRValue;
  CreateLoad(type: IRType, pointer: IRValue, name?: string): IRValue;
  CreateStore(value: IRValue, pointer: IRValue): IRValue;
  CreateGEP(type: IRType, pointer: IRValue, index: IRValue, name?: string): IRValue;
  CreatePHI(type: IRType, reservedCount: number, name?: string): IRPHINode;
  CreateCall(callee: IRFunction, values: IRValue[], name?: string): IRValue;
  CreateCall(type: IRFunctionType, callee: IRValue, values: IRValue[], name?: string): IRValue;
}

/**
 * What makes IR: llvm-bindings, or whatever can be talked to in the same words. This is all of it that IR generation
 * uses; what the words mean is LLVM's to say.
 */
export interface IRLibrary<Module> {
  readonly LLVMContext: new () => object;
  readonly Module: new (name: string, context: object) => Module;
  readonly IRBuilder: new (context: object) => IRBuilder;
  readonly Type: {
    getVoidTy(context: object): IRType;
    getDoubleTy(context: object): IRType;
    getFloatTy(context: object): IRType;
    getInt1Ty(context: object): IRType;
    getInt8Ty(context: object): IRType;
    getInt16Ty(context: object): IRType;
    getInt32Ty(context: object): IRType;
    getInt64Ty(context: object): IRType;
    getInt8PtrTy(context: object): IRType;
    getDoublePtrTy(context: object): IRType;
  };
  readonly PointerType: { get(element: IRType, addressSpace: number): IRType };
  readonly FunctionType: { get(result: IRType, parameters: IRType[], isVarArg: boolean): IRFunctionType };
  readonly Function: {
    readonly LinkageTypes: {
      readonly ExternalLinkage: number;
      readonly AvailableExternallyLinkage: number;
      readonly InternalLinkage: number;
    };
    Create(type: IRFunctionType, linkage: number, name?: string, module?: Module): IRFunction;
  };
  readonly BasicBlock: { Create(context: object, name?: string, parent?: IRFunction): IRBasicBlock };
  readonly ConstantFP: { get(type: IRType, value: number): IRValue };
  readonly Constant: { getNullValue(type: IRType): IRValue };
}
