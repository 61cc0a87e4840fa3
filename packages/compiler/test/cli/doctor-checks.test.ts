import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  checkCCompiler,
  checkCPU,
  checkKernelVersion,
  checkLibLLVM,
  checkNode,
  checkPlatform,
  checkRunner,
  checkSeccomp,
} from '../../src/cli/doctor-checks.js';
import { checkConfinement } from '../../src/cli/doctor-runner.js';

function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-doctor-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('Node from 20 on', (t) => {
  t.like(checkNode('v18.20.4'), { level: 'fail', what: 'Node v18.20.4 is too old: FarJIT does not start' });
  t.is(checkNode('v20.0.0').level, 'ok');
  t.is(checkNode('v104.1.0').level, 'ok');
});

test('Linux x86-64 only', (t) => {
  t.is(checkPlatform('linux', 'x64').level, 'ok');
  t.is(checkPlatform('linux', 'arm64').level, 'fail');
  t.is(checkPlatform('darwin', 'x64').level, 'fail');
});

test('Linux from 5.1 on, whatever the distribution appends', (t) => {
  t.is(checkKernelVersion('4.19.0-27-amd64').level, 'fail');
  t.is(checkKernelVersion('5.0.21').level, 'fail');
  t.is(checkKernelVersion('5.1.0-rc2+').level, 'ok');
  t.is(checkKernelVersion('5.10.0-8-cloud-amd64').level, 'ok');
  t.is(checkKernelVersion('6.1').level, 'ok');
});

test('no libLLVM at all says what to install', async (t) => {
  const [finding, ...more] = await checkLibLLVM({ env: {}, directories: [temporaryFolder(t)] });
  t.is(finding?.level, 'fail');
  t.regex(finding?.fix ?? '', /apt-get install --no-install-recommends \S+\), or set FARJIT_LIBLLVM/);
  t.deepEqual(more, []);
});

test('a file with the name of a libLLVM that is none does not load, and the others are listed', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['libLLVM-14.so.1', 'libLLVM-9.so.1', 'libLLVM.so.22.1'])
    writeFileSync(join(folder, name), 'no');
  const findings = await checkLibLLVM({ env: {}, directories: [folder] });
  t.deepEqual(
    findings.map(({ level }) => level),
    ['fail', 'ok', 'ok'],
  );
  t.regex(
    findings[0]?.what ?? '',
    /libLLVM\.so\.22\.1 \(the newest supported\) does not load, and nothing is compiled, /,
  );
  t.regex(findings[1]?.what ?? '', /libLLVM 14 .*FARJIT_LIBLLVM would choose it/);
  t.regex(findings[2]?.what ?? '', /libLLVM 9 .*not a supported version/);
});

test('the runner must be there, executable, and start', async (t) => {
  const path = join(temporaryFolder(t), 'farjit-runner');
  const none = await checkRunner(path);
  t.is(none.level, 'fail');
  t.regex(none.fix ?? '', /^npm install @farjit\/linux-x64-gnu .*npm run build/);
  writeFileSync(path, '#!/bin/sh\necho libseccomp.so.2: cannot open shared object file >&2\nexit 127\n');
  t.like(await checkRunner(path), { level: 'fail', fix: `chmod +x ${path}` });
  chmodSync(path, 0o755);
  const broken = await checkRunner(path);
  t.is(broken.level, 'fail');
  t.regex(broken.what, /does not start, and nothing .*: libseccomp\.so\.2: cannot open/);
  writeFileSync(path, '#!/bin/sh\necho {}\n');
  t.is((await checkRunner(path)).level, 'ok');
});

test('a missing C compiler is only a warning', async (t) => {
  t.is((await checkCCompiler('farjit-no-such-compiler'))[0]?.level, 'warn');
  t.is((await checkCCompiler('true'))[0]?.level, 'ok');
  t.deepEqual(
    await checkCCompiler('farjit-no-such-compiler', true),
    [],
    'nobody builds what is of a package',
  );
});

test('seccomp needs the actions that the runner’s filter uses', (t) => {
  t.is(checkSeccomp('kill_process kill_thread trap errno user_notif trace log allow\n').level, 'ok');
  t.regex(checkSeccomp('kill_thread trap errno trace allow\n').what, /lacks kill_process:/);
  t.is(checkSeccomp('').level, 'fail');
});

test('vector registers without xsave are refused', (t) => {
  const cpuinfo = (flags: string) => `processor\t: 0\nflags\t\t: fpu ${flags} sse2\nbugs\t\t: x\n`;
  t.like(checkCPU(cpuinfo('xsave avx avx2')), {
    level: 'ok',
    what: 'CPU saves vector state with xsave (avx, avx2)',
  });
  t.is(checkCPU(cpuinfo('')).level, 'ok');
  t.is(checkCPU(cpuinfo('avx')).level, 'fail');
});

/** A runner that prints this. */
function runnerThatSays(t: ExecutionContext, script: string): string {
  const path = join(temporaryFolder(t), 'runner');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** One that is confined so far. */
const confinedRunner = (
  t: ExecutionContext,
  features: readonly string[],
  landlock: number,
  missing: string,
) => runnerThatSays(t, `echo '${JSON.stringify({ landlock, missing, features })}'`);

test('how runners are confined is named, and what is missing says why and what to do', async (t) => {
  const namespaces = ['user namespace', 'network namespace', 'mount namespace', 'ipc namespace'];
  const all = ['no_new_privs', 'seccomp', 'undumpable', 'landlock', ...namespaces, 'sealed memory'];
  t.deepEqual(await checkConfinement(confinedRunner(t, all, 6, '')), [
    {
      level: 'ok',
      what: `runners are confined by no_new_privs, seccomp, undumpable, Landlock 6, ${namespaces.join(', ')}, sealed memory`,
    },
  ]);
  const missing =
    'own user (root has no CAP_SETUID), user namespace (No space left on device), landlock (Function not implemented)';
  const [less] = await checkConfinement(confinedRunner(t, all.slice(0, 3), 0, missing));
  t.is(less?.level, 'warn');
  t.true(less?.what.endsWith(`; they do without ${missing}, and the strict sandbox does not start`));
  for (const fix of [/5\.13/, /sysctl/, /CAP_KILL/]) t.regex(less?.fix ?? '', fix);
  const [unsealed] = await checkConfinement(
    confinedRunner(t, all.slice(0, -1), 6, 'sealed memory (Function not implemented)'),
  );
  t.regex(
    unsealed?.what ?? '',
    /do without sealed memory \(Function not implemented\), also in the strict sandbox$/,
  );
  t.is(unsealed?.fix, 'sealed memory: use Linux 6.10 or later');
  // No runner: checkRunner says so.
  t.deepEqual(await checkConfinement('/nowhere/runner'), []);
});

test('where runners cannot be confined at all, that is a failure with its reason', async (t) => {
  const path = runnerThatSays(t, 'echo farjit-runner: PR_SET_NO_NEW_PRIVS: no >&2; exit 70');
  const [finding] = await checkConfinement(path);
  t.is(finding?.level, 'fail');
  t.regex(finding?.what ?? '', /none starts: farjit-runner: PR_SET_NO_NEW_PRIVS: no$/);
});
