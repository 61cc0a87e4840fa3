import type { ModuleInterface } from '../../llvm/module-interface.js';

/** A module as bitcode, and what LLVM has found in it: it can be given to any session. */
export interface VerifiedModule {
  readonly name: string;
  readonly bitcode: Uint8Array;
  readonly defines: ModuleInterface;
}
