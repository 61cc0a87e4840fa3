import {
  type CallSignature,
  type ParameterKind,
  type ResultPair,
  SLOT_BYTES,
  type StructKind,
  type WrappedKind,
  type WrapperSignature,
} from './call-signature.js';
import { isStruct, layoutOf, scalarsOf } from './layout.js';

/** Registers for arguments: psABI, 3.2.3. */
export const INTEGER_REGISTERS = 6;
export const SSE_REGISTERS = 8;
/** A larger struct is passed and returned in memory. */
export const MAX_REGISTER_BYTES = 2 * SLOT_BYTES;

/** How a function is called: what the psABI makes of its signature. */
export interface Passing {
  /** What its wrapper passes: first what is in registers, then what is on the stack, in order. */
  readonly wrapper: WrapperSignature;
  /** Of each parameter, which of the wrapper's is its first eightbyte; the others follow. */
  readonly firsts: readonly number[];
  /** Bytes of a result that the caller has to make room for: its address is the first argument. */
  readonly resultBytes: number;
}

const PASSINGS = new WeakMap<CallSignature, Passing>();

/** Asked for with every call. */
export function passingOf(signature: CallSignature): Passing {
  let passing = PASSINGS.get(signature);
  if (!passing) {
    passing = makePassing(signature);
    PASSINGS.set(signature, passing);
  }
  return passing;
}

/**
 * Scalars go where C's calling convention has them, since a wrapper passes them as C. A struct of up to 16 bytes is passed
 * as a scalar for each eightbyte. What is in memory, which is the stack, is passed as 64-bit integers behind all that takes
 * registers, when there are no registers left for integers: unused ones are filled.
 */
function makePassing({ result, parameters }: CallSignature): Passing {
  const returned = resultOf(result);
  const inRegisters: { readonly kind: WrappedKind; readonly parameter?: number }[] = [];
  const onStack: { readonly kind: WrappedKind; readonly parameter: number }[] = [];
  let integerCount = 0;
  let sseCount = 0;
  if (returned.resultBytes > 0) {
    inRegisters.push({ kind: 'ptr' });
    integerCount++;
  }
  parameters.forEach((kind, parameter) => {
    const eightbytes = eightbytesOf(kind);
    const sse = eightbytes.filter(isSse).length;
    const isSmall = !isStruct(kind) || layoutOf(kind).sizeBytes <= MAX_REGISTER_BYTES;
    const integers = eightbytes.length - sse;
    if (isSmall && integerCount + integers <= INTEGER_REGISTERS && sseCount + sse <= SSE_REGISTERS) {
      integerCount += integers;
      sseCount += sse;
      for (const eightbyte of eightbytes) inRegisters.push({ kind: eightbyte, parameter });
    } else
      for (const eightbyte of eightbytes)
        onStack.push({ kind: isStruct(kind) ? 'i64' : eightbyte, parameter });
  });
  const hasIntegersOnStack = onStack.some(({ kind }) => !isSse(kind));
  while (hasIntegersOnStack && integerCount++ < INTEGER_REGISTERS) inRegisters.push({ kind: 'i64' });
  const passed = [...inRegisters, ...onStack];
  return {
    wrapper: { result: returned.result, parameters: passed.map(({ kind }) => kind) },
    firsts: parameters.map((_, index) => passed.findIndex(({ parameter }) => parameter === index)),
    resultBytes: returned.resultBytes,
  };
}

function resultOf(kind: CallSignature['result']): {
  readonly result: WrapperSignature['result'];
  readonly resultBytes: number;
} {
  if (kind === 'void') return { result: 'void', resultBytes: 0 };
  if (!isStruct(kind)) return { result: wrappedResult(kind), resultBytes: 0 };
  const { sizeBytes } = layoutOf(kind);
  if (sizeBytes > MAX_REGISTER_BYTES) return { result: 'void', resultBytes: sizeBytes };
  return { result: classesOf(kind).join('+') as ResultPair | 'i64' | 'double', resultBytes: 0 };
}

function eightbytesOf(kind: ParameterKind): readonly WrappedKind[] {
  if (isStruct(kind)) return classesOf(kind);
  switch (kind) {
    case 'inout ptr':
      return ['ptr'];
    case 'u32':
      return ['i32'];
    case 'u64':
      return ['i64'];
    default:
      return [kind];
  }
}

/** A result's bits are the same whether it has a sign. */
function wrappedResult(kind: Exclude<CallSignature['result'], StructKind | 'void'>): WrappedKind {
  switch (kind) {
    case 'u8':
      return 'i8';
    case 'u16':
      return 'i16';
    case 'u32':
      return 'i32';
    case 'u64':
      return 'i64';
    default:
      return kind;
  }
}

/** A struct's eightbytes: SSE is passed as the `double` that has its bits, INTEGER as an `i64`. */
function classesOf(kind: StructKind): ('double' | 'i64')[] {
  const classes = new Array<'double' | 'i64'>(Math.ceil(layoutOf(kind).sizeBytes / SLOT_BYTES)).fill(
    'double',
  );
  for (const { kind: scalar, offset } of scalarsOf(kind))
    if (!isSse(scalar)) classes[Math.floor(offset / SLOT_BYTES)] = 'i64';
  return classes;
}

export function isSse(kind: string): boolean {
  return kind === 'double' || kind === 'float';
}
