import { IRBuilder, type IRValue } from '../ir/ir-builder.js';
import {
  DOUBLE,
  FLOAT,
  FunctionType,
  I1,
  I8,
  I16,
  I32,
  I64,
  type IRType,
  StructType,
  VOID,
} from '../ir/types.js';
import type { ScalarKind } from './call-signature.js';
import type { HostSignature } from './host-function.js';

/** What thunks call, as IRGen and the linker call it: nothing that a program can name. */
export const CALL_HOST_NAME = 'farjit$callHost';

const CALL_HOST = new FunctionType(VOID, [I64, I64.pointer, I64]);

/** As C's compilers pass and return them: an integer that is narrower than 32 bits is widened, and need not be widened right. */
const TYPES: Readonly<Record<ScalarKind, IRType>> = {
  i1: I32,
  i8: I32,
  u8: I32,
  i16: I32,
  u16: I32,
  i32: I32,
  u32: I32,
  i64: I64,
  u64: I64,
  ptr: I8.pointer,
  float: FLOAT,
  double: DOUBLE,
};
/** What of them counts. */
const NARROW: Readonly<Partial<Record<ScalarKind, IRType>>> = { i1: I1, i8: I8, u8: I8, i16: I16, u16: I16 };
const SIGNED: ReadonlySet<ScalarKind> = new Set<ScalarKind>(['i8', 'i16', 'i32']);

/**
 * A module with a function of the signature that stands for one of the compiler's: it lays its arguments down as
 * `HostFunctionDescription` says, has the runner call the number, and gives what comes back.
 */
export function generateHostThunk(
  name: string,
  number: number,
  { result, parameters }: HostSignature,
): IRBuilder {
  const ir = new IRBuilder();
  const type = new FunctionType(
    result === 'void' ? VOID : TYPES[result],
    parameters.map((kind) => TYPES[kind]),
  );
  const thunk = ir.addFunction(name, type);
  const callHost = ir.addFunction(CALL_HOST_NAME, CALL_HOST);
  const passed = parameters.map((_, index) => ir.argument(thunk, index));
  const entry = ir.addBlock(thunk, 'entry');
  ir.continueIn(entry);
  const room = new StructType(new Array<IRType>(1 + parameters.length).fill(I64));
  const words = ir.cast('bitcast', ir.allocaAtStart(entry, room), I64.pointer, 'words');
  parameters.forEach((kind, index) => {
    const value = passed[index];
    if (value !== undefined) ir.store(toWord(ir, kind, value), ir.gep(I64, words, ir.int64(1 + index)));
  });
  ir.call(callHost, [ir.int64(number), words, ir.int64(parameters.length)]);
  if (result === 'void') ir.retVoid();
  else ir.ret(fromWord(ir, result, ir.load(I64, words)));
  return ir;
}

function toWord(ir: IRBuilder, kind: ScalarKind, value: IRValue): IRValue {
  switch (kind) {
    case 'i64':
    case 'u64':
      return value;
    case 'ptr':
      return ir.cast('ptrtoint', value, I64);
    case 'double':
      return ir.cast('bitcast', value, I64);
    case 'float':
      return ir.cast('zext', ir.cast('bitcast', value, I32), I64);
    default: {
      const narrow = NARROW[kind];
      return ir.cast(
        SIGNED.has(kind) ? 'sext' : 'zext',
        narrow ? ir.cast('trunc', value, narrow) : value,
        I64,
      );
    }
  }
}

/** An integer's word is widened as C's compilers widen a result, so that its low half is what a register is to have. */
function fromWord(ir: IRBuilder, kind: ScalarKind, word: IRValue): IRValue {
  switch (kind) {
    case 'i64':
    case 'u64':
      return word;
    case 'ptr':
      return ir.cast('inttoptr', word, I8.pointer);
    case 'double':
      return ir.cast('bitcast', word, DOUBLE);
    case 'float':
      return ir.cast('bitcast', ir.cast('trunc', word, I32), FLOAT);
    default:
      return ir.cast('trunc', word, I32);
  }
}
