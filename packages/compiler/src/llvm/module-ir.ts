/**
 * How a module is written down. `bitcode`: as LLVM does. `recording`: as the calls of an IR builder that make it, for a
 * code generator to make; nothing of LLVM is needed to write one. `assembly`: as LLVM's text.
 */
export type IRForm = 'bitcode' | 'recording' | 'assembly';

/** A module's IR as bytes. */
export interface ModuleIR {
  readonly form: IRForm;
  readonly bytes: Uint8Array;
}
