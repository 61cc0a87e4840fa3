import { type IRBlock, IRBuilder, type IRFunction, type IRValue } from '../ir/ir-builder.js';
import {
  BLOCK_FUNCTION,
  DOUBLE,
  FLOAT,
  FunctionType,
  I1,
  I8,
  I16,
  I32,
  I64,
  type IRType,
  PointerType,
  StructType,
  VOID,
} from '../ir/types.js';
import {
  type CallSignature,
  callWrapperName,
  isPair,
  MAIN_WRAPPER_NAME,
  type ResultPair,
  SLOT_BYTES,
  type WrappedKind,
  type WrapperSignature,
} from './call-signature.js';

const TYPES: Readonly<Record<WrappedKind, IRType>> = {
  double: DOUBLE,
  float: FLOAT,
  i1: I1,
  i8: I8,
  u8: I8,
  i16: I16,
  u16: I16,
  i32: I32,
  i64: I64,
  ptr: I8.pointer,
};
/** Of types as front ends have them, which are signed. */
const KINDS: ReadonlyMap<IRType, WrappedKind> = new Map(
  (['double', 'float', 'i1', 'i8', 'i16', 'i32', 'i64'] as const).map((kind) => [TYPES[kind], kind]),
);
/** C's compilers return two eightbytes as LLVM does a struct of two. */
const PAIRS: Readonly<Record<ResultPair, StructType>> = {
  'i64+i64': new StructType([I64, I64]),
  'i64+double': new StructType([I64, DOUBLE]),
  'double+i64': new StructType([DOUBLE, I64]),
  'double+double': new StructType([DOUBLE, DOUBLE]),
};

/**
 * A module with a wrapper `void call$…(i8* block)` that calls any function of the signature:
 *
 * | block offset | before | after |
 * | --- | --- | --- |
 * | 0 | address of the function | the result; unchanged for `void` |
 * | 8 + 8·i | argument i | unchanged |
 *
 * Of the result's slot only the natural size is written; a pair of results takes the first two slots.
 */
export function generateCallWrapper(signature: WrapperSignature): IRBuilder {
  const ir = new IRBuilder();
  const emitter = new WrapperEmitter(ir, callWrapperName(signature));
  const values = signature.parameters.map((kind, index) =>
    emitter.loadArgument(kind, SLOT_BYTES * (1 + index)),
  );
  const result = emitter.callFunctionAtStart(typeOf(signature), values);
  if (signature.result !== 'void') emitter.storeResult(signature.result, result);
  ir.retVoid();
  return ir;
}

/**
 * A module with a wrapper `void call$main(i8* block)` that calls an `int main(int argc, char **argv)`:
 *
 * | block offset | before | after |
 * | --- | --- | --- |
 * | 0 | address of the function | the exit code, an i32 |
 * | 8 | argc, an i64 | unchanged |
 * | 16 + 8·i | offset of string i from the block's start | its address |
 * | 16 + 8·argc | reserved | null |
 * | behind | the strings, NUL-terminated | as the function left them |
 */
export function generateMainWrapper(): IRBuilder {
  const ir = new IRBuilder();
  new WrapperEmitter(ir, MAIN_WRAPPER_NAME).callMain();
  ir.retVoid();
  return ir;
}

class WrapperEmitter {
  readonly #ir: IRBuilder;
  readonly #wrapper: IRFunction;
  readonly #block: IRValue;
  readonly #entry: IRBlock;

