import { type FindClangOptions, findClang } from '../frontends/llvm/find-clang.js';
import { LibLLVMError } from '../llvm/errors.js';
import { findLibLLVM } from '../llvm/find-libllvm.js';
import type { Finding } from './doctor-checks.js';

/** Which clang compiles C and C++ for `farjit run`. */
export function checkClang(options: FindClangOptions = {}): Finding[] {
  try {
    const { path } = findLibLLVM();
    return [{ level: 'ok', what: `clang for C and C++ at ${findClang(path, options)}` }];
  } catch (error) {
    // Of libLLVM, its own check says what is wrong.
    if (error instanceof LibLLVMError) return [];
    const fix = error instanceof Error ? error.message : String(error);
    return [
      {
        level: 'warn',
        what: 'no clang that fits libLLVM: C and C++ are not compiled; their objects run',
        fix,
      },
    ];
  }
}
