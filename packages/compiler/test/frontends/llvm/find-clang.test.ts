import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkClang } from '../../../src/cli/doctor-clang.js';
import { CCompilerError } from '../../../src/frontends/llvm/c-errors.js';
import { findClang } from '../../../src/frontends/llvm/find-clang.js';

/** A machine with these programs, each of which says that it is this version of clang. */
function machine(t: ExecutionContext, programs: Readonly<Record<string, number>>) {
  const root = mkdtempSync(join(tmpdir(), 'farjit-clang-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [name, version] of Object.entries(programs)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\necho "Debian clang version ${version}.0.6"\n`);
    chmodSync(path, 0o755);
  }
  const options = {
    directories: [join(root, 'first'), join(root, 'bin')],
    llvmFolder: (version: number) => join(root, `llvm-${version}`),
  };
  return (libLLVM: string) => findClang(`/lib/${libLLVM}`, options).slice(root.length + 1);
}

test('the newest clang is taken that is not newer than libLLVM', (t) => {
  const find = machine(t, {
    'bin/clang-14': 14,
    'llvm-15/bin/clang': 15,
    'first/clang-16': 16,
    'bin/clang': 14,
  });
  t.is(find('libLLVM-14.so.1'), 'bin/clang-14');
  t.is(find('libLLVM-15.so.1'), 'llvm-15/bin/clang');
  t.is(find('libLLVM.so.22.1'), 'first/clang-16');
  // Of a library whose name says nothing, the newest is tried.
  t.is(find('libmine.so'), 'first/clang-16');
});

test('a clang without a version in its name is asked for it', (t) => {
  t.is(machine(t, { 'bin/clang': 14 })('libLLVM-15.so.1'), 'bin/clang');
  for (const version of [13, 16])
    t.throws(() => machine(t, { 'bin/clang': version })('libLLVM-15.so.1'), { instanceOf: CCompilerError });
});

test('where there is none, it is said how to install one', (t) => {
  t.throws(() => machine(t, {})('libLLVM-14.0.6.so.1'), {
    instanceOf: CCompilerError,
    code: 'C_COMPILER',
    message:
      /^C and C\+\+ need clang 14, .*: this libLLVM is 14\. Install it \(on Debian and Ubuntu: (sudo )?apt-get install --no-install-recommends clang-14\), or name one$/,
  });
  t.throws(() => machine(t, { 'bin/clang-22': 22 })('libLLVM-15.so.1'), {
    message: /apt-get install --no-install-recommends clang-15/,
  });
});

test('doctor says which one it is, or how to install one', (t) => {
  t.regex(checkClang()[0]?.what ?? '', /^(clang for C and C\+\+ at \/|no clang that fits)/);
  const [finding] = checkClang({ directories: ['/nowhere'], llvmFolder: () => '/nowhere' });
  t.is(finding?.level, 'warn');
  t.regex(finding?.fix ?? '', /apt-get install --no-install-recommends clang-\d+/);
});
