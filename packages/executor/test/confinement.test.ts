import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Confinement } from '@farjit/protocol';
import { type SandboxLevel, sandboxShortfall } from '@farjit/protocol/sandbox';
import test from 'ava';
import { createHostResources, DEFAULT_RUNNER_PATH, type HostOptions } from '../src/index.js';
import { buildNative } from './build-native.js';
import { callVoid } from './machine-code.js';
import { load, lookup, openSession } from './session-fixture.js';

const isRoot = process.getuid?.() === 0;
const native = (name: string) => fileURLToPath(new URL(`../runner/${name}`, import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'farjit-confinement-'));
test.before('the helpers are built', buildNative);
test.after.always(() => rmSync(directory, { recursive: true }));

/** A runner for which system calls fail with an errno, as on a kernel that lacks them. */
function runnerWithout(...calls: string[]): string {
  const path = join(directory, calls.join('-').replaceAll(/[:/]/g, '='));
  writeFileSync(
    path,
    `#!/bin/sh\nexec '${native('without')}' ${calls.join(',')} -- '${DEFAULT_RUNNER_PATH}'\n`,
  );
  chmodSync(path, 0o755);
  return path;
}

const EPERM = 1;
const ENOSYS = 38;
const WITHOUT_NAMESPACES = `unshare:${EPERM}`;
const WITHOUT_LANDLOCK = `landlock_create_ruleset:${ENOSYS}`;

const ALL_OF_THE_KERNEL = ['userNamespace', 'networkNamespace', 'mountNamespace', 'ipcNamespace'] as const;

test('what is reported as in force is what the system shows', async (t) => {
  const { opened } = await openSession(t);
  const { processId, confinement } = opened.runner;
  t.is(confinement.sandbox, 'default');
  t.like(confinement, { noNewPrivileges: true, seccomp: true, dumpable: false, root: false });
  t.is(confinement.ownUser, isRoot);
  const status = readFileSync(`/proc/${processId}/status`, 'utf8');
  for (const line of [/^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m, /^CapPrm:\t0+$/m, /^CapEff:\t0+$/m])
    t.regex(status, line);
  t.is(confinement.missing === '', sandboxShortfall(confinement, 'strict').length === 0);
  // Only root may look at the namespaces of a process that is not dumpable.
  if (!isRoot) return;
  const namespace = (of: number | string, kind: string) => readlinkSync(`/proc/${of}/ns/${kind}`);
  for (const [kind, isOwn] of [
    ['user', confinement.userNamespace],
    ['net', confinement.networkNamespace],
    ['mnt', confinement.mountNamespace],
    ['ipc', confinement.ipcNamespace],
    ['pid', false],
  ] as const)
    t.is(namespace(processId, kind) !== namespace('self', kind), isOwn, kind);
  // Standard input, output, error, the doorbell, and the input of a program that may begin.
  t.deepEqual(readdirSync(`/proc/${processId}/fd`).sort(), ['0', '1', '2', '3', '6']);
  if (confinement.mountNamespace) t.deepEqual(readdirSync(`/proc/${processId}/root`), []);
});

test('the limits of the kernel are set', async (t) => {
  const limits = { cpu: 100, data: 2 ** 31, 'address-space': 2 ** 32, threads: 10, descriptors: 9 };
  const { opened } = await openSession(t, createHostResources({ limits }));
  const text = readFileSync(`/proc/${opened.runner.processId}/limits`, 'utf8');
  const limit = (name: string) => new RegExp(`^${name} +(\\S+) +(\\S+)`, 'm').exec(text)?.slice(1);
  t.deepEqual(limit('Max cpu time'), ['100', '101']);
  t.deepEqual(limit('Max file size'), ['0', '0']);
  t.deepEqual(limit('Max core file size'), ['0', '0']);
  t.deepEqual(limit('Max data size'), [String(2 ** 31), String(2 ** 31)]);
  t.deepEqual(limit('Max address space'), [String(2 ** 32), String(2 ** 32)]);
  t.deepEqual(limit('Max open files'), ['9', '9']);
  t.deepEqual(limit('Max stack size'), ['1048576', '1048576']);
  t.deepEqual(limit('Max pending signals'), ['1024', '1024']);
  t.deepEqual(limit('Max nice priority'), ['0', '0']);
  // With the control thread and 64 for calls.
  const { ownUser, userNamespace } = opened.runner.confinement;
  if (ownUser || userNamespace) t.deepEqual(limit('Max processes'), ['75', '75']);
  const inForce = Object.fromEntries(
    opened.runner.confinement.limits.map(({ name, value }) => [name, value] as const),
  );
  t.like(inForce, { ...limits, 'file-size': 0 });
});

