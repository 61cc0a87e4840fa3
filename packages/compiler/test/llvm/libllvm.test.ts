import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test from 'ava';
import { LibLLVMError } from '../../src/llvm/errors.js';
import { isSupported, listLibLLVMs } from '../../src/llvm/find-libllvm.js';
import { loadLibLLVM } from '../../src/llvm/libllvm.js';

for (const file of listLibLLVMs().filter(isSupported)) {
  test(`${basename(file.path)} loads and tells its version`, (t) => {
    const llvm = loadLibLLVM(file.path);
    t.is(llvm.path, file.path);
    t.is(llvm.majorVersion, file.majorVersion);
    t.true(llvm.version.startsWith(String(file.majorVersion)));
    t.is(loadLibLLVM(file.path).version, llvm.version);
  });
}

test('a file that is no shared library is an error with the loader’s reason', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-load-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'libLLVM-14.so.1');
  writeFileSync(path, 'this is not an ELF file, but long enough to have a header of one'.repeat(4));
  const error = t.throws(() => loadLibLLVM(path), { instanceOf: LibLLVMError });
  t.true(error.message.startsWith(`Cannot load libLLVM from ${path}: `));
  t.regex(error.message, /invalid ELF header.*FARJIT_LIBLLVM/s);
});

test('a shared library that is no libLLVM is an error that says so', (t) => {
  const error = t.throws(() => loadLibLLVM('libm.so.6'), { instanceOf: LibLLVMError });
  t.regex(error.message, /^libm\.so\.6 is not a libLLVM of version 14 or later/);
});
