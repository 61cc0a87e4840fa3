import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunnerEnd } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { Guard } from '../src/guard.js';
import { DEFAULT_LIMITS } from '../src/index.js';
import { LockPlaces, LockTurns } from '../src/lock-turns.js';
import { MappingsMeter, MapsReader } from '../src/mappings-meter.js';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  mmap,
  munmap,
  PROT_READ,
} from '../src/native/libc.js';
import { exceededBy, RunnerWatch, type WatchedMemory } from '../src/runner-watch.js';
import { until } from './session-fixture.js';

const MIB = 1024 ** 2;
const NOTHING = { memoryBytes: 0, threads: 1, cpuSeconds: 0 };
const NO_MEMORY: WatchedMemory = { allocatedBytes: 0, accessCount: 0 };
const LIMITS_OF_NOTHING = { ...DEFAULT_LIMITS, memory: null, threads: null, cpu: null };
const LIMITS = { ...DEFAULT_LIMITS, memory: 100, threads: 10, cpu: 5 };

test('each limit that the host counts is exceeded by one more than it allows', (t) => {
  t.is(exceededBy({ memoryBytes: 100, threads: 75, cpuSeconds: 5 }, LIMITS), undefined);
  t.deepEqual(exceededBy({ ...NOTHING, memoryBytes: 101 }, LIMITS), { name: 'memory', value: 100 });
  // The control thread and 64 for calls are not the program's.
  t.deepEqual(exceededBy({ ...NOTHING, threads: 76 }, LIMITS), { name: 'threads', value: 10 });
  t.deepEqual(exceededBy({ ...NOTHING, cpuSeconds: 5.01 }, LIMITS), { name: 'cpu', value: 5 });
});

test('no limit is never exceeded', (t) => {
  t.is(exceededBy({ memoryBytes: 1e15, threads: 1e6, cpuSeconds: 1e9 }, LIMITS_OF_NOTHING), undefined);
});

/** Empty for what is closed by now. */
function pathOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

/** A Node that does this and waits. */
async function startProcess(t: ExecutionContext, script: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', `${script}; console.log(); setInterval(() => {}, 1e6);`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

function watchOf(
  t: ExecutionContext,
  { pid: processId = 0 }: Pick<ChildProcess, 'pid'>,
  memory: WatchedMemory = NO_MEMORY,
): RunnerWatch {
  const guard = new Guard({
    onFault: (_place, error) => {
      throw error;
    },
  });
  const watch = new RunnerWatch(guard, processId, memory, new MapsReader());
  t.teardown(() => watch.close());
  return watch;
}

test('what is read is what the process uses, and nothing when it is gone', async (t) => {
  // A name with a parenthesis and spaces in it, which stands in the middle of the file.
  const child = await startProcess(
    t,
    `process.title = 'a) R 1 1 1'; globalThis.kept = Buffer.alloc(${64 * MIB}, 1)`,
  );
  const watch = watchOf(t, child);
  const usage = watch.read();
  if (!usage) return t.fail('it lives');
  t.true(usage.memoryBytes > 64 * MIB && usage.memoryBytes < 1024 * MIB, String(usage.memoryBytes));
  t.true(usage.threads >= 2 && usage.threads < 100);
  t.true(usage.cpuSeconds >= 0 && usage.cpuSeconds < 60);
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.is(watch.read(), undefined);
});

test('a name that reads like a figure is none', async (t) => {
  const size = 64 * MIB;
  const child = await startProcess(
    t,
    `process.title = '\\rRssAnon:\\t1'; globalThis.kept = Buffer.alloc(${size}, 1)`,
  );
  t.is(readFileSync(`/proc/${child.pid}/comm`, 'latin1'), '\rRssAnon:\t1\n');
  const usage = watchOf(t, child).read();
  t.true((usage?.memoryBytes ?? 0) > size, String(usage?.memoryBytes));
});

/** A process that its parent does not reap, so that it stays when it has ended, without memory. */
async function startUnreaped(t: ExecutionContext) {
  const child = spawn('sh', ['-c', 'cat <&3 & echo $!; exec sleep 1000'], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout as Readable, 'data')) as [Buffer];
  const processId = Number(line.toString());
  return { processId, endInput: () => (child.stdio[3] as Writable).end() };
}

