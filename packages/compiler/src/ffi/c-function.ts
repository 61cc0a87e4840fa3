import { DataType, load, open } from 'ffi-rs';

/**
 * The C types that LLVM's C API needs, as ffi-rs names them.
 *
 * Pointers, `size_t` and 64-bit integers are `BigInt`: ffi-rs's `I64` and `U64` lose precision. `bytes` is a `Buffer`
 * whose address is passed; it must outlive the call, and whatever the callee stores the address in.
 */
export const C = {
  void: DataType.Void,
  int: DataType.I32,
  pointer: DataType.BigInt,
  size: DataType.BigInt,
  string: DataType.String,
  bytes: DataType.U8Array,
} as const;

/** One of the types of `C`. */
export type CType = (typeof C)[keyof typeof C];

/**
 * Binds `name` of a library that `openLibrary` opened.
 *
 * The signature is trusted: a wrong `result` or parameter type crashes the process. Calling `load` with a fresh
 * literal costs 1.9 µs a call, half of what ffi-rs's own `define` costs (it copies its descriptor each time).
 */
export function cFunction<F extends (...args: never[]) => unknown>(
  library: string,
  name: string,
  result: CType,
  parameters: readonly CType[],
): F {
  return ((...paramsValue: unknown[]) =>
    load({
      library,
      funcName: name,
      retType: result,
      paramsType: parameters as CType[],
      paramsValue,
    })) as unknown as F;
}

/**
 * Binds `name` so that it runs on libuv's thread pool. Every `bytes` argument must be kept referenced by the caller
 * until the promise settles: ffi-rs does not hold it.
 */
export function cFunctionInNewThread<F extends (...args: never[]) => Promise<unknown>>(
  library: string,
  name: string,
  result: CType,
  parameters: readonly CType[],
): F {
  return ((...paramsValue: unknown[]) =>
    load({
      library,
      funcName: name,
      retType: result,
      paramsType: parameters as CType[],
      paramsValue,
      runInNewThread: true,
    })) as unknown as F;
}

/**
 * Loads a shared library under its path as ffi-rs's key, so opening it again finds the same one.
 * @throws {Error} with the dynamic loader's message.
 */
export function openLibrary(path: string): void {
  open({ library: path, path });
}
