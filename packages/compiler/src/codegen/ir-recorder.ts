import { FarJITError } from '@farjit/protocol/errors';
import type { IRLibrary } from '../llvm/ir-library.js';
import { IR, IRRecording, LINKAGE, OPCODE, PREDICATE, SCALAR } from './ir-recording.js';

/** A type, the same in all modules; a recording that uses it says once what it is. */
abstract class RecordedType {
  #pointer: RecordedPointerType | undefined;

  isDoubleTy(): boolean {
    return false;
  }

  get pointer(): RecordedType {
    this.#pointer ??= new RecordedPointerType(this);
    return this.#pointer;
  }

  /** Says what it is; what it is made of has been said. */
  abstract write(module: RecordedModule): void;
}

class RecordedScalarType extends RecordedType {
  readonly scalar: number;

  constructor(scalar: number) {
    super();
    this.scalar = scalar;
  }

  override isDoubleTy(): boolean {
    return this.scalar === SCALAR.double;
  }

  override write({ recording }: RecordedModule): void {
    recording.u8(IR.scalarType);
    recording.u8(this.scalar);
  }
}

class RecordedPointerType extends RecordedType {
  readonly #element: RecordedType;

  constructor(element: RecordedType) {
    super();
    this.#element = element;
  }

  override write(module: RecordedModule): void {
    const element = module.idOfType(this.#element);
    module.recording.u8(IR.pointerType);
    module.recording.u32(element);
  }
}

class RecordedFunctionType extends RecordedType {
  readonly #result: RecordedType;
  readonly #parameters: readonly RecordedType[];

  constructor(result: RecordedType, parameters: readonly RecordedType[]) {
    super();
    this.#result = result;
    this.#parameters = parameters;
  }

  getTypeID(): number {
    return IR.functionType;
  }

  override write(module: RecordedModule): void {
    const types = [this.#result, ...this.#parameters].map((type) => module.idOfType(type));
    const { recording } = module;
    recording.u8(IR.functionType);
    recording.u32(types.length - 1);
    for (const type of types) recording.u32(type);
  }
}

/** What has a number in its module's recording. */
class RecordedValue {
  readonly module: RecordedModule;
  readonly id: number;

  constructor(module: RecordedModule) {
    this.module = module;
    this.id = module.recording.valueCount++;
  }

  setName(name: string): void {
    const { recording } = this.module;
    recording.u8(IR.name);
    recording.u32(this.id);
    recording.text(name);
  }
}

/** Of no module: each use of it says again what it is. */
class RecordedConstant {
  readonly #write: (module: RecordedModule) => void;

  constructor(write: (module: RecordedModule) => void) {
    this.#write = write;
  }

  setName(): void {
    throw new FarJITError('INTERNAL', 'a constant has no name');
  }

  idIn(module: RecordedModule): number {
    this.#write(module);
    return module.recording.valueCount++;
  }
}

type Operand = RecordedValue | RecordedConstant;

class RecordedFunction extends RecordedValue {
  readonly type: RecordedFunctionType;
  entryBlock: RecordedBlock | undefined;

  constructor(module: RecordedModule, type: RecordedFunctionType, linkage: number, name: string) {
    const { recording } = module;
    const typeId = module.idOfType(type);
    recording.u8(IR.function);
    recording.u32(typeId);
    recording.u8(linkage);
    recording.text(name);
    super(module);
    this.type = type;
  }

  getArg(index: number): RecordedValue {
    const { recording } = this.module;
    recording.u8(IR.argument);
    recording.u32(this.id);
    recording.u32(index);
    return new RecordedValue(this.module);
  }

  getEntryBlock(): RecordedBlock {
    if (!this.entryBlock) throw new FarJITError('INTERNAL', 'the function has no body');
    return this.entryBlock;
  }

  /** Nothing of a module is erased but all of it. */
  deleteBody(): void {
    this.module.clear();
  }

  eraseFromParent(): void {
    this.module.clear();
  }
}

class RecordedBlock {
  readonly module: RecordedModule;
  readonly id: number;