const HIDDEN = { kind: 'fault', message: 'its first thread has ended, which hides what it uses' };
for (const [how, ends] of [
  ['by itself hides what its process uses', [HIDDEN]],
  ['by a signal is gone, with all of its process', []],
] as const)
  test(`a first thread that has ended ${how}`, async (t) => {
    const { processId, endInput } = await startUnreaped(t);
    const watch = watchOf(t, { pid: processId });
    t.true((watch.read()?.memoryBytes ?? 0) > 0);
    if (ends.length > 0) endInput();
    else process.kill(processId, 'SIGKILL');
    await until(() => /^State:\s+Z/m.test(readFileSync(`/proc/${processId}/status`, 'utf8')));
    t.is(watch.read(), undefined);
    const seen: RunnerEnd[] = [];
    watch.start({ limits: LIMITS_OF_NOTHING, end: (end) => seen.push(end) });
    await delay(300);
    t.deepEqual(seen.slice(0, 1), [...ends] as RunnerEnd[]);
  });

test('figures are found in a file that is longer than usual', async (t) => {
  if (process.getuid?.() !== 0) return t.pass('only root may be in many groups');
  const groups = Array.from({ length: 3000 }, (_, index) => 100_000 + index).join();
  const args = [`--groups=${groups}`, 'sh', '-c', 'echo; exec sleep 1000'];
  const child = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  t.true(readFileSync(`/proc/${child.pid}/status`).byteLength > 20_000);
  t.true((watchOf(t, child).read()?.memoryBytes ?? 0) > 0);
});

