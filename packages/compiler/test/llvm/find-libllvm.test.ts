import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LibLLVMError } from '../../src/llvm/errors.js';
import { findLibLLVM, isSupported, listLibLLVMs } from '../../src/llvm/find-libllvm.js';

/** A directory with empty files of the given names, removed after the test. */
function directoryWith(t: { teardown(fn: () => void): void }, names: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-find-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const name of names) writeFileSync(join(directory, name), '');
  return directory;
}

test('all ways in which distributions name libLLVM are found, newest first', (t) => {
  const directory = directoryWith(t, [
    'libLLVM-9.so.1',
    'libLLVM-14.so.1',
    'libLLVM-15.0.6.so',
    'libLLVM.so.18.1',
    'libLLVM.so.22.1',
    'libLLVMSupport.a',
    'libLLVM.so',
    'libLLVM-C.so.14',
  ]);
  t.deepEqual(
    listLibLLVMs({ directories: [directory] }).map(({ version, majorVersion }) => [version, majorVersion]),
    [
      ['22.1', 22],
      ['18.1', 18],
      ['15.0.6', 15],
      ['14', 14],
      ['9', 9],
    ],
  );
});

test('one file under several names is listed once, under the most telling version', (t) => {
  const directory = directoryWith(t, ['libLLVM-14.so.1']);
  symlinkSync('libLLVM-14.so.1', join(directory, 'libLLVM-14.so'));
  symlinkSync('libLLVM-14.so.1', join(directory, 'libLLVM-14.0.6.so'));
  symlinkSync('nowhere', join(directory, 'libLLVM-15.so'));
  mkdirSync(join(directory, 'libLLVM-16.so'));
  t.deepEqual(listLibLLVMs({ directories: [directory, directory, '/does/not/exist'] }), [
    { path: join(directory, 'libLLVM-14.so.1'), version: '14.0.6', majorVersion: 14 },
  ]);
});

test('the newest supported version is chosen, whatever else is there', (t) => {
  const directory = directoryWith(t, [
    'libLLVM-13.so.1',
    'libLLVM-14.so.1',
    'libLLVM.so.19.1',
    'libLLVM.so.99.1',
  ]);
  t.is(findLibLLVM({ env: {}, directories: [directory] }).version, '19.1');
});

test('without a supported version the error says what to install', (t) => {
  const directory = directoryWith(t, ['libLLVM-13.so.1', 'libLLVM.so.99.1']);
  t.deepEqual(listLibLLVMs({ directories: [directory] }).map(isSupported), [false, false]);
  const error = t.throws(() => findLibLLVM({ env: {}, directories: [directory] }), {
    instanceOf: LibLLVMError,
    code: 'LIBLLVM',
  });
  t.regex(error.message, /apt-get install --no-install-recommends \S+\), or set FARJIT_LIBLLVM/);
});

test('FARJIT_LIBLLVM goes before what is installed', (t) => {
  const installed = directoryWith(t, ['libLLVM.so.22.1']);
  const named = join(directoryWith(t, ['libLLVM-14.so.1', 'my-llvm.so']), 'libLLVM-14.so.1');
  t.deepEqual(findLibLLVM({ env: { FARJIT_LIBLLVM: named }, directories: [installed] }), {
    path: named,
    version: '14',
    majorVersion: 14,
  });
  t.is(findLibLLVM({ env: { FARJIT_LIBLLVM: ` ${named}\n` }, directories: [installed] }).path, named);
  t.is(findLibLLVM({ env: { FARJIT_LIBLLVM: '' }, directories: [installed] }).majorVersion, 22);
  t.is(findLibLLVM({ env: { FARJIT_LIBLLVM: ' ' }, directories: [installed] }).majorVersion, 22);
});

test('FARJIT_LIBLLVM may name a file whose name says no version', (t) => {
  const named = join(directoryWith(t, ['my-llvm.so']), 'my-llvm.so');
  t.deepEqual(findLibLLVM({ env: { FARJIT_LIBLLVM: named } }), { path: named, version: '', majorVersion: 0 });
});

test('a FARJIT_LIBLLVM that leads nowhere is an error that names it', (t) => {
  const installed = directoryWith(t, ['libLLVM.so.22.1']);
  for (const named of ['/does/not/exist.so', installed]) {
    const error = t.throws(() => findLibLLVM({ env: { FARJIT_LIBLLVM: named }, directories: [installed] }), {
      instanceOf: LibLLVMError,
    });
    t.true(error.message.startsWith(`FARJIT_LIBLLVM is ${named}, which is not a file.`));
  }
});