  constructor(parent: RecordedFunction, name: string) {
    this.module = parent.module;
    const { recording } = this.module;
    recording.u8(IR.block);
    recording.u32(parent.id);
    recording.text(name);
    this.id = recording.blockCount++;
    parent.entryBlock ??= this;
  }

  setName(): void {
    throw new FarJITError('INTERNAL', 'a block is named when it is made');
  }

  /** What stands there is for the builder to find that makes the calls: LLVM may have made a constant of the first. */
  getFirstNonPHI(): RecordedStart {
    return new RecordedStart(this);
  }
}

/** In front of all that computes in a block, or its end when it is empty. */
class RecordedStart {
  readonly block: RecordedBlock;

  constructor(block: RecordedBlock) {
    this.block = block;
  }

  setName(): void {
    throw new FarJITError('INTERNAL', 'a place has no name');
  }

  getParent(): RecordedBlock {
    return this.block;
  }
}

class RecordedPHINode extends RecordedValue {
  addIncoming(value: Operand, block: RecordedBlock): void {
    const { module } = this;
    const valueId = module.idOf(value);
    module.recording.u8(IR.addIncoming);
    module.recording.u32(this.id);
    module.recording.u32(valueId);
    module.recording.u32(block.id);
  }
}

/** A module as the calls that make it. */
export class RecordedModule {
  readonly recording = new IRRecording();
  readonly #typeIds = new Map<RecordedType, number>();

  clear(): void {
    this.recording.clear();
    this.#typeIds.clear();
  }

  idOfType(type: RecordedType): number {
    const known = this.#typeIds.get(type);
    if (known !== undefined) return known;
    type.write(this);
    const id = this.recording.typeCount++;
    this.#typeIds.set(type, id);
    return id;
  }

  idOf(value: Operand): number {
    return value instanceof RecordedConstant ? value.idIn(this) : value.id;
  }
}

/** `llvm::IRBuilder` as far as IR generation uses it. */
class RecordingBuilder {
  #block: RecordedBlock | undefined;

  GetInsertBlock(): RecordedBlock | null {
    return this.#block ?? null;
  }

  SetInsertPoint(where: RecordedBlock | RecordedStart): void {
    const block = where instanceof RecordedStart ? where.block : where;
    const { recording } = block.module;
    recording.u8(where === block ? IR.atEnd : IR.atStart);
    recording.u32(block.id);
    this.#block = block;
  }

  getInt64(value: number): RecordedConstant {
    return new RecordedConstant(({ recording }) => {
      recording.u8(IR.int64);
      recording.u64(BigInt.asUintN(64, BigInt(value)));
    });
  }

  CreateRet(value: Operand): RecordedValue {
    const id = this.#module.idOf(value);
    const recording = this.#begin(IR.ret);
    recording.u32(id);
    return this.#value();
  }

  CreateRetVoid(): RecordedValue {
    this.#begin(IR.retVoid);
    return this.#value();
  }

  CreateBr(target: RecordedBlock): RecordedValue {
    this.#begin(IR.br).u32(target.id);
    return this.#value();
  }

  CreateCondBr(condition: Operand, thenBlock: RecordedBlock, elseBlock: RecordedBlock): RecordedValue {
    const id = this.#module.idOf(condition);
    const recording = this.#begin(IR.condBr);
    recording.u32(id);
    recording.u32(thenBlock.id);
    recording.u32(elseBlock.id);
    return this.#value();
  }

  CreateAdd(left: Operand, right: Operand, name = ''): RecordedValue {
    return this.#onTwo(IR.binary, OPCODE.Add, left, right, name);
  }

  CreateFAdd(left: Operand, right: Operand, name = ''): RecordedValue {
    return this.#onTwo(IR.binary, OPCODE.FAdd, left, right, name);
  }

  CreateFSub(left: Operand, right: Operand, name = ''): RecordedValue {
    return this.#onTwo(IR.binary, OPCODE.FSub, left, right, name);
  }

