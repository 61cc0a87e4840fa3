import { C, cFunction, openLibrary } from './c-function.js';

const LIBC = 'libc.so.6';

/** `_exit(2)`: ends the process without running anything more of it, neither Node's nor LLVM's destructors. */
export function exitAtOnce(exitCode: number): never {
  openLibrary(LIBC);
  return cFunction<(status: number) => never>(LIBC, '_exit', C.void, [C.int])(exitCode);
}