test('a runner dies before its host when memory is short, and leaves the processor to it', async (t) => {
  const { opened } = await openSession(t);
  const { processId } = opened.runner;
  t.is(readFileSync(`/proc/${processId}/oom_score_adj`, 'utf8'), '1000\n');
  t.is(getPriority(processId), Math.min(getPriority() + 10, 19));
  const idsOf = (of: number | string) => {
    const stat = readFileSync(`/proc/${of}/stat`, 'utf8');
    const [, , group, session] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return { group, session };
  };
  // The keys of a terminal reach the host's process group; the kernel may weigh sessions against each other first.
  t.deepEqual(idsOf(processId), { group: processId, session: idsOf('self').session });
});

test('limits with which no runner could work are refused with words', (t) => {
  t.throws(() => createHostResources({ limits: { data: 4096 } }), {
    instanceOf: RangeError,
    message: /data=4096 is too small for a runner/,
  });
});

for (const [name, calls, lacking] of [
  [
    'namespaces',
    [WITHOUT_NAMESPACES],
    ['user namespace', 'network namespace', 'mount namespace', 'ipc namespace'],
  ],
  ['Landlock', [WITHOUT_LANDLOCK], ['landlock']],
] as const) {
  const runnerPath = () => runnerWithout(...calls);

  test(`without ${name}, the default sandbox does with less and says so`, async (t) => {
    const { opened } = await openSession(t, createHostResources({ runnerPath: runnerPath() }));
    const { confinement } = opened.runner;
    for (const feature of lacking) t.regex(confinement.missing, new RegExp(`${feature} \\(`));
    t.true(lacking.every((feature) => sandboxShortfall(confinement, 'strict').includes(feature)));
    t.deepEqual(sandboxShortfall(confinement, 'default'), []);
    t.like(confinement, { noNewPrivileges: true, seccomp: true, dumpable: false });
  });

  test(`without ${name}, the strict sandbox does not start and says why`, async (t) => {
    const host = createHostResources({ runnerPath: runnerPath(), sandbox: 'strict' });
    const error = await t.throwsAsync(openSession(t, host), { code: 'RUNNER_START_FAILED' });
    for (const feature of lacking)
      t.regex(error?.message ?? '', new RegExp(`strict sandbox.*${feature} \\(`));
  });
}

// PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE, PR_GET_DUMPABLE.
for (const [name, calls, words] of [
  ['seccomp', [`seccomp:${ENOSYS}`, `prctl/22:${ENOSYS}`], /seccomp: this kernel has no filter/],
  ['no_new_privs', [`prctl/38:${EPERM}`], /PR_SET_NO_NEW_PRIVS: Operation not permitted/],
  ['being undumpable', [`prctl/4:${EPERM}`], /PR_SET_DUMPABLE: Operation not permitted/],
  ['knowing that it is undumpable', [`prctl/3:${EPERM}`], /confinement is not in force/],
] as const)
  test(`without ${name} there is no sandbox but off`, async (t) => {
    const runnerPath = runnerWithout(...calls);
    const error = await t.throwsAsync(openSession(t, createHostResources({ runnerPath })), {
      code: 'RUNNER_START_FAILED',
    });
    t.regex(error?.message ?? '', words);
    await t.notThrowsAsync(openSession(t, createHostResources({ runnerPath, sandbox: 'off' })));
  });

