import { createRequire } from 'node:module';
import type llvm from 'llvm-bindings';
import { CompilerLoadError } from './errors.js';

const PACKAGE = 'llvm-bindings';
/** Where `npm run setup` builds it. The package's main file looks there too, after a dozen other places. */
const ADDON = `${PACKAGE}/build/Release/llvm-bindings.node`;

let loaded: typeof llvm | undefined;

/**
 * llvm-bindings, loaded when it has not been: for modules of a caller who builds them with it.
 * @throws {CompilerLoadError}
 */
export function loadBindings(): typeof llvm {
  loaded ??= requireBindings();
  return loaded;
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
