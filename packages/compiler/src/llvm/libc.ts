import { C, cFunction, openLibrary } from '../ffi/c-function.js';

/** `RTLD_LAZY | RTLD_NOLOAD`: a handle only for what is loaded already. */
const RTLD_LAZY_NOLOAD = 0x1 | 0x4;
const LIBC = 'libc.so.6';
/** Where these are in glibcs before 2.34; in later ones it leads to libc's. */
const LIBDL = 'libdl.so.2';

/** The few functions of libc that reading LLVM's results takes. */
export interface LibC {
  /** Copies `length` bytes from `source` to the start of `target`, which must hold as many. */
  memcpy(target: Buffer, source: bigint, length: bigint): void;
  strlen(text: bigint): bigint;
  dlopen(path: string, flags: number): bigint;
  /** The address of `name`, or 0. `handle` 0 (`RTLD_DEFAULT`) searches what the process has loaded globally. */
  dlsym(handle: bigint, name: string): bigint;
  dlclose(handle: bigint): number;
}

/** Binds glibc, which Node itself has loaded. */
export function loadLibC(): LibC {
  openLibrary(LIBC);
  openLibrary(LIBDL);
  return {
    memcpy: cFunction(LIBC, 'memcpy', C.void, [C.bytes, C.pointer, C.size]),
    strlen: cFunction(LIBC, 'strlen', C.size, [C.pointer]),
    dlopen: cFunction(LIBDL, 'dlopen', C.pointer, [C.string, C.int]),
    dlsym: cFunction(LIBDL, 'dlsym', C.pointer, [C.pointer, C.string]),
    dlclose: cFunction(LIBDL, 'dlclose', C.int, [C.pointer]),
  };
}

/** The `length` bytes at `address`, in memory of our own. */
export function copyBytes(libc: LibC, address: bigint, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  if (length > 0) libc.memcpy(bytes, address, BigInt(length));
  return bytes;
}

/** The NUL-terminated string at `address`; empty for a null pointer. */
export function copyCString(libc: LibC, address: bigint): string {
  if (address === 0n) return '';
  return copyBytes(libc, address, Number(libc.strlen(address))).toString('utf8');
}

/** Whether the library at `path`, already loaded, exports `name`. */
export function exportsSymbol(libc: LibC, path: string, name: string): boolean {
  const handle = libc.dlopen(path, RTLD_LAZY_NOLOAD);
  if (handle === 0n) return false;
  const found = libc.dlsym(handle, name) !== 0n;
  libc.dlclose(handle);
  return found;
}
