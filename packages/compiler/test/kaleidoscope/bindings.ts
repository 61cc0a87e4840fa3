import llvm from 'llvm-bindings';
import { IRGenerator } from '../../src/kaleidoscope/irgen.js';
import { ModulePool } from '../../src/kaleidoscope/module-pool.js';

/** Modules of llvm-bindings. */
export function modulePool(): ModulePool<llvm.Module> {
  return new ModulePool<llvm.Module>(llvm);
}

/** IR generation with llvm-bindings, whose modules can be looked at. */
export function irGenerator(): IRGenerator<llvm.Module> {
  return new IRGenerator(modulePool());
}
