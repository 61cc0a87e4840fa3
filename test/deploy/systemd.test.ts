import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ROOT } from './yaml-files.js';

const NAME = 'farjit-executor.service';
const unit = readFileSync(join(ROOT, 'deploy/systemd', NAME), 'utf8');
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;
/** Skipped, and shown as such, where systemd is not installed. */
const withAnalyze = hasAnalyze ? test : test.skip;

/** Most that `systemd-analyze security` may say: what a network service without privileges has, less what V8 forbids. */
const MAX_EXPOSURE = 2.5;

/** All values of a setting, in their order. */
function valuesOf(setting: string): string[] {
  return [...unit.matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

/** The unit with a program that is there, as it would be after an installation. */
function installed(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-unit-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, NAME);
  const program = join(ROOT, 'packages/executor/bin/farjit-executor.js');
  writeFileSync(path, unit.replace('/usr/bin/farjit-executor', `${process.execPath} ${program}`));
  return path;
}

function analyze(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`systemd-analyze ${args.join(' ')} exited with ${status}: ${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

withAnalyze('systemd takes the unit', (t) => {
  const said = analyze('verify', '--man=no', installed(t))
    .split('\n')
    // Younger than some releases of systemd, which leave it out; and other units of this machine are not ours.
    .filter((line) => line.includes(NAME) && !line.includes('mseal'));
  t.deepEqual(said, []);
});

withAnalyze('a setting that there is not is found', (t) => {
  const path = installed(t);
  writeFileSync(path, readFileSync(path, 'utf8').replace('ProtectHome=', 'ProtectHouse='));
  t.regex(analyze('verify', '--man=no', path), /Unknown key (name )?'ProtectHouse'/);
});

withAnalyze('systemd finds the unit confined', (t) => {
  const [, exposure] =
    /Overall exposure level .*: ([\d.]+)/.exec(analyze('security', '--offline=true', installed(t))) ?? [];
  t.true(Number(exposure) <= MAX_EXPOSURE, exposure);
});

/** System calls that systemd means by a name: a call, or a group of them. */
function callsOf(name: string): string[] {
  if (!name.startsWith('@')) return [name];
  return execFileSync('systemd-analyze', ['syscall-filter', name], { encoding: 'utf8' })
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap(callsOf);
}

withAnalyze('the unit allows what the executor and its runners need of the kernel', (t) => {
  const allowed = new Set(valuesOf('SystemCallFilter').flatMap((value) => value.split(' ').flatMap(callsOf)));
  const profile = JSON.parse(readFileSync(join(ROOT, 'deploy/seccomp/executor.json'), 'utf8')) as {
    readonly syscalls: readonly { readonly names: readonly string[]; readonly action: string }[];
  };
  const needed = profile.syscalls
    .filter(({ action }) => action === 'SCMP_ACT_ALLOW')
    .flatMap(({ names }) => names);
  t.true(needed.length > 100);
  t.deepEqual(
    needed.filter((name) => !allowed.has(name)),
    [],
  );
  for (const name of ['ptrace', 'bpf', 'kexec_load', 'init_module', 'reboot'])
    t.false(allowed.has(name), name);
});

test('the unit allows the namespaces that a runner makes, and no others', (t) => {
  const source = readFileSync(join(ROOT, 'packages/executor/runner/namespaces.c'), 'utf8');
  const names: Readonly<Record<string, string>> = { NS: 'mnt' };
  const made = new Set(
    [...source.matchAll(/\bCLONE_NEW([A-Z]+)\b/g)].map(([, kind = '']) => names[kind] ?? kind.toLowerCase()),
  );
  t.deepEqual(valuesOf('RestrictNamespaces').join(' ').split(' ').sort(), [...made].sort());
});

test('systemd waits longer for the end than calls are waited for, and does not end runners meanwhile', (t) => {
  const compose = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const [, drainS] = /--drain-timeout=(\d+)/.exec(compose) ?? [];
  t.true(Number(valuesOf('TimeoutStopSec')[0]) > Number(drainS));
  t.deepEqual(valuesOf('KillMode'), ['mixed']);
  t.deepEqual(valuesOf('Type'), ['notify']);
});