test('strict has all there is, or does not start', async (t) => {
  const host = createHostResources({ sandbox: 'strict' });
  const [result] = await Promise.allSettled([openSession(t, host)]);
  if (result.status === 'rejected') {
    t.log(`this kernel lacks something: ${result.reason.message}`);
    return t.regex(result.reason.message, /strict sandbox needs what is not here/);
  }
  const { confinement } = result.value.opened.runner;
  t.deepEqual(sandboxShortfall(confinement, 'strict'), []);
  for (const feature of ALL_OF_THE_KERNEL) t.true(confinement[feature]);
  t.log(`Landlock ABI ${confinement.landlockAbi}`);
});

test('off confines nothing, keeps the limits, and is reported as off', async (t) => {
  const { opened } = await openSession(t, createHostResources({ sandbox: 'off' }));
  const { confinement, processId } = opened.runner;
  t.like(confinement, {
    sandbox: 'off',
    noNewPrivileges: false,
    seccomp: false,
    ownUser: false,
    root: isRoot,
    dumpable: true,
    landlockAbi: 0,
  });
  for (const feature of ALL_OF_THE_KERNEL) t.false(confinement[feature]);
  t.deepEqual(sandboxShortfall(confinement, 'default'), ['no_new_privs', 'seccomp', 'being undumpable']);
  t.deepEqual(sandboxShortfall(confinement, 'off'), []);
  t.regex(readFileSync(`/proc/${processId}/status`, 'utf8'), /^Seccomp:\t0$/m);
});

test('a runner that keeps root is not strict', (t) => {
  const confinement: Confinement = {
    sandbox: 'strict',
    noNewPrivileges: true,
    seccomp: true,
    ownUser: false,
    root: true,
    dumpable: false,
    landlockAbi: 7,
    userNamespace: true,
    networkNamespace: true,
    mountNamespace: true,
    ipcNamespace: true,
    sealedMemory: true,
    limits: [],
    missing: '',
  };
  t.deepEqual(sandboxShortfall(confinement, 'strict'), ['a user other than root']);
  t.deepEqual(sandboxShortfall({ ...confinement, root: false }, 'strict'), []);
});

const preloading = (library: string, sandbox: SandboxLevel = 'default'): HostOptions => ({
  preload: [native(library)],
  sandbox,
});

test('a preloaded library is loaded before confinement, and its functions are found', async (t) => {
  const compiler = await openSession(t, createHostResources(preloading('preloaded.so')));
  const first = await lookup(compiler, 'farjit_test_first_byte');
  t.true(first > 0n);
  await t.notThrowsAsync(load(compiler, callVoid(first)));
  t.true(compiler.opened.runner.confinement.seccomp);
});

test('a runner that was started in advance has its libraries, and is confined like any other', async (t) => {
  const host = createHostResources({ ...preloading('preloaded.so'), poolSize: 1, limits: { cpu: 123 } });
  t.teardown(() => host.runners.close());
  host.runners.fill();
  await host.runners.settled();
  t.is(host.runners.warmCount, 1);
  const compiler = await openSession(t, host);
  t.true((await lookup(compiler, 'farjit_test_first_byte')) > 0n);
  const { confinement, processId } = compiler.opened.runner;
  t.like(confinement, { noNewPrivileges: true, seccomp: true, dumpable: false, ownUser: isRoot });
  t.regex(readFileSync(`/proc/${processId}/limits`, 'utf8'), /^Max cpu time +123 +124 /m);
});

test('a library that is not there is an error with its name', async (t) => {
  const host = createHostResources({ preload: ['/nonexistent/lib.so'] });
  const error = await t.throwsAsync(openSession(t, host), { code: 'RUNNER_START_FAILED' });
  t.regex(error?.message ?? '', /cannot preload \/nonexistent\/lib\.so: .*No such file/);
});

test('a library that would make the stack executable is refused', async (t) => {
  const error = await t.throwsAsync(openSession(t, createHostResources(preloading('executable-stack.so'))), {
    code: 'RUNNER_START_FAILED',
  });
  t.regex(error?.message ?? '', /executable-stack\.so makes memory writable and executable at once/);
});

test('a library that starts a thread when it is loaded is refused: that thread would not be confined', async (t) => {
  const error = await t.throwsAsync(openSession(t, createHostResources(preloading('thread-starting.so'))), {
    code: 'RUNNER_START_FAILED',
  });
  t.regex(error?.message ?? '', /preloaded library has started a thread/);
});
