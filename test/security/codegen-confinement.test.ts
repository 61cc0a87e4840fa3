import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CodegenLostError, CodegenPool } from '@farjit/compiler';
import { DEFAULT_RUNNER_PATH } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { checkCodegenConfinement } from '#compiler/src/cli/doctor-codegen.js';
import { DEFAULT_CODEGEN_PROGRAM } from '#compiler/src/codegen/codegen-pool.js';
import { LibLLVMError } from '#compiler/src/llvm/errors.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import {
  ATTEMPT,
  buildConfinementTests,
  FARJIT_CONFINE,
  HOSTILE_LIBLLVM,
  outcomes,
} from '#compiler/test/confine/native.js';
import { assemble, bitcode, FIB } from '#compiler/test/llvm/assemble.js';
import { installedLibLLVMs } from '#compiler/test/llvm/installed.js';
import { buildNative } from '#executor/test/build-native.js';
import { parseMaps } from '../proc.js';
import { cannotRunAsUser, NOBODY } from './as-user.js';

const INPUT = {
  name: 'fib',
  ir: bitcode(assemble(FIB)),
  target: { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' },
  optLevel: 2,
} as const;
const MAX_MEMORY_BYTES = 4 * 2 ** 30;
const MAX_ADDRESS_SPACE_BYTES = 6 * 2 ** 30;
/** A program for which system calls fail with an errno, as on a kernel that lacks them. */
const WITHOUT = join(dirname(DEFAULT_RUNNER_PATH), 'without');
const EPERM = 1;
const ENOSYS = 38;

test.before('the helpers are built', async () => {
  await Promise.all([buildConfinementTests(), buildNative()]);
});

function poolOf(
  t: ExecutionContext,
  options: ConstructorParameters<typeof CodegenPool>[0] = {},
): CodegenPool {
  const pool = new CodegenPool({ size: 1, ...options });
  t.teardown(() => pool.stop());
  return pool;
}

/** The code generator on a kernel on which these calls fail. */
function codegenWithout(t: ExecutionContext, ...calls: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-codegen-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'farjit-codegen');
  writeFileSync(
    path,
    `#!/bin/sh\nexec '${WITHOUT}' ${calls.join(',')} -- '${DEFAULT_CODEGEN_PROGRAM}' "$@"\n`,
  );
  chmodSync(path, 0o755);
  return path;
}

test('a libLLVM that is taken over by a module reaches nothing from the code generator', async (t) => {
  const pool = poolOf(t, { libLLVM: () => HOSTILE_LIBLLVM });
  const error = await t.throwsAsync(pool.compile(INPUT), { instanceOf: CodegenLostError });
  const tried = outcomes(error.message.slice('LLVM gave up on module fib: '.length));
  // The same by a process that is not confined: a refusal means something where it says something else.
  const unconfined = outcomes(execFileSync(ATTEMPT).toString());
  t.deepEqual([...tried.keys()], [...unconfined.keys()]);
  t.true(tried.size > 50);
  // It hides its flags behind a pointer; glibc takes this for an old kernel and uses clone.
  for (const [name, outcome] of tried)
    t.deepEqual([name, outcome], [name, name === 'clone3' ? 'ENOSYS' : 'EPERM']);
  const done = [...unconfined].filter(([, outcome]) => outcome === 'done').map(([name]) => name);
  t.true(done.length > 25, done.join(', '));
  for (const name of ['open a file', 'make a file', 'socket', 'fork', 'mmap PROT_EXEC', 'mmap MAP_SHARED'])
    t.true(done.includes(name), name);
});

