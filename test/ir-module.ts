import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import llvm from 'llvm-bindings';

/** Parses LLVM assembly (typed pointers, as LLVM 14 writes them) with llvm-bindings. */
export function parseAssembly(assembly: string): llvm.Module {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  try {
    const file = join(directory, 'module.ll');
    writeFileSync(file, assembly);
    const module = llvm.parseIRFile(file, new llvm.SMDiagnostic(), new llvm.LLVMContext());
    if (!module) throw new Error(`not LLVM assembly:\n${assembly}`);
    return module;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
