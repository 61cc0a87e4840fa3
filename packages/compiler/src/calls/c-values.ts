import { ArgumentError } from '../core/argument-error.js';
import { cString } from './c-string.js';
import { type CallData, PassedBytes } from './call-data.js';
import type { ArrayKind, FieldKind, ParameterKind, StructKind } from './call-signature.js';
import { isArray, isStruct, MAX_DEPTH, partsOf } from './layout.js';
import { CODECS, mismatch, type ScalarValue } from './scalars.js';

/**
 * What a function of C is given. For a pointer: an address, null, or what it is to lead to, which is copied for the call:
 * a string, with a NUL behind it, or an array of numbers (any view of an `ArrayBuffer`). For a struct or an array in one:
 * what is in it, in order.
 */
export type CArgument = ScalarValue | string | ArrayBufferView | null | readonly CArgument[];

/** What a function of C gives: a struct is what is in it, in order. */
export type CValue = ScalarValue | readonly CValue[];

/** An argument whose strings and arrays have been copied. */
export type CapturedArgument = ScalarValue | null | PassedBytes | readonly CapturedArgument[];

/**
 * Copies what arguments point to, as it is now.
 * @throws {ArgumentError} for a string that C cannot hold, and for an array whose buffer has been transferred.
 */
export function captureArgument(value: CArgument, place: string, depth = 0): CapturedArgument {
  if (typeof value === 'string') return new PassedBytes(cString(value, place));
  if (ArrayBuffer.isView(value)) return new PassedBytes(bytesIn(value, place).slice(), value);
  if (!Array.isArray(value)) return value as ScalarValue | null;
  // An array may be in itself.
  if (depth > MAX_DEPTH)
    throw new ArgumentError(`${place} is in more arrays than there are types in a signature`);
  return value.map((item: CArgument, index) =>
    captureArgument(item, `${place}, item ${index + 1}`, depth + 1),
  );
}

/** Whether an argument leads to memory of the call. */
export function hasBytes(value: CapturedArgument): boolean {
  return value instanceof PassedBytes || (Array.isArray(value) && value.some(hasBytes));
}

/**
 * Writes a value as C has it in memory.
 * @param place of the value in words, as errors begin.
 * @throws {ArgumentError} when it does not fit.
 */
export function writeCValue(
  kind: ParameterKind | FieldKind,
  value: CapturedArgument | undefined,
  into: { readonly view: DataView; readonly offset: number; readonly data: CallData },
  place: string,
): void {
  const { view, offset, data } = into;
  if (kind === 'inout ptr') return writeInout(value, into, place);
  if (isStruct(kind) || isArray(kind)) return writeItems(kind, value, into, place);
  if (kind === 'ptr' && value instanceof PassedBytes) return data.pass(offset, value.bytes);
  const scalar = kind === 'ptr' && value === null ? 0n : value;
  if (kind === 'ptr' && typeof scalar !== 'number' && typeof scalar !== 'bigint')
    throw new ArgumentError(
      `${place} is ${typeof scalar}: give an address, null, a string or a view of an ArrayBuffer`,
    );
  const wrong = scalar instanceof PassedBytes ? 'no number' : mismatch(kind, scalar);
  if (wrong !== undefined) throw new ArgumentError(`${place} is ${wrong}`);
  CODECS[kind].write(view, offset, scalar as ScalarValue);
}

/** Reads a value as C has it in memory. */
export function readCValue(kind: FieldKind, view: DataView, offset: number): CValue {
  if (isStruct(kind) || isArray(kind))
    return partsOf(kind).map((part) => readCValue(part.kind, view, offset + part.offset));
  return CODECS[kind].read(view, offset);
}

function writeInout(
  value: CapturedArgument | undefined,
  { offset, data }: { readonly offset: number; readonly data: CallData },
  place: string,
): void {
  if (!(value instanceof PassedBytes && value.array))
    throw new ArgumentError(`${place} is no array of numbers for the function to write to`);
  const { array, bytes } = value;
  const other = data.claim(array, place);
  if (other !== undefined)
    throw new ArgumentError(
      `${place} has memory in common with ${other}: the function would write to two copies of it`,
    );
  data.passAndRead(offset, bytes, (content) => {
    if (array.byteLength !== bytes.byteLength)
      throw new ArgumentError(
        `${place} had ${bytes.byteLength} bytes, and has ${array.byteLength} after the call`,
      );
    bytesIn(array, place).set(content);
  });
}

function writeItems(
  kind: StructKind | ArrayKind,
  value: CapturedArgument | undefined,
  { view, offset, data }: { readonly view: DataView; readonly offset: number; readonly data: CallData },
  place: string,
): void {
  const parts = partsOf(kind);
  const what = isArray(kind) ? 'array' : 'struct';
  if (!Array.isArray(value))
    throw new ArgumentError(`${place} is no array with the ${parts.length} items of the ${what}`);
  if (value.length !== parts.length)
    throw new ArgumentError(`${place} has ${value.length} items, the ${what} has ${parts.length}`);
  parts.forEach((part, index) => {
    const into = { view, offset: offset + part.offset, data };
    writeCValue(part.kind, value[index], into, `${place}, item ${index + 1}`);
  });
}

function bytesIn({ buffer, byteOffset, byteLength }: ArrayBufferView, place: string): Uint8Array {
  try {
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch {
    throw new ArgumentError(`${place} is an array whose buffer has been transferred`);
  }
}
