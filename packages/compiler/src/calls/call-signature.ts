/**
 * A value of C that a register or a slot of the stack holds, under LLVM's name; `u8` to `u64` are integers without a sign. An
 * `i1` is a `bool`.
 */
export type ScalarKind =
  | 'double'
  | 'float'
  | 'i1'
  | 'i8'
  | 'u8'
  | 'i16'
  | 'u16'
  | 'i32'
  | 'u32'
  | 'i64'
  | 'u64'
  | 'ptr';

/** A struct, passed by value: its fields lie as C lays them out. */
export interface StructKind {
  readonly fields: readonly FieldKind[];
}

/** An array in a struct. */
export interface ArrayKind {
  readonly element: FieldKind;
  readonly count: number;
}

export type FieldKind = ScalarKind | StructKind | ArrayKind;

/**
 * What a function takes: an `inout ptr` is a pointer to an array of which the caller wants back what the function has left
 * in it.
 */
export type ParameterKind = ScalarKind | 'inout ptr' | StructKind;

export type ResultKind = ScalarKind | 'void' | StructKind;

/** A function of C, called by its address. */
export interface CallSignature {
  readonly result: ResultKind;
  readonly parameters: readonly ParameterKind[];
}

/**
 * What a wrapper passes and takes back, at the start of an 8-byte slot of a call block, little-endian, in its natural
 * size (an `i1` is a byte, 0 or 1). Integers narrower than 32 bits are passed widened, as C's compilers rely on it.
 */
export type WrappedKind = Exclude<ScalarKind, 'u32' | 'u64'>;

/** Two registers that a struct is returned in. */
export type ResultPair = 'i64+i64' | 'i64+double' | 'double+i64' | 'double+double';

/** What a wrapper calls: what a function's signature comes to in registers and stack slots. */
export interface WrapperSignature {
  readonly result: WrappedKind | ResultPair | 'void';
  readonly parameters: readonly WrappedKind[];
}

/** Bytes of a call block's slot. */
export const SLOT_BYTES = 8;

/** Bytes that a call block takes: a slot for the callee or the result, and one per parameter. A pair takes two. */
export function callBlockBytes({ result, parameters }: WrapperSignature): number {
  return SLOT_BYTES * Math.max(1 + parameters.length, isPair(result) ? 2 : 1);
}

export function isPair(result: WrapperSignature['result']): result is ResultPair {
  return result.includes('+');
}

/** Symbol of a wrapper, the same for every function that is called alike: `call$double$i32$ptr`. */
export function callWrapperName({ result, parameters }: WrapperSignature): string {
  return ['call', result, ...parameters].join('$');
}

/** Symbol of `generateMainWrapper`'s wrapper. */
export const MAIN_WRAPPER_NAME = 'call$main';