for (const { path, version } of installedLibLLVMs())
  test(`libLLVM ${version}: what the system shows of a code generator that has compiled`, async (t) => {
    const pool = poolOf(t, { libLLVM: () => path });
    t.true((await pool.compile(INPUT)).object.byteLength > 0);
    const [processId = 0] = pool.processIds;
    const of = (file: string) => readFileSync(`/proc/${processId}/${file}`, 'utf8');
    const status = of('status');
    for (const line of [
      /^NoNewPrivs:\t1$/m,
      /^Seccomp:\t2$/m,
      /^CapPrm:\t0+$/m,
      /^CapEff:\t0+$/m,
      /^CapInh:\t0+$/m,
      /^Threads:\t1$/m,
    ])
      t.regex(status, line);
    const limits = of('limits');
    const limitOf = (name: string) => new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(limits)?.slice(1);
    t.deepEqual(limitOf('Max data size'), [`${MAX_MEMORY_BYTES}`, `${MAX_MEMORY_BYTES}`]);
    const addressSpace = limitOf('Max address space');
    t.deepEqual(addressSpace, [`${MAX_ADDRESS_SPACE_BYTES}`, `${MAX_ADDRESS_SPACE_BYTES}`]);
    for (const name of ['Max core file size', 'Max file size', 'Max open files', 'Max processes'])
      t.deepEqual(limitOf(name), ['0', '0'], name);
    // Not dumpable: root alone may look on.
    t.is(statSync(`/proc/${processId}/environ`).uid, 0);
    if (process.getuid?.() !== 0) return;
    t.deepEqual(readdirSync(`/proc/${processId}/fd`).sort(), ['0', '1', '2']);
    const maps = parseMaps(of('maps'));
    t.true(maps.length > 10);
    t.deepEqual(
      maps.filter(({ rights }) => rights.includes('w') && rights.includes('x')),
      [],
    );
  });

const reason = cannotRunAsUser();
(reason === undefined ? test : test.skip)(
  `a code generator of an ordinary user is closed to its equals${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async (t) => {
    const child = spawn(DEFAULT_CODEGEN_PROGRAM, [findLibLLVM().path], {
      uid: NOBODY,
      gid: NOBODY,
      cwd: '/',
    });
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    t.regex(readFileSync(`/proc/${child.pid}/status`, 'utf8'), /^Uid:\t65534\t65534\t/m);
    t.is(statSync(`/proc/${child.pid}/environ`).uid, 0);
    const peer = spawn('cat', [`/proc/${child.pid}/environ`], { uid: NOBODY, gid: NOBODY, stdio: 'ignore' });
    t.deepEqual(await once(peer, 'exit'), [1, null]);
  },
);

test('a kernel without Landlock confines with the rest, and doctor says what is missing and why', async (t) => {
  const program = codegenWithout(t, `landlock_create_ruleset:${ENOSYS}`);
  const pool = poolOf(t, { program });
  t.true((await pool.compile(INPUT)).object.byteLength > 0);
  t.regex(readFileSync(`/proc/${pool.processIds[0]}/status`, 'utf8'), /^NoNewPrivs:\t1\nSeccomp:\t2$/m);
  const [finding, ...more] = await checkCodegenConfinement(program);
  t.deepEqual(more, []);
  t.is(finding?.level, 'warn');
  t.regex(finding?.what ?? '', /without landlock \(Function not implemented\)$/);
  t.regex(finding?.fix ?? '', /5\.13/);
});

test('without no_new_privs none starts, and error and doctor say why', async (t) => {
  const program = codegenWithout(t, `prctl:${EPERM}`);
  const words = /cannot be confined here.*no_new_privs \(Operation not permitted\)/;
  await t.throwsAsync(poolOf(t, { program }).compile(INPUT), { instanceOf: LibLLVMError, message: words });
  const [finding] = await checkCodegenConfinement(program);
  t.is(finding?.level, 'fail');
  t.regex(finding?.what ?? '', words);
  t.regex(finding?.fix ?? '', /loosen its seccomp profile/);
});

test('another tool is not started where its files cannot be kept from it, unless told to', (t) => {
  const confine = (...options: string[]) => {
    const command = [
      'landlock_create_ruleset:38',
      '--',
      FARJIT_CONFINE,
      ...options,
      '--ro',
      '/',
      '--',
      '/bin/true',
    ];
    return spawnSync(WITHOUT, command, { encoding: 'utf8' });
  };
  t.like(confine(), {
    status: 125,
    stderr: 'farjit-confine: cannot confine a program here: landlock (Function not implemented)\n',
  });
  t.like(confine('--best-effort'), { status: 0, stderr: '' });
});
