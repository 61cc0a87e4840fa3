import { FarJITError } from '@farjit/protocol';
import type { CallSignature, ScalarKind } from './kaleidoscope/call-wrapper.js';
import { callBlockBytes } from './kaleidoscope/call-wrapper.js';
import type { CallOptions } from './session/execution-session.js';

/** A scalar of JIT'd code: 64-bit integers and pointers are `bigint`, everything else is a number. */
export type ScalarValue = number | bigint;

/**
 * A function in the executor. Stays valid over redefinitions and new runners, because it goes by name.
 * Rejects like `KaleidoscopeJIT.call`.
 */
export interface JITCallable {
  (...args: ScalarValue[]): Promise<ScalarValue | undefined>;
  readonly symbol: string;
  readonly signature: CallSignature;
  /** The same call with a deadline or a signal that interrupts it. */
  call(args: readonly ScalarValue[], options: CallOptions): Promise<ScalarValue | undefined>;
}

/** Arguments do not fit the function's signature. */
export class ArgumentError extends FarJITError {
  constructor(message: string) {
    super('BAD_ARGUMENT', message);
  }
}

/** The signature of a Kaleidoscope function: doubles in, a double out. */
export function doubleSignature(parameterCount: number): CallSignature {
  return { result: 'double', parameters: new Array<ScalarKind>(parameterCount).fill('double') };
}

/** How each kind lies at the start of its 8-byte slot. */
const CODECS: Readonly<
  Record<
    ScalarKind,
    { write(view: DataView, at: number, value: ScalarValue): void; read(view: DataView): ScalarValue }
  >
> = {
  double: {
    write: (view, at, value) => view.setFloat64(at, Number(value), true),
    read: (view) => view.getFloat64(0, true),
  },
  float: {
    write: (view, at, value) => view.setFloat32(at, Number(value), true),
    read: (view) => view.getFloat32(0, true),
  },
  i1: { write: (view, at, value) => view.setUint8(at, value ? 1 : 0), read: (view) => view.getUint8(0) },
  i8: { write: (view, at, value) => view.setInt8(at, Number(value)), read: (view) => view.getInt8(0) },
  i16: {
    write: (view, at, value) => view.setInt16(at, Number(value), true),
    read: (view) => view.getInt16(0, true),
  },
  i32: {
    write: (view, at, value) => view.setInt32(at, Number(value), true),
    read: (view) => view.getInt32(0, true),
  },
  i64: {
    write: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
    read: (view) => view.getBigInt64(0, true),
  },
  ptr: {
    write: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
    read: (view) => view.getBigUint64(0, true),
  },
};

/**
 * The block a call wrapper takes: the callee's address, then one 8-byte slot per argument.
 * @throws {ArgumentError} when number or kind of the arguments do not fit.
 */
export function encodeBlock(
  symbol: string,
  address: bigint,
  signature: CallSignature,
  args: readonly ScalarValue[],
): Uint8Array {
  const { parameters } = signature;
  if (args.length !== parameters.length)
    throw new ArgumentError(`${symbol} takes ${parameters.length} arguments, got ${args.length}`);
  const block = new Uint8Array(callBlockBytes(signature));
  const view = new DataView(block.buffer);
  view.setBigUint64(0, address, true);
  parameters.forEach((kind, index) => {
    const value = args[index];
    if (typeof value !== 'number' && typeof value !== 'bigint')
      throw new ArgumentError(`${symbol}: argument ${index + 1} is ${typeof value}, not a number or bigint`);
    const isWide = kind === 'i64' || kind === 'ptr';
    if (isWide && typeof value === 'number' && !Number.isSafeInteger(value))
      throw new ArgumentError(`${symbol}: argument ${index + 1} must be a bigint or a safe integer`);
    CODECS[kind].write(view, 8 + 8 * index, value);
  });
  return block;
}

/** What the wrapper left at the block's start; undefined for a void function. */
export function decodeResult(signature: CallSignature, block: Uint8Array): ScalarValue | undefined {
  if (signature.result === 'void') return undefined;
  return CODECS[signature.result].read(new DataView(block.buffer, block.byteOffset, block.byteLength));
}

/**
 * The block of a main-like function: address, argc, an offset per string and room for the null that ends argv, then
 * the strings, each NUL-terminated.
 */
export function encodeMainBlock(address: bigint, argv: readonly string[]): Uint8Array {
  const strings = argv.map((argument) => Buffer.from(`${argument}\0`));
  const tableBytes = 8 * (3 + argv.length);
  const block = new Uint8Array(strings.reduce((total, string) => total + string.length, tableBytes));
  const view = new DataView(block.buffer);
  view.setBigUint64(0, address, true);
  view.setBigUint64(8, BigInt(argv.length), true);
  let offset = tableBytes;
  strings.forEach((string, index) => {
    view.setBigUint64(16 + 8 * index, BigInt(offset), true);
    block.set(string, offset);
    offset += string.length;
  });
  return block;
}
