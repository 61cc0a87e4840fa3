import { run } from '@farjit/protocol';
import { NULL_ADDR } from '@farjit/protocol/executor-addr';
import { ArgumentError } from '../core/argument-error.js';
import { isDoubles } from '../core/arguments.js';
import { cString } from './c-string.js';
import { type CArgument, type CapturedArgument, type CValue, readCValue, writeCValue } from './c-values.js';
import { CallData } from './call-data.js';
import { type CallSignature, callBlockBytes, type ScalarKind, SLOT_BYTES } from './call-signature.js';
import { passingOf } from './passing.js';
import type { CallOptions } from './session-calls.js';

/**
 * A function in the executor. Stays valid over redefinitions and new runners, because it goes by name. What it points to is
 * copied when it is called, and there as long as the call lasts; arrays for an `inout ptr` have what the function has
 * left in them when it has returned.
 * Rejects with ArgumentError, ExecutionTrapError, RunnerLostError, MaterializationError, DeadlineExceededError or
 * AbortError, and when the executor is out of reach.
 */
export interface JITCallable<
  Arguments extends readonly unknown[] = CArgument[],
  Result extends CValue | undefined = CValue | undefined,
> {
  (...args: Arguments): Promise<Result>;
  readonly symbol: string;
  /** As it is now, unless one was given to `lookup`: a redefinition can change the number of parameters. */
  readonly signature: CallSignature;
  /** The same call with a deadline or a signal that interrupts it. */
  call(args: Readonly<Arguments>, options: CallOptions): Promise<Result>;
}

/** The signature of a Kaleidoscope function: doubles in, a double out. */
export function doubleSignature(parameterCount: number): CallSignature {
  return { result: 'double', parameters: new Array<ScalarKind>(parameterCount).fill('double') };
}

/** Whether a function takes doubles only, and gives one. */
export function isOfDoubles({ result, parameters }: CallSignature): boolean {
  return result === 'double' && parameters.every((kind) => kind === 'double');
}

/**
 * The block a call wrapper takes: the callee's address, then one 8-byte slot per argument, of a struct one per eightbyte.
 * @param data is told what pointers lead to.
 * @throws {ArgumentError} when number, kind or size of the arguments do not fit.
 */
export function encodeBlock(
  symbol: string,
  address: bigint,
  signature: CallSignature,
  args: readonly CapturedArgument[],
  data = new CallData(),
): Uint8Array {
  const { parameters } = signature;
  if (args.length !== parameters.length)
    throw new ArgumentError(`${symbol} takes ${parameters.length} arguments, got ${args.length}`);
  const { wrapper, firsts } = passingOf(signature);
  const block = newBlock(symbol, callBlockBytes(wrapper));
  setCallee(block, address);
  const view = new DataView(block.buffer);
  parameters.forEach((kind, index) => {
    const offset = SLOT_BYTES * (1 + (firsts[index] ?? 0));
    writeCValue(kind, args[index], { view, offset, data }, `${symbol}: argument ${index + 1}`);
  });
  return block;
}

/** Puts the callee's address where a wrapper expects it. */
export function setCallee(block: Uint8Array, address: bigint): void {
  new DataView(block.buffer, block.byteOffset, block.byteLength).setBigUint64(0, address, true);
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
  if (!Array.isArray(columns)) throw new ArgumentError(`${symbol}: the columns are no array`);
  if (!signature) throw new ArgumentError(`${symbol} is not defined, nor declared extern`);
  const { parameters } = signature;
  if (!isOfDoubles(signature)) throw new ArgumentError(`${symbol} is not a function of doubles`);
  if (parameters.length === 0) throw new ArgumentError(`${symbol} has no parameters to take from columns`);
  if (columns.length !== parameters.length)
    throw new ArgumentError(`${symbol} takes ${parameters.length} columns, got ${columns.length}`);
  const [first] = columns;
  for (const [index, column] of columns.entries()) {
    if (!isDoubles(column)) throw new ArgumentError(`${symbol}: column ${index + 1} is not a Float64Array`);
    if (column.length !== first?.length)
      throw new ArgumentError(
        `${symbol}: column ${index + 1} has ${column.length} elements, column 1 has ${first?.length}`,
      );
  }
}

/** What the wrapper left at the block's start; undefined for a void function. */
export function decodeResult({ result }: CallSignature, block: Uint8Array): CValue | undefined {
  if (result === 'void') return undefined;
  return readCValue(result, new DataView(block.buffer, block.byteOffset, block.byteLength), 0);
}

/** A call that lacks the callee's address, and that of its data. */
export interface EncodedCall {
  readonly block: Uint8Array;
  readonly data: CallData;
  /** The result, from the block that has come back, when `data` has taken what was read. */
  resultIn(block: Uint8Array): CValue | undefined;
}

/** @throws {ArgumentError} as `encodeBlock`. */
export function encodeCall(
  symbol: string,
  signature: CallSignature,
  args: readonly CapturedArgument[],
): EncodedCall {
  const data = new CallData();
  const block = encodeBlock(symbol, NULL_ADDR, signature, args, data);
  const { resultBytes } = passingOf(signature);
  let inMemory: Uint8Array | undefined;
  if (resultBytes > 0)
    data.passAndRead(SLOT_BYTES, new Uint8Array(resultBytes), (content) => {
      inMemory = content;
    });
  return { block, data, resultIn: (answered) => decodeResult(signature, inMemory ?? answered) };
}

/**
 * The block of a main-like function: address, argc, an offset per string and room for the null that ends argv, then
 * the strings, each NUL-terminated.
 * @throws {ArgumentError} when a string is none in C, or all together are too long.
 */
export function encodeMainBlock(address: bigint, argv: readonly string[]): Uint8Array {
  const strings = argv.map((argument, index) => cString(argument, `main: argv[${index}]`));
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
