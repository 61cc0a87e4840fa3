import { createRequire } from 'node:module';
import type llvm from 'llvm-bindings';
import { CompilerLoadError } from './errors.js';
import { installLine } from './install-line.js';

const PACKAGE = 'llvm-bindings';
/** Where `npm run setup` builds it. The package's main file looks there too, after a dozen other places. */
const ADDON = `${PACKAGE}/build/Release/llvm-bindings.node`;

/** What it is built with. Its sources are for LLVM 14 alone. */
const TOOLS = ['llvm-14-dev', 'zlib1g-dev', 'cmake', 'ninja-build', 'g++'];

let loaded: typeof llvm | undefined;

/**
 * llvm-bindings, loaded when it has not been: for modules of a caller who builds them with it.
 * @throws {CompilerLoadError}
 */
export function loadBindings(): typeof llvm {
  loaded ??= requireBindings();
  return loaded;
}

/** What to do where it is missing. */
export function howToGetBindings(): string {
  return `on Debian 12 and Ubuntu 22.04: ${installLine(TOOLS)}; then npm install ${PACKAGE}, which builds it of its sources`;
}

function requireBindings(): typeof llvm {
  const require = createRequire(import.meta.url);
  try {
    return require(ADDON);
  } catch {
    try {
      return require(PACKAGE);
    } catch (cause) {
      throw new CompilerLoadError(PACKAGE, cause, howToGetBindings());
    }
  }
}
