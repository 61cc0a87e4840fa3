import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { DEFAULT_LIMITS } from '../src/index.js';
import { exceededBy, RunnerWatch } from '../src/runner-watch.js';

const MIB = 1024 ** 2;
const NOTHING = { memoryBytes: 0, threads: 1, cpuSeconds: 0 };
const LIMITS = { ...DEFAULT_LIMITS, memory: 100, threads: 10, cpu: 5 };

test('each limit that the host counts is exceeded by one more than it allows', (t) => {
  t.is(exceededBy({ memoryBytes: 100, threads: 75, cpuSeconds: 5 }, LIMITS), undefined);
  t.deepEqual(exceededBy({ ...NOTHING, memoryBytes: 101 }, LIMITS), { name: 'memory', value: 100 });
  // The control thread and 64 for calls are not the program's.
  t.deepEqual(exceededBy({ ...NOTHING, threads: 76 }, LIMITS), { name: 'threads', value: 10 });
  t.deepEqual(exceededBy({ ...NOTHING, cpuSeconds: 5.01 }, LIMITS), { name: 'cpu', value: 5 });
});

test('no limit is never exceeded', (t) => {
  const none = { ...DEFAULT_LIMITS, memory: null, threads: null, cpu: null };
  t.is(exceededBy({ memoryBytes: 1e15, threads: 1e6, cpuSeconds: 1e9 }, none), undefined);
});

test('what is read is what the process uses, and nothing when it is gone', async (t) => {
  // A name with a parenthesis and spaces in it, which stands in the middle of the file.
  const script = `process.title = 'a) R 1 1 1'; globalThis.kept = Buffer.alloc(${64 * MIB}, 1); console.log(); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const watch = new RunnerWatch(child.pid ?? 0);
  t.teardown(() => watch.close());
  const usage = watch.read();
  if (!usage) return t.fail('it lives');
  t.true(usage.memoryBytes > 64 * MIB && usage.memoryBytes < 1024 * MIB, String(usage.memoryBytes));
  t.true(usage.threads >= 2 && usage.threads < 100);
  t.true(usage.cpuSeconds >= 0 && usage.cpuSeconds < 60);
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.is(watch.read(), undefined);
});
