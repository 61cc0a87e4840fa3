import { run } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import type { CallSignature, ScalarKind } from './call-signature.js';
import { callBlockBytes } from './call-signature.js';
import type { CallOptions } from './session-calls.js';

/** A scalar of JIT'd code: 64-bit integers and pointers are `bigint`, everything else is a number. */
export type ScalarValue = number | bigint;

/**
 * A function in the executor. Stays valid over redefinitions and new runners, because it goes by name.
 * Rejects with ArgumentError, ExecutionTrapError, RunnerLostError, MaterializationError, DeadlineExceededError or
 * CancelledError, and when the executor is out of reach.
 */
export interface JITCallable {
  (...args: ScalarValue[]): Promise<ScalarValue | undefined>;
  readonly symbol: string;
  /** As it is now, unless one was given to `lookup`: a redefinition can change the number of parameters. */
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

/** Whether a function takes doubles only, and gives one. */
export function isOfDoubles({ result, parameters }: CallSignature): boolean {
  return result === 'double' && parameters.every((kind) => kind === 'double');
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

/** Bits of the integers, and of pointers, which are taken as such. */
const INTEGER_BITS: Readonly<Partial<Record<ScalarKind, bigint>>> = {
  i1: 1n,
  i8: 8n,
  i16: 16n,
  i32: 32n,
  i64: 64n,
  ptr: 64n,
};

/**
 * The block a call wrapper takes: the callee's address, then one 8-byte slot per argument. An integer may be given as
 * its signed or its unsigned value.
 * @throws {ArgumentError} when number, kind or size of the arguments do not fit.
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
  const block = newBlock(symbol, callBlockBytes(signature));
  setCallee(block, address);
  const view = new DataView(block.buffer);
  parameters.forEach((kind, index) => {
    const value = args[index];
    const wrong = mismatch(kind, value);
    if (value === undefined || wrong) throw new ArgumentError(`${symbol}: argument ${index + 1} is ${wrong}`);
    CODECS[kind].write(view, 8 + 8 * index, value);
  });
  return block;
}

/** Puts the callee's address where a wrapper expects it. */
export function setCallee(block: Uint8Array, address: bigint): void {
  new DataView(block.buffer, block.byteOffset, block.byteLength).setBigUint64(0, address, true);
}

/** What is wrong with an argument, as the end of a sentence that begins with "argument 1 is". */
function mismatch(kind: ScalarKind, value: unknown): string | undefined {
  if (typeof value !== 'number' && typeof value !== 'bigint')
    return `${typeof value}, not a number or bigint`;
  const bits = INTEGER_BITS[kind];
  if (bits === undefined) return undefined;
  if (typeof value === 'number' && !Number.isInteger(value)) return `${value}, not an integer`;
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    return `${value}, which a number does not hold exactly; pass a bigint`;
  const least = bits === 1n ? 0n : -(1n << (bits - 1n));
  return value < least || value >= 1n << bits ? `${value}, which does not fit ${kind}` : undefined;
}

function newBlock(symbol: string, sizeBytes: number): Uint8Array {
  if (sizeBytes > run.MAX_BLOCK_BYTES)
    throw new ArgumentError(
      `${symbol}: the arguments take ${sizeBytes} bytes, a call has room for ${run.MAX_BLOCK_BYTES}`,
    );
  return new Uint8Array(sizeBytes);
}

/**
 * Checks columns against the function of doubles that is to be applied to them.
 * @throws {ArgumentError}
 */
export function checkColumns(
  symbol: string,
  signature: CallSignature | undefined,
  columns: readonly Float64Array[],
): void {
  if (!signature) throw new ArgumentError(`${symbol} is not defined, nor declared extern`);
  const { parameters } = signature;
  if (!isOfDoubles(signature)) throw new ArgumentError(`${symbol} is not a function of doubles`);
  if (parameters.length === 0) throw new ArgumentError(`${symbol} has no parameters to take from columns`);
  if (columns.length !== parameters.length)
    throw new ArgumentError(`${symbol} takes ${parameters.length} columns, got ${columns.length}`);
  const [first] = columns;
  for (const [index, column] of columns.entries()) {
    if (!(column instanceof Float64Array))
      throw new ArgumentError(`${symbol}: column ${index + 1} is not a Float64Array`);
    if (column.length !== first?.length)
      throw new ArgumentError(
        `${symbol}: column ${index + 1} has ${column.length} elements, column 1 has ${first?.length}`,
      );
  }
}

/** What the wrapper left at the block's start; undefined for a void function. */
export function decodeResult(signature: CallSignature, block: Uint8Array): ScalarValue | undefined {
  if (signature.result === 'void') return undefined;
  return CODECS[signature.result].read(new DataView(block.buffer, block.byteOffset, block.byteLength));
}

/**
 * The block of a main-like function: address, argc, an offset per string and room for the null that ends argv, then
 * the strings, each NUL-terminated.
 * @throws {ArgumentError} when a string contains NUL, or all together are too long.
 */
export function encodeMainBlock(address: bigint, argv: readonly string[]): Uint8Array {
  argv.forEach((argument, index) => {
    if (argument.includes('\0')) throw new ArgumentError(`main: argv[${index}] contains a NUL`);
  });
  const strings = argv.map((argument) => Buffer.from(`${argument}\0`));
  const tableBytes = 8 * (3 + argv.length);
  const block = newBlock(
    'main',
    strings.reduce((total, string) => total + string.length, tableBytes),
  );
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
