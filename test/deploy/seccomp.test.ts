import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ROOT } from './yaml-files.js';

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly { readonly index: number; readonly value: number }[];
}

const profile = JSON.parse(readFileSync(join(ROOT, 'deploy/seccomp/executor.json'), 'utf8')) as {
  readonly defaultAction: string;
  readonly syscalls: readonly Rule[];
};

test('the seccomp profile is what the runner’s filter and the list of the host’s calls make', (t) => {
  t.notThrows(() =>
    execFileSync(process.execPath, ['scripts/seccomp-profile.mjs', '--check'], { cwd: ROOT, stdio: 'pipe' }),
  );
});

test('the profile allows what the runner’s own filter allows, and refuses what nobody here needs', (t) => {
  const allowed = new Set(
    profile.syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names),
  );
  const runner = join(ROOT, 'packages/executor/dist/runner/farjit-runner');
  const calls = JSON.parse(execFileSync(runner, ['--system-calls'], { encoding: 'utf8' })) as {
    name: string;
    error: string;
  }[];
  t.deepEqual(
    calls.filter(({ name, error }) => error === '' && !allowed.has(name)),
    [],
  );
  t.is(profile.defaultAction, 'SCMP_ACT_ERRNO');
  for (const name of [
    ...[
      'add_key',
      'bpf',
      'clone3',
      'delete_module',
      'finit_module',
      'init_module',
      'io_uring_setup',
      'kexec_load',
    ],
    ...['keyctl', 'mknod', 'open_by_handle_at', 'perf_event_open', 'personality', 'process_vm_readv'],
    ...['process_vm_writev', 'ptrace', 'reboot', 'setns', 'setuid', 'swapon', 'userfaultfd'],
  ])
    t.false(allowed.has(name), name);
  // What is dangerous with other arguments has conditions.
  for (const name of ['clone', 'ioctl', 'mount', 'prctl', 'prlimit64', 'socket', 'umount2', 'unshare'])
    for (const rule of profile.syscalls.filter(({ names }) => names.includes(name)))
      t.truthy(rule.args?.length, name);
});
