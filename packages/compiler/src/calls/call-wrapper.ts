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
  VOID,
} from '../ir/types.js';
import {
  type CallSignature,
  callWrapperName,
  MAIN_WRAPPER_NAME,
  type ScalarKind,
  SLOT_BYTES,
} from './call-signature.js';

const TYPES: Readonly<Record<ScalarKind, IRType>> = {
  double: DOUBLE,
  float: FLOAT,
  i1: I1,
  i8: I8,
  i16: I16,
  i32: I32,
  i64: I64,
  ptr: I8.pointer,
};
const KINDS: ReadonlyMap<IRType, ScalarKind> = new Map(
  Object.entries(TYPES).map(([kind, type]) => [type, kind as ScalarKind]),
);

/**
 * A module with a wrapper `void call$…(i8* block)` that calls any function of the signature:
 *
 * | block offset | before | after |
 * | --- | --- | --- |
 * | 0 | address of the function | the result; unchanged for `void` |
 * | 8 + 8·i | argument i | unchanged |
 *
 * Of the result's slot only the natural size is written.
 */
export function generateCallWrapper(signature: CallSignature): IRBuilder {
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

  loadArgument(kind: ScalarKind, offset: number): IRValue {
    const ir = this.#ir;
    const stored = storedType(kind);
    const value = ir.load(stored, this.#slot(stored, offset));
    if (kind === 'i1') return ir.cast('zext', ir.cast('trunc', value, I1), passedType(kind));
    return isNarrow(kind) ? ir.cast('sext', value, passedType(kind)) : value;
  }

  /** Calls the function whose address the block starts with. */
  callFunctionAtStart(type: FunctionType, values: readonly IRValue[]): IRValue {
    const callee = this.#ir.load(type.pointer, this.#slot(type.pointer, 0), 'callee');
    return this.#ir.callPointer(type, callee, values);
  }

  storeResult(kind: ScalarKind, value: IRValue): void {
    const stored = storedType(kind);
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
  if (!SIGNATURES.has(type)) SIGNATURES.set(type, makeSignature(type));
  return SIGNATURES.get(type);
}

function makeSignature({ result, parameters }: FunctionType): CallSignature | undefined {
  const returned = result === VOID ? 'void' : kindOf(result);
  const passed = parameters.flatMap((type) => kindOf(type) ?? []);
  if (returned === undefined || passed.length < parameters.length) return undefined;
  return { result: returned, parameters: passed };
}

function kindOf(type: IRType): ScalarKind | undefined {
  return type instanceof PointerType ? 'ptr' : KINDS.get(type);
}

function typeOf({ result, parameters }: CallSignature): FunctionType {
  return new FunctionType(result === 'void' ? VOID : TYPES[result], parameters.map(passedType));
}

/**
 * A C function may rely on its caller having widened a narrow integer to 32 bits. Passing the widened value takes the
 * same register or stack slot, and a callee declared with the narrow type reads just its low bits.
 */
function passedType(kind: ScalarKind): IRType {
  return isNarrow(kind) ? I32 : TYPES[kind];
}

function storedType(kind: ScalarKind): IRType {
  return kind === 'i1' ? I8 : TYPES[kind];
}

function isNarrow(kind: ScalarKind): boolean {
  return kind === 'i1' || kind === 'i8' || kind === 'i16';
}