test('what the host has allocated counts, whether the process has run or not', async (t) => {
  const child = await startProcess(t, '');
  child.kill('SIGSTOP');
  await until(() => /^State:\s+T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
  const memory = { allocatedBytes: 0, accessCount: 0 };
  const watch = watchOf(t, child, memory);
  // What its mappings cost is known a little later.
  watch.read();
  await delay(500);
  const before = watch.read();
  memory.allocatedBytes = 1024 * MIB;
  t.deepEqual(watch.read(), before);
  memory.accessCount++;
  t.is(watch.read()?.memoryBytes, (before?.memoryBytes ?? 0) + 1024 * MIB);
});

test('a look follows another sooner when it has shown that the runner works', async (t) => {
  const looks = async (script: string) => {
    const watch = watchOf(t, await startProcess(t, script));
    let count = 0;
    watch.start({ limits: LIMITS_OF_NOTHING, end: () => t.fail(), onUsage: () => count++ });
    await delay(1000);
    return count;
  };
  const [busy, idle] = await Promise.all([
    looks('setInterval(() => { for (let i = 0; i < 1e6; i++); }, 1)'),
    looks(''),
  ]);
  // 20 and 10 where nobody is in the way.
  t.true(busy <= 21 && idle <= 11 && idle > 1 && busy > idle, `${busy} and ${idle}`);
});

test('mappings are charged by what the kernel keeps for them', async (t) => {
  const child = await startProcess(t, '');
  child.kill('SIGSTOP');
  await until(() => /^State:\s+T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
  const meter = meterOf(new MapsReader(), child.pid);
  t.teardown(() => meter.close());
  t.is(meter.kernelBytes, 0);
  meter.refresh();
  await until(() => meter.kernelBytes > 0);
  const text = readFileSync(`/proc/${child.pid}/maps`, 'utf8');
  t.is(meter.kernelBytes, 10 * text.length);
  t.is(await meter.text(MIB), text);
  const cut = await meter.text(1000);
  t.true(cut.length > 0 && cut.length <= 1000 && cut.endsWith('\n') && text.startsWith(cut), cut);
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.notThrows(() => meter.refresh());
  t.is(await meter.text(MIB), '');
});

test.serial('a text of mappings has nothing of what was in its memory before', async (t) => {
  const child = await startProcess(t, '');
  child.kill('SIGSTOP');
  await until(() => /^State:\s+T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
  const meter = meterOf(new MapsReader(), child.pid);
  t.teardown(() => meter.close());
  const { allocUnsafe } = Buffer;
  t.teardown(() => {
    Buffer.allocUnsafe = allocUnsafe;
  });
  Buffer.allocUnsafe = ((sizeBytes: number) => Buffer.alloc(sizeBytes, 'secret\n')) as typeof allocUnsafe;
  t.is(await meter.text(MIB), readFileSync(`/proc/${child.pid}/maps`, 'utf8'));
});

const meterOf = (reader: MapsReader, processId = 0) => new MappingsMeter(reader, reader.turns(), processId);

/** Makes mappings of a page each that cannot be merged, as many again between them. */
function makeMappings(t: ExecutionContext, count: number): void {
  const sizeBytes = 2 * count * 4096;
  const address = mmap(0n, sizeBytes, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  for (let i = 0; i < count; i++) mmap(address + BigInt(i * 8192), 4096, PROT_READ, flags, -1, 0);
  t.teardown(() => munmap(address, sizeBytes));
}

const openMaps = () =>
  readdirSync('/proc/self/fd').filter((fd) => pathOf(fd).endsWith(`/${process.pid}/maps`)).length;

test.serial('many mappings are counted in turn, and no file is closed while it is read', async (t) => {
  makeMappings(t, 3000);
  const reader = new MapsReader();
  const [first, second] = [meterOf(reader, process.pid), meterOf(reader, process.pid)];
  t.is(openMaps(), 2);
  for (const meter of [first, second]) meter.refresh();
  t.is(first.kernelBytes, 0);
  // Whichever has seen first that it has many. Each turn of the event loop is looked at: the other's reading takes several.
  const counted = () => [first, second].filter(({ kernelBytes }) => kernelBytes > 0);
  while (counted().length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.is(counted().length, 1);
  await until(() => counted().length === 2);
  // 6,000 lines of 49 bytes or more.
  const firstBytes = first.kernelBytes;
  t.true(firstBytes > 6000 * 490 && firstBytes < 10 * MIB, `${firstBytes} bytes`);
  // What comes while it is read is not missed.
  first.refresh();
  makeMappings(t, 1000);
  first.refresh();
  await until(() => first.kernelBytes > firstBytes + 2000 * 490);
  first.refresh();
  second.refresh();
  for (const meter of [first, second, first]) meter.close();
  await until(() => openMaps() === 0);
  t.notThrows(() => first.refresh());
});

test('what asks while mappings are counted has them counted once more, however often', async (t) => {
  const child = await startProcess(t, '');
  let readCount = 0;
  class CountingTurns extends LockTurns {
    override run<T>(read: () => Promise<T>, isNext?: boolean): Promise<T> {
      readCount++;
      return super.run(read, isNext);
    }
  }
  const meter = new MappingsMeter(new MapsReader(), new CountingTurns(new LockPlaces()), child.pid ?? 0);
  t.teardown(() => meter.close());
  for (let i = 0; i < 10; i++) meter.refresh();
  t.is(readCount, 1);
  await until(() => readCount === 2);
  await delay(20);
  t.is(readCount, 2);
});

test.serial('a file that is closed while it is read is closed after that', async (t) => {
  makeMappings(t, 3000);
  const meter = meterOf(new MapsReader(), process.pid);
  meter.refresh();
  // Its turn comes in microtasks; the reading goes on in another thread.
  for (let i = 0; i < 10; i++) await undefined;
  meter.close();
  t.is(openMaps(), 1);
  await Promise.race([until(() => openMaps() === 0), delay(10_000)]);
  t.is(openMaps(), 0);
});

test('memory is what the process has, its session, and what the kernel keeps for both', async (t) => {
  const child = await startProcess(t, '');
  child.kill('SIGSTOP');
  await until(() => /^State:\s+T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
  const memory = { allocatedBytes: 0, accessCount: 0 };
  const watch = watchOf(t, child, memory);
  const maps = readFileSync(`/proc/${child.pid}/maps`, 'utf8');
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const figure = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  const sharedBytes = 1024 * figure('RssShmem');
  const others =
    1024 * (figure('RssAnon') + figure('VmSwap') + figure('VmPTE')) +
    640 * 1024 +
    figure('Threads') * 48 * 1024 +
    10 * maps.length;
  watch.read();
  await until(() => watch.usage?.memoryBytes === others + sharedBytes);
  // What is mapped of the session's memory is not more than what is allocated of it.
  for (const allocatedBytes of [sharedBytes + 4096, 0]) {
    memory.allocatedBytes = allocatedBytes;
    memory.accessCount++;
    t.is(watch.read()?.memoryBytes, others + Math.max(sharedBytes, allocatedBytes));
  }
  t.is(watch.usage?.threads, figure('Threads'));
});

test('those who read much read one after the other, and rest in proportion', async (t) => {
  const reader = new MapsReader();
  const times: [number, number][] = [];
  const read = async () => {
    const startMs = performance.now();
    await delay(10);
    times.push([startMs, performance.now()]);
  };
  await Promise.all([reader.inTurn(read), reader.inTurn(read)]);
  const [first, second] = times;
  if (!first || !second) return t.fail();
  t.true(second[0] - first[1] >= 8 * (first[1] - first[0]), JSON.stringify(times));
});