  constructor(ir: IRBuilder, name: string) {
    this.#ir = ir;
    this.#wrapper = ir.addFunction(name, BLOCK_FUNCTION);
    this.#block = ir.argument(this.#wrapper, 0);
    this.#entry = ir.addBlock(this.#wrapper, 'entry');
    ir.continueIn(this.#entry);
  }

  loadArgument(kind: WrappedKind, offset: number): IRValue {
    const ir = this.#ir;
    const stored = storedType(kind);
    const value = ir.load(stored, this.#slot(stored, offset));
    if (kind === 'i1') return ir.cast('zext', ir.cast('trunc', value, I1), passedType(kind));
    if (!isNarrow(kind)) return value;
    return ir.cast(kind === 'u8' || kind === 'u16' ? 'zext' : 'sext', value, passedType(kind));
  }

  /** Calls the function whose address the block starts with. */
  callFunctionAtStart(type: FunctionType, values: readonly IRValue[]): IRValue {
    const callee = this.#ir.load(type.pointer, this.#slot(type.pointer, 0), 'callee');
    return this.#ir.callPointer(type, callee, values);
  }

  storeResult(kind: WrappedKind | ResultPair, value: IRValue): void {
    const stored = isPair(kind) ? PAIRS[kind] : storedType(kind);
    const result = kind === 'i1' ? this.#ir.cast('zext', value, stored) : value;
    this.#ir.store(result, this.#slot(stored, 0));
  }

  callMain(): void {
    const ir = this.#ir;
    const bytePointer = I8.pointer;
    const argc = ir.load(I64, this.#slot(I64, SLOT_BYTES), 'argc');
    const argv = this.#slot(bytePointer, 2 * SLOT_BYTES);

    const testBlock = ir.addBlock(this.#wrapper, 'test');
    const relocateBlock = ir.addBlock(this.#wrapper, 'relocate');
    const callBlock = ir.addBlock(this.#wrapper, 'call');
    ir.br(testBlock);

    ir.continueIn(testBlock);
    const index = ir.phi(I64, 'index');
    const slot = ir.gep(bytePointer, argv, index, 'slot');
    ir.condBr(ir.icmp('ult', index, argc), relocateBlock, callBlock);

    ir.continueIn(relocateBlock);
    const offset = ir.cast('ptrtoint', ir.load(bytePointer, slot), I64, 'offset');
    ir.store(ir.gep(I8, this.#block, offset), slot);
    const nextIndex = ir.binary('add', index, ir.int64(1));
    ir.br(testBlock);
    ir.addIncoming(index, ir.int64(0), this.#entry);
    ir.addIncoming(index, nextIndex, relocateBlock);

    ir.continueIn(callBlock);
    ir.store(ir.null(bytePointer), slot);
    const type = new FunctionType(I32, [I32, bytePointer.pointer]);
    this.storeResult('i32', this.callFunctionAtStart(type, [ir.cast('trunc', argc, I32), argv]));
  }

  #slot(type: IRType, offset: number): IRValue {
    const address = this.#ir.gep(I8, this.#block, this.#ir.int64(offset));
    return this.#ir.cast('bitcast', address, type.pointer);
  }
}

/** Asked for with every call that is checked. */
const SIGNATURES = new WeakMap<FunctionType, CallSignature | undefined>();

/** The signature of a function of scalars; undefined for one that a call block does not hold. */
export function signatureOfType(type: FunctionType): CallSignature | undefined {
  const known = SIGNATURES.get(type);
  if (known !== undefined || SIGNATURES.has(type)) return known;
  const made = makeSignature(type);
  SIGNATURES.set(type, made);
  return made;
}

function makeSignature({ result, parameters }: FunctionType): CallSignature | undefined {
  const returned = result === VOID ? 'void' : kindOf(result);
  const passed = parameters.flatMap((type) => kindOf(type) ?? []);
  if (returned === undefined || passed.length < parameters.length) return undefined;
  return { result: returned, parameters: passed };
}

function kindOf(type: IRType): WrappedKind | undefined {
  return type instanceof PointerType ? 'ptr' : KINDS.get(type);
}

function typeOf({ result, parameters }: WrapperSignature): FunctionType {
  return new FunctionType(resultType(result), parameters.map(passedType));
}

function resultType(result: WrapperSignature['result']): IRType {
  if (result === 'void') return VOID;
  return isPair(result) ? PAIRS[result] : TYPES[result];
}

/**
 * A C function may rely on its caller having widened a narrow integer to 32 bits. Passing the widened value takes the
 * same register or stack slot, and a callee declared with the narrow type reads just its low bits.
 */
function passedType(kind: WrappedKind): IRType {
  return isNarrow(kind) ? I32 : TYPES[kind];
}

function storedType(kind: WrappedKind): IRType {
  return kind === 'i1' ? I8 : TYPES[kind];
}

function isNarrow(kind: WrappedKind): boolean {
  return ['i1', 'i8', 'u8', 'i16', 'u16'].includes(kind);
}
