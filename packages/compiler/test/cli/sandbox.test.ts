import { join } from 'node:path';
import test from 'ava';
import { farjit, folderWith } from './run-farjit.js';

const PROGRAM = 'def f(x) x + 1;\nf(41);\n';
const SPIN = 'def spin(x) for i = 0, 1 in x;\nspin(1);\n2;\n';

test.serial('--sandbox=off warns, and runs', async (t) => {
  const folder = await folderWith(t, { 'p.ks': PROGRAM });
  const { stdout, stderr, end } = await farjit(t, ['run', '--sandbox=off', join(folder, 'p.ks')]);
  t.deepEqual([stdout, end], ['Evaluated to 42.000000\n', 0]);
  t.regex(stderr, /^farjit-executor: warning: the sandbox is off: .*\n$/);
});

test.serial('--sandbox-required refuses an executor that confines less, and nothing runs', async (t) => {
  const folder = await folderWith(t, { 'p.ks': PROGRAM });
  const options = ['--sandbox=off', '--sandbox-required=default'];
  const { stdout, stderr, end } = await farjit(t, ['run', ...options, join(folder, 'p.ks')]);
  t.deepEqual([stdout, end], ['', 1]);
  t.regex(
    stderr,
    /^farjit: error: the sandbox is required to be default, and the runner lacks no_new_privs, seccomp, /m,
  );
});

test.serial('--limit ends an expression by name, and the next one runs', async (t) => {
  const folder = await folderWith(t, { 'p.ks': SPIN });
  const { stdout, stderr, end } = await farjit(t, ['run', '--limit', 'cpu=1', join(folder, 'p.ks')]);
  t.deepEqual([stdout, end], ['Evaluated to 2.000000\n', 1]);
  t.regex(stderr, /p\.ks:2:1: error: the runner ended: the program reached its limit cpu=1\n/);
});

test.serial('--preload of a library that is not there is an error with its name', async (t) => {
  const folder = await folderWith(t, { 'p.ks': PROGRAM });
  const { stdout, stderr, end } = await farjit(t, ['run', '--preload', './none.so', join(folder, 'p.ks')]);
  t.deepEqual([stdout, end], ['', 1]);
  t.regex(stderr, /cannot preload \/.*\/none\.so: cannot open shared object file/);
});
