import test from 'ava';
import { installLine, libLLVMPackage } from '../../src/llvm/install-line.js';

test('a line that installs a libLLVM is for the release, and for the user', (t) => {
  t.is(libLLVMPackage('ID=debian\nVERSION_CODENAME=trixie\n'), 'libllvm19');
  t.is(libLLVMPackage('VERSION_CODENAME="noble"\nID=ubuntu\n'), 'libllvm18');
  for (const other of ['VERSION_CODENAME=unheard\n', 'ID=arch\n', '']) t.is(libLLVMPackage(other), 'llvm');
  t.is(installLine(['libllvm19'], 0), 'apt-get install --no-install-recommends libllvm19');
  t.is(installLine(['a', 'b'], 1000), 'sudo apt-get install --no-install-recommends a b');
});
