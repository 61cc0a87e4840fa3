import type { ScalarKind } from './call-signature.js';

/** A scalar of JIT'd code: 64-bit integers and pointers are `bigint`, everything else is a number. */
export type ScalarValue = number | bigint;

interface Codec {
  write(view: DataView, at: number, value: ScalarValue): void;
  read(view: DataView, at: number): ScalarValue;
}

/** How each kind lies in memory. */
export const CODECS: Readonly<Record<ScalarKind, Codec>> = {
  double: {
    write: (view, at, value) => view.setFloat64(at, Number(value), true),
    read: (view, at) => view.getFloat64(at, true),
  },
  float: {
    write: (view, at, value) => view.setFloat32(at, Number(value), true),
    read: (view, at) => view.getFloat32(at, true),
  },
  i1: {
    write: (view, at, value) => view.setUint8(at, value ? 1 : 0),
    read: (view, at) => view.getUint8(at),
  },
  i8: {
    write: (view, at, value) => view.setInt8(at, Number(value)),
    read: (view, at) => view.getInt8(at),
  },
  u8: {
    write: (view, at, value) => view.setUint8(at, Number(value)),
    read: (view, at) => view.getUint8(at),
  },
  i16: {
    write: (view, at, value) => view.setInt16(at, Number(value), true),
    read: (view, at) => view.getInt16(at, true),
  },
  u16: {
    write: (view, at, value) => view.setUint16(at, Number(value), true),
    read: (view, at) => view.getUint16(at, true),
  },
  i32: {
    write: (view, at, value) => view.setInt32(at, Number(value), true),
    read: (view, at) => view.getInt32(at, true),
  },
  u32: {
    write: (view, at, value) => view.setUint32(at, Number(value), true),
    read: (view, at) => view.getUint32(at, true),
  },
  i64: {
    write: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
    read: (view, at) => view.getBigInt64(at, true),
  },
  u64: {
    write: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
    read: (view, at) => view.getBigUint64(at, true),
  },
  ptr: {
    write: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
    read: (view, at) => view.getBigUint64(at, true),
  },
};

/** Bits of the integers, and of pointers, which are taken as such. */
const INTEGER_BITS: Readonly<Partial<Record<ScalarKind, bigint>>> = {
  i1: 1n,
  i8: 8n,
  u8: 8n,
  i16: 16n,
  u16: 16n,
  i32: 32n,
  u32: 32n,
  i64: 64n,
  u64: 64n,
  ptr: 64n,
};
const UNSIGNED: ReadonlySet<ScalarKind> = new Set<ScalarKind>(['i1', 'u8', 'u16', 'u32', 'u64']);

/**
 * What is wrong with a value, as the end of a sentence that begins with "argument 1 is". A signed integer may be given as
 * its signed or its unsigned value.
 */
export function mismatch(kind: ScalarKind, value: unknown): string | undefined {
  if (typeof value !== 'number' && typeof value !== 'bigint')
    return `${value === null ? 'null' : typeof value}, not a number or bigint`;
  const bits = INTEGER_BITS[kind];
  if (bits === undefined) return undefined;
  if (typeof value === 'number' && !Number.isInteger(value)) return `${value}, not an integer`;
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    return `${value}, which a number does not hold exactly; pass a bigint`;
  const least = UNSIGNED.has(kind) ? 0n : -(1n << (bits - 1n));
  return value < least || value >= 1n << bits ? `${value}, which does not fit ${kind}` : undefined;
}
