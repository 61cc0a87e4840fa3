import { createRequire } from 'node:module';
import type llvm from 'llvm-bindings';
import { CompilerLoadError } from './errors.js';

const PACKAGE = 'llvm-bindings';
/** Where `npm run setup` builds it. The package's main file looks there too, after a dozen other places. */
const ADDON = `${PACKAGE}/build/Release/llvm-bindings.node`;
const LIBC = 'libc.so.6';
/** `RTLD_LAZY`, as Node loads addons. */
const RTLD_LAZY = 0x1;

let loaded: typeof llvm | undefined;
let preloaded: Promise<void> | undefined;

/**
 * llvm-bindings, loaded when it has not been. It is for IR that is made where transforms run, and for modules of a
 * caller who has loaded it: what becomes of sources is made without it.
 * @throws {CompilerLoadError}
 */
export function loadBindings(): typeof llvm {
  loaded ??= requireBindings();
  return loaded;
}

/**
 * Begins to load it on libuv's thread pool: nearly all of the time, 15 ms, goes into relocating LLVM, and the event loop
 * has other things to do until it is needed. Never rejects: `loadBindings` says what is wrong.
 * @returns when it may be loaded without waiting.
 */
export function preloadBindings(): Promise<void> {
  preloaded ??= relocateBindings().catch(() => {});
  return preloaded;
}

function requireBindings(): typeof llvm {
  const require = createRequire(import.meta.url);
  try {
    return require(ADDON);
  } catch {
    try {
      return require(PACKAGE);
    } catch (cause) {
      throw new CompilerLoadError(PACKAGE, cause);
    }
  }
}

async function relocateBindings(): Promise<void> {
  const addon = createRequire(import.meta.url).resolve(ADDON);
  const { C, cFunctionInNewThread, openLibrary } = await import('./c-function.js');
  openLibrary(LIBC);
  // void *dlopen(const char *filename, int flags). Never closed: Node's own handle is one more.
  const dlopen = cFunctionInNewThread<(path: string, flags: number) => Promise<bigint>>(
    LIBC,
    'dlopen',
    C.pointer,
    [C.string, C.int],
  );
  await dlopen(addon, RTLD_LAZY);
}
