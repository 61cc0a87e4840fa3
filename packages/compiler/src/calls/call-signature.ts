/**
 * Kind of a value in a call block, always at the start of an 8-byte slot, little-endian, in its natural size (an `i1` is
 * a byte, 0 or 1). Integers narrower than 32 bits are passed as C passes them: `i1` as `bool`, `i8` as `signed char`,
 * `i16` as `short`; for a C function that takes the unsigned type, pass the widened value as `i32`.
 */
export type ScalarKind = 'double' | 'float' | 'i1' | 'i8' | 'i16' | 'i32' | 'i64' | 'ptr';

/** A function of scalars, called by its address. */
export interface CallSignature {
  readonly result: ScalarKind | 'void';
  readonly parameters: readonly ScalarKind[];
}

/** Bytes of a call block's slot. */
export const SLOT_BYTES = 8;

/** Bytes that a call block of a signature takes: a slot for the callee or the result, and one per parameter. */
export function callBlockBytes(signature: CallSignature): number {
  return SLOT_BYTES * (1 + signature.parameters.length);
}

/** Symbol of a signature's wrapper, the same for every function of that signature: `call$double$i32$ptr`. */
export function callWrapperName(signature: CallSignature): string {
  return ['call', signature.result, ...signature.parameters].join('$');
}

/** Symbol of `generateMainWrapper`'s wrapper. */
export const MAIN_WRAPPER_NAME = 'call$main';
