import { FarJITError } from '@farjit/protocol/errors';
import { BINARY, CAST, FCMP, ICMP, IR, IRRecording, LINKAGE } from './recording.js';
import { type FunctionType, type IRType, PointerType, ScalarType, StructType } from './types.js';

/** A value of one module: which of its values, in the order in which they were made. */
export type IRValue = number & { readonly __ir: 'value' };

/** A basic block of one module. */
export type IRBlock = number & { readonly __ir: 'block' };

/** A function of one module. */
export interface IRFunction {
  /** Its address. */
  readonly value: IRValue;
  readonly type: FunctionType;
}

/**
 * Builds one module, as LLVM's `IRBuilder` does, in LLVM's words; what the words mean is LLVM's to say. It writes down what
 * it is told: no LLVM is needed, nor checks anything, before a code generator makes the module of it.
 *
 * A name is for who reads the IR; LLVM makes it unique.
 */
export class IRBuilder {
  readonly #recording = new IRRecording();
  readonly #typeIds = new Map<IRType, number>();
  readonly #functions = new Map<string, IRFunction>();
  #valueCount = 0;
  #blockCount = 0;
  #block: IRBlock | undefined;

  /** The module as a recording. Nothing may be added any more. */
  finish(): Uint8Array {
    return this.#recording.bytes;
  }

