import { createRequire } from 'node:module';
import type llvm from 'llvm-bindings';
import { CompilerLoadError } from './errors.js';

/**
 * llvm-bindings, loaded when it has not been: 20 ms that a program whose objects are all kept does without. What imports
 * it statically is itself imported after this, since Node 20 ends the process over an import whose CommonJS dependency
 * throws.
 * @throws {CompilerLoadError}
 */
export function loadBindings(): typeof llvm {
  const require = createRequire(import.meta.url);
  try {
    return require('llvm-bindings');
  } catch (cause) {
    throw new CompilerLoadError('llvm-bindings', cause);
  }
}