  CreateFMul(left: Operand, right: Operand, name = ''): RecordedValue {
    return this.#onTwo(IR.binary, OPCODE.FMul, left, right, name);
  }

  CreateICmpULT(left: Operand, right: Operand, name = ''): RecordedValue {
    return this.#onTwo(IR.icmp, PREDICATE.IntULT, left, right, name);
  }

  CreateFCmpULT(left: Operand, right: Operand, name = ''): RecordedValue {
    return this.#onTwo(IR.fcmp, PREDICATE.RealULT, left, right, name);
  }

  CreateFCmpONE(left: Operand, right: Operand, name = ''): RecordedValue {
    return this.#onTwo(IR.fcmp, PREDICATE.RealONE, left, right, name);
  }

  CreateTrunc(value: Operand, type: RecordedType, name = ''): RecordedValue {
    return this.#cast(OPCODE.Trunc, value, type, name);
  }

  CreateZExt(value: Operand, type: RecordedType, name = ''): RecordedValue {
    return this.#cast(OPCODE.ZExt, value, type, name);
  }

  CreateSExt(value: Operand, type: RecordedType, name = ''): RecordedValue {
    return this.#cast(OPCODE.SExt, value, type, name);
  }

  CreateUIToFP(value: Operand, type: RecordedType, name = ''): RecordedValue {
    return this.#cast(OPCODE.UIToFP, value, type, name);
  }

  CreatePtrToInt(value: Operand, type: RecordedType, name = ''): RecordedValue {
    return this.#cast(OPCODE.PtrToInt, value, type, name);
  }

  CreateBitCast(value: Operand, type: RecordedType, name = ''): RecordedValue {
    return this.#cast(OPCODE.BitCast, value, type, name);
  }

  CreateAlloca(type: RecordedType, _arraySize: null, name = ''): RecordedValue {
    const typeId = this.#module.idOfType(type);
    const recording = this.#begin(IR.alloca);
    recording.u32(typeId);
    recording.text(name);
    return this.#value();
  }

  CreateLoad(type: RecordedType, pointer: Operand, name = ''): RecordedValue {
    const typeId = this.#module.idOfType(type);
    const id = this.#module.idOf(pointer);
    const recording = this.#begin(IR.load);
    recording.u32(typeId);
    recording.u32(id);
    recording.text(name);
    return this.#value();
  }

  CreateStore(value: Operand, pointer: Operand): RecordedValue {
    const ids = [this.#module.idOf(value), this.#module.idOf(pointer)];
    const recording = this.#begin(IR.store);
    for (const id of ids) recording.u32(id);
    return this.#value();
  }

  CreateGEP(type: RecordedType, pointer: Operand, index: Operand, name = ''): RecordedValue {
    const ids = [this.#module.idOfType(type), this.#module.idOf(pointer), this.#module.idOf(index)];
    const recording = this.#begin(IR.gep);
    for (const id of ids) recording.u32(id);
    recording.text(name);
    return this.#value();
  }

  CreatePHI(type: RecordedType, _reservedCount: number, name = ''): RecordedPHINode {
    const typeId = this.#module.idOfType(type);
    const recording = this.#begin(IR.phi);
    recording.u32(typeId);
    recording.text(name);
    return new RecordedPHINode(this.#module);
  }

  CreateCall(callee: RecordedFunction, values: Operand[], name?: string): RecordedValue;
  CreateCall(type: RecordedFunctionType, callee: Operand, values: Operand[], name?: string): RecordedValue;
  CreateCall(
    first: RecordedFunction | RecordedFunctionType,
    second: Operand[] | Operand,
    third?: string | Operand[],
    fourth?: string,
  ): RecordedValue {
    return first instanceof RecordedFunction
      ? this.#call(first.type, first, second as Operand[], third as string | undefined)
      : this.#call(first, second as Operand, third as Operand[], fourth);
  }

  #call(type: RecordedFunctionType, callee: Operand, values: Operand[], name = ''): RecordedValue {
    const module = this.#module;
    const ids = [module.idOfType(type), module.idOf(callee)];
    const valueIds = values.map((value) => module.idOf(value));
    const recording = this.#begin(IR.call);
    for (const id of ids) recording.u32(id);
    recording.u32(valueIds.length);
    for (const id of valueIds) recording.u32(id);
    recording.text(name);
    return this.#value();
  }

  #onTwo(what: number, how: number, left: Operand, right: Operand, name: string): RecordedValue {
    const module = this.#module;
    const leftId = module.idOf(left);
    const rightId = module.idOf(right);
    const recording = this.#begin(what);
    recording.u8(how);
    recording.u32(leftId);
    recording.u32(rightId);
    recording.text(name);
    return this.#value();
  }

  #cast(opcode: number, value: Operand, type: RecordedType, name: string): RecordedValue {
    const id = this.#module.idOf(value);
    const typeId = this.#module.idOfType(type);
    const recording = this.#begin(IR.cast);
    recording.u8(opcode);
    recording.u32(id);
    recording.u32(typeId);
    recording.text(name);
    return this.#value();
  }

