import { isSupported, listLibLLVMs } from '../../src/llvm/find-libllvm.js';
import { type LibLLVM, loadLibLLVM } from '../../src/llvm/libllvm.js';

/** Every supported libLLVM on this machine. Tests run once on each. */
export function installedLibLLVMs(): LibLLVM[] {
  const found = listLibLLVMs().filter(isSupported);
  if (found.length === 0) throw new Error('No libLLVM is installed; run npm run setup.');
  return found.map((file) => loadLibLLVM(file.path));
}