  /**
   * Adds a function, which is a declaration until it has a block.
   * @throws FarJITError `INTERNAL` if the module has a function of that name (LLVM would rename the new one silently)
   */
  addFunction(name: string, type: FunctionType, linkage: keyof typeof LINKAGE = 'external'): IRFunction {
    if (this.#functions.has(name))
      throw new FarJITError('INTERNAL', `function '${name}' is in its module already`);
    const typeId = this.#typeId(type);
    const recording = this.#recording;
    recording.u8(IR.function);
    recording.u32(typeId);
    recording.u8(LINKAGE[linkage]);
    recording.text(name);
    const fn = { value: this.#newValue(), type };
    this.#functions.set(name, fn);
    return fn;
  }

  /** A function that was added. */
  findFunction(name: string): IRFunction | undefined {
    return this.#functions.get(name);
  }

  argument(fn: IRFunction, index: number, name = ''): IRValue {
    const recording = this.#recording;
    recording.u8(IR.argument);
    recording.u32(fn.value);
    recording.u32(index);
    const value = this.#newValue();
    if (name !== '') {
      recording.u8(IR.name);
      recording.u32(value);
      recording.text(name);
    }
    return value;
  }

  /** Appends a block to a function's body; the first one is the entry. */
  addBlock(fn: IRFunction, name: string): IRBlock {
    const recording = this.#recording;
    recording.u8(IR.block);
    recording.u32(fn.value);
    recording.text(name);
    return this.#blockCount++ as IRBlock;
  }

  /** The block at whose end instructions are added. */
  get block(): IRBlock {
    if (this.#block === undefined) throw new FarJITError('INTERNAL', 'the IR builder stands nowhere');
    return this.#block;
  }

  /** Adds what follows at the end of a block. */
  continueIn(block: IRBlock): void {
    this.#recording.u8(IR.atEnd);
    this.#recording.u32(block);
    this.#block = block;
  }

  double(value: number): IRValue {
    this.#recording.u8(IR.double);
    this.#recording.f64(value);
    return this.#newValue();
  }

  int64(value: number): IRValue {
    this.#recording.u8(IR.int64);
    this.#recording.u64(BigInt.asUintN(64, BigInt(value)));
    return this.#newValue();
  }

  null(type: IRType): IRValue {
    this.#record(IR.null, this.#typeId(type));
    return this.#newValue();
  }

  ret(value: IRValue): void {
    this.#record(IR.ret, value);
    this.#newValue();
  }

  retVoid(): void {
    this.#record(IR.retVoid);
    this.#newValue();
  }

  br(target: IRBlock): void {
    this.#record(IR.br, target);
    this.#newValue();
  }

  condBr(condition: IRValue, thenBlock: IRBlock, elseBlock: IRBlock): void {
    this.#record(IR.condBr, condition, thenBlock, elseBlock);
    this.#newValue();
  }

  binary(operation: keyof typeof BINARY, left: IRValue, right: IRValue, name = ''): IRValue {
    return this.#operation(IR.binary, BINARY[operation], left, right, name);
  }

  icmp(predicate: keyof typeof ICMP, left: IRValue, right: IRValue, name = ''): IRValue {
    return this.#operation(IR.icmp, ICMP[predicate], left, right, name);
  }

  fcmp(predicate: keyof typeof FCMP, left: IRValue, right: IRValue, name = ''): IRValue {
    return this.#operation(IR.fcmp, FCMP[predicate], left, right, name);
  }

  cast(operation: keyof typeof CAST, value: IRValue, type: IRType, name = ''): IRValue {
    return this.#operation(IR.cast, CAST[operation], value, this.#typeId(type), name);
  }

  /** A slot on the stack, in front of all that computes in `block`: in the entry, where a loop cannot repeat it. */
  allocaAtStart(block: IRBlock, type: IRType, name = ''): IRValue {
    const typeId = this.#typeId(type);
    this.#record(IR.atStart, block);
    this.#record(IR.alloca, typeId);
    const slot = this.#named(name);
    this.continueIn(this.block);
    return slot;
  }

  load(type: IRType, pointer: IRValue, name = ''): IRValue {
    this.#record(IR.load, this.#typeId(type), pointer);
    return this.#named(name);
  }

  store(value: IRValue, pointer: IRValue): void {
    this.#record(IR.store, value, pointer);
    this.#newValue();
  }

  /** The address of element `index` behind a pointer to elements of this type. */
  gep(type: IRType, pointer: IRValue, index: IRValue, name = ''): IRValue {
    this.#record(IR.gep, this.#typeId(type), pointer, index);
    return this.#named(name);
  }

  phi(type: IRType, name = ''): IRValue {
    this.#record(IR.phi, this.#typeId(type));
    return this.#named(name);
  }

  addIncoming(phi: IRValue, value: IRValue, block: IRBlock): void {
    this.#record(IR.addIncoming, phi, value, block);
  }

  call(callee: IRFunction, values: readonly IRValue[], name = ''): IRValue {
    return this.callPointer(callee.type, callee.value, values, name);
  }

  callPointer(type: FunctionType, callee: IRValue, values: readonly IRValue[], name = ''): IRValue {
    this.#record(IR.call, this.#typeId(type), callee, values.length, ...values);
    return this.#named(name);
  }

  #operation(what: number, how: number, left: number, right: number, name: string): IRValue {
    const recording = this.#recording;
    recording.u8(what);
    recording.u8(how);
    recording.u32(left);
    recording.u32(right);
    return this.#named(name);
  }

  #record(what: number, ...operands: readonly number[]): void {
    this.#recording.u8(what);
    for (const operand of operands) this.#recording.u32(operand);
  }

  /** The value that the call makes whose last operand, its name, is missing yet. */
  #named(name: string): IRValue {
    this.#recording.text(name);
    return this.#newValue();
  }

  #newValue(): IRValue {
    return this.#valueCount++ as IRValue;
  }

  /** A type's number; what is not known yet is said first, and what it is made of before it. */
  #typeId(type: IRType): number {
    const known = this.#typeIds.get(type);
    if (known !== undefined) return known;
    if (type instanceof ScalarType) {
      this.#recording.u8(IR.scalarType);
      this.#recording.u8(type.code);
    } else if (type instanceof PointerType) {
      this.#record(IR.pointerType, this.#typeId(type.element));
    } else if (type instanceof StructType) {
      const fields = type.fields.map((field) => this.#typeId(field));
      this.#record(IR.structType, fields.length, ...fields);
    } else {
      const result = this.#typeId(type.result);
      const parameters = type.parameters.map((parameter) => this.#typeId(parameter));
      this.#record(IR.functionType, parameters.length, result, ...parameters);
    }
    const id = this.#typeIds.size;
    this.#typeIds.set(type, id);
    return id;
  }
}