  get #module(): RecordedModule {
    if (!this.#block) throw new FarJITError('INTERNAL', 'the IR builder stands nowhere');
    return this.#block.module;
  }

  /** Once all operands have numbers: to give them some may take calls of its own. */
  #begin(what: number): IRRecording {
    const { recording } = this.#module;
    recording.u8(what);
    return recording;
  }

  #value(): RecordedValue {
    return new RecordedValue(this.#module);
  }
}

const scalars = {
  void: new RecordedScalarType(SCALAR.void),
  double: new RecordedScalarType(SCALAR.double),
  float: new RecordedScalarType(SCALAR.float),
  i1: new RecordedScalarType(SCALAR.i1),
  i8: new RecordedScalarType(SCALAR.i8),
  i16: new RecordedScalarType(SCALAR.i16),
  i32: new RecordedScalarType(SCALAR.i32),
  i64: new RecordedScalarType(SCALAR.i64),
};

/**
 * Speaks as llvm-bindings does, and writes down what it was told instead of doing it: IR generation without LLVM. A code
 * generator, which may crash over it, does it.
 */
export const irRecorder: IRLibrary<RecordedModule> = {
  LLVMContext: class {},
  Module: RecordedModule,
  IRBuilder: RecordingBuilder,
  Type: {
    getVoidTy: () => scalars.void,
    getDoubleTy: () => scalars.double,
    getFloatTy: () => scalars.float,
    getInt1Ty: () => scalars.i1,
    getInt8Ty: () => scalars.i8,
    getInt16Ty: () => scalars.i16,
    getInt32Ty: () => scalars.i32,
    getInt64Ty: () => scalars.i64,
    getInt8PtrTy: () => scalars.i8.pointer,
    getDoublePtrTy: () => scalars.double.pointer,
  },
  PointerType: { get: (element: RecordedType) => element.pointer },
  FunctionType: {
    get: (result: RecordedType, parameters: RecordedType[]) => new RecordedFunctionType(result, parameters),
  },
  Function: {
    LinkageTypes: {
      ExternalLinkage: LINKAGE.External,
      AvailableExternallyLinkage: LINKAGE.AvailableExternally,
      InternalLinkage: LINKAGE.Internal,
    },
    Create: (type: RecordedFunctionType, linkage: number, name: string, module: RecordedModule) =>
      new RecordedFunction(module, type, linkage, name),
  },
  BasicBlock: {
    Create: (_context: object, name: string, parent: RecordedFunction) => new RecordedBlock(parent, name),
  },
  ConstantFP: {
    get: (_type: RecordedType, value: number) =>
      new RecordedConstant(({ recording }) => {
        recording.u8(IR.double);
        recording.f64(value);
      }),
  },
  Constant: {
    getNullValue: (type: RecordedType) =>
      new RecordedConstant((module) => {
        const typeId = module.idOfType(type);
        module.recording.u8(IR.null);
        module.recording.u32(typeId);
      }),
  },
};
