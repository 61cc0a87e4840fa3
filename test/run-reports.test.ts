/* What the report of a run says, held against what the kernel has told the program itself. */
import { JIT, type RunReport } from '@farjit/compiler';
import { type ExecutorEvent, hashToken, Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { FaultProxy } from './faults/fault-proxy.js';
import { eventually } from './jit-fixture.js';
import { startServer } from './server-fixture.js';

const WORKS = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }
static volatile unsigned long sum;
static void burn(double wanted) {
  struct rusage r;
  do {
    for (int i = 0; i < 1000000; i++) sum += i;
    getrusage(RUSAGE_SELF, &r);
  } while (seconds(r.ru_utime) + seconds(r.ru_stime) < wanted);
}
/* Says what the kernel has counted: of CPU time up to now, and at most of memory, which it has given back by then. */
int main(int argc, char **argv) {
  size_t size = strtoul(argv[1], 0, 10) << 20;
  char *block = malloc(size);
  memset(block, 1, size);
  free(block);
  burn(atof(argv[2]));
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  printf("%f %ld\\n", seconds(r.ru_utime) + seconds(r.ru_stime), r.ru_maxrss);
  fputs("said", stderr);
  return 3;
}
int spin(void) { for (;;) sum++; }
int dies(void) { puts("last words"); fflush(stdout); raise(SIGTERM); return 0; }
int sleeps(void) { nanosleep(&(struct timespec){0, 300000000}, 0); return 0; }
int grabs(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }
`;

async function open(t: ExecutionContext, options = {}) {
  let text = '';
  const jit = await JIT.create({
    ...options,
    onOutput: (stream, content) => {
      if (stream === 'stdout') text += Buffer.from(content).toString();
    },
  });
  t.teardown(() => jit.close());
  await jit.addObject(compile(WORKS, ['-O0', '-fPIC']), { name: 'works.o' });
  return { jit, printed: () => text };
}

function within(t: ExecutionContext, given: number, expected: number, what: string, slack = 0): void {
  const far = Math.abs(given - expected);
  t.true(far <= 0.05 * expected + slack, `${what}: ${given}, and the kernel says ${expected}`);
}

async function checkAgainstKernel(t: ExecutionContext, jit: JIT, printed: () => string): Promise<RunReport> {
  const running = jit.runProgram({ argv: ['works', '96', '0.5'] });
  const { exitCode, report } = await running;
  t.is(exitCode, 3);
  t.deepEqual(await running.report, report);
  const [cpuSeconds = 0, peakKib = 0] = printed().trim().split(' ').map(Number);
  const { userCpuMs = 0, systemCpuMs = 0, peakMemoryBytes = 0 } = report;
  t.true(cpuSeconds >= 0.5 && peakKib > 96 * 1024, printed());
  // The end of a process takes time as well: what it had is given back.
  within(t, userCpuMs + systemCpuMs, 1000 * cpuSeconds, 'CPU time', 10);
  within(t, peakMemoryBytes, 1024 * peakKib, 'memory');
  t.like(report, { stdoutBytes: printed().length, stderrBytes: 4, exitCode: 3, functionsCompiled: 0 });
  t.true(report.functionsLinked >= 2 && report.callbacks >= 1);
  t.true(report.wallMs >= 300);
  return report;
}

test('CPU time and memory are what the kernel has counted, and a small program is not charged for a large one', async (t) => {
  const { jit, printed } = await open(t);
  await checkAgainstKernel(t, jit, printed);
  const { report } = await jit.runProgram({ entry: 'sleeps' });
  t.true(report.wallMs >= 300);
  t.true((report.userCpuMs ?? 1e9) + (report.systemCpuMs ?? 1e9) < 250);
  // Nothing of the executor's is in it, which is a Node and much larger.
  t.true((report.peakMemoryBytes ?? 1e9) < 24 * 1024 ** 2, String(report.peakMemoryBytes));
});

test('an executor elsewhere tells the same, and has it among its metrics', async (t) => {
  const { server, url } = await startServer(t);
  const uses: Extract<ExecutorEvent, { type: 'program-ended' }>['use'][] = [];
  server.events.subscribe((event) => {
    if (event.type === 'program-ended') uses.push(event.use);
  });
  const { jit, printed } = await open(t, { executor: { url } });
  const { userCpuMs = 0, systemCpuMs = 0, peakMemoryBytes } = await checkAgainstKernel(t, jit, printed);
  const [use] = uses;
  t.is(uses.length, 1);
  t.deepEqual([use?.userUs, use?.systemUs], [Math.round(userCpuMs * 1000), Math.round(systemCpuMs * 1000)]);
  t.is(use?.peakMemoryBytes, peakMemoryBytes);
});

test('what ends a program is in its report, whether that is a result or an error', async (t) => {
  const { jit } = await open(t, { local: { limits: { memory: 64 * 1024 ** 2, data: null, cpu: 1 } } });
  const died = await jit.runProgram({ entry: 'dies' });
  t.like(died.report, { exitCode: 143, signal: 'SIGTERM', stdoutBytes: 11 });
  for (const [entry, limit, options] of [
    ['spin', { name: 'deadline', value: 100 }, { deadlineMs: 100 }],
    ['spin', { name: 'cpu', value: 1 }, {}],
    ['grabs', { name: 'memory', value: 64 * 1024 ** 2 }, {}],
  ] as const) {
    const running = jit.runProgram({ entry, ...options });
    await t.throwsAsync(running);
    const report = await running.report;
    t.deepEqual(report?.limit, limit);
    t.is(report?.exitCode, undefined);
    t.true((report?.userCpuMs ?? 0) + (report?.systemCpuMs ?? 0) > 0, limit.name);
  }
});

test('a program that was interrupted has a report, and one that was not begun has none', async (t) => {
  const { jit } = await open(t);
  const stop = new AbortController();
  const running = jit.runProgram({ entry: 'spin', signal: stop.signal });
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 1, 'it runs');
  stop.abort();
  await t.throwsAsync(running, { code: 'CANCELLED' });
  const { userCpuMs = 0, systemCpuMs = 0 } = (await running.report) ?? {};
  t.true(userCpuMs + systemCpuMs > 0);
  const missing = jit.runProgram({ entry: 'nowhere' });
  await t.throwsAsync(missing, { code: 'SYMBOLS_NOT_FOUND' });
  t.is(await missing.report, undefined);
});

test('a connection that is lost in the middle of a report, and is resumed, loses nothing of it', async (t) => {
  const server = new Server({
    credentials: { tokens: [{ name: 'a', sha256: hashToken('a'), quotas: {} }], certificates: [] },
  });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => proxy.close());
  let lostCount = 0;
  let hasPrinted = false;
  const jit = await JIT.create({
    executor: { url: proxy.url, token: 'a' },
    onOutput: () => {
      hasPrinted = true;
    },
    onEvent: ({ type }) => {
      if (type === 'connection-lost') lostCount++;
    },
  });
  t.teardown(() => jit.close());
  await jit.addObject(
    compile(
      '#include <stdio.h>\nint main(void) { puts("begun"); fflush(stdout); while (getchar() != EOF); return 7; }',
      ['-fPIC'],
    ),
    { name: 'reads.o' },
  );
  // In the news of what was read, in the answer, and behind it.
  for (const afterBytes of [1, 20, 60, 80, 100, 120, 140]) {
    hasPrinted = false;
    let cut: Promise<unknown> | undefined;
    async function* stdin() {
      await eventually(() => hasPrinted, 'it has begun');
      cut = proxy.inject({ fault: 'cut', afterBytes, way: 'down' });
      yield 'end';
    }
    const { exitCode, report } = await jit.runProgram({ stdin: stdin(), lineBuffered: true });
    t.is(exitCode, 7);
    t.like(report, { exitCode: 7, stdoutBytes: 6 });
    t.true(report.userCpuMs !== undefined && report.systemCpuMs !== undefined);
    t.true((report.peakMemoryBytes ?? 0) > 0);
    await cut;
  }
  t.is(lostCount, 7);
});
