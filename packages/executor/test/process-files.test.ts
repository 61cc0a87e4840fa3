import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import test from 'ava';
import { ProcessFiles } from '../src/process-files.js';
import { until } from './session-fixture.js';

function openFiles(processId: number): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`/proc/${processId}/`);
    } catch {
      return false;
    }
  }).length;
}

/** Microseconds in each mode that are more than nothing. */
const SOME_TIME = 50_000;

/** Uses some CPU time since `start`, in user mode and in the kernel, however long that takes. */
function work(start: NodeJS.CpuUsage): void {
  for (;;) {
    const { user, system } = process.cpuUsage(start);
    if (user >= SOME_TIME && system >= SOME_TIME) return;
    readFileSync('/proc/self/maps');
  }
}

test.serial('CPU time is that of all threads, in both modes', (t) => {
  const files = new ProcessFiles(process.pid);
  t.teardown(() => files.close());
  // Other threads of this process go on between one look and the next: what the files say lies between two of ours.
  const outer = process.cpuUsage();
  files.refresh();
  const [before, inner] = [files.cpuSeconds, process.cpuUsage()];
  work(inner);
  const least = process.cpuUsage(inner);
  t.true(files.refresh());
  const most = process.cpuUsage(outer);
  const seconds = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1e6;
  const spent = files.cpuSeconds - before;
  // The kernel's figures are in whole ticks, one for each mode.
  t.true(spent >= seconds(least) - 0.04 && spent <= seconds(most) + 0.04, `${spent} s`);
  t.false(files.isGone);
});

test.serial('figures are those of the kernel, in bytes', (t) => {
  const files = new ProcessFiles(process.pid);
  t.teardown(() => files.close());
  const status = files.status();
  const text = readFileSync('/proc/self/status', 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
  if (!status) return t.fail();
  const isNear = (bytes: number, expected: number) => Math.abs(bytes / 1024 - expected) <= 4096;
  t.true(isNear(status.anonymousBytes, kib('RssAnon')) && status.anonymousBytes > 0);
  t.true(isNear(status.sharedBytes, kib('RssShmem')));
  t.true(isNear(status.swappedBytes, kib('VmSwap')));
  t.true(isNear(status.pageTableBytes, kib('VmPTE')) && status.pageTableBytes > 0);
  t.is(status.threadCount, readdirSync('/proc/self/task').length);
});

test.serial(
  'a process that does nothing has not run, and one that is killed is gone before it is reaped',
  async (t) => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const { pid = 0 } = child;
    const files = new ProcessFiles(pid);
    t.is(openFiles(pid), 2);
    await until(() => /^State:\s+S/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
    await new Promise((resolve) => setTimeout(resolve, 100));
    files.refresh();
    t.false(files.refresh());
    t.false(files.isGone);
    t.not(files.status(), undefined);
    child.kill('SIGKILL');
    await once(child, 'exit');
    t.true(files.refresh());
    t.true(files.refresh(), 'one that is gone may have run');
    t.true(files.isGone);
    t.is(files.status(), undefined);
    files.close();
    t.is(openFiles(pid), 0);
  },
);
