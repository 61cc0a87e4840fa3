/* One build, many inputs: every run finds what the first one found, and nothing is compiled for it. */
import { JIT, type RunningProgram } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { eventually } from './jit-fixture.js';
import { startServer } from './server-fixture.js';

async function open(t: ExecutionContext, source: string, options = {}) {
  let text = '';
  const jit = await JIT.create({
    ...options,
    onOutput: (_stream, content) => {
      text += Buffer.from(content).toString();
    },
  });
  t.teardown(() => jit.close());
  await jit.addObject(compile(source, ['-O0', '-fPIC']), { name: 'program.o' });
  const printed = () => {
    const all = text;
    text = '';
    return all;
  };
  return { jit, printed };
}

/** Says what it finds, then leaves all that it can behind. */
const LEAVES = `
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>
int zero, one = 1;
char *text[] = {"as it was"};
_Thread_local int own = 7;
static void *kept;
static int constructed;
static void says(void) { puts("left by an earlier run"); }
__attribute__((constructor)) static void construct(void) { constructed++; }
static int counts(void) { static int calls; return ++calls; }
static void *thread(void *none) { for (;;) pause(); return none; }
int main(int argc, char **argv) {
  printf("%d %d %s %d %p %d %d\\n", zero, one, text[0], own, kept, constructed, counts());
  printf("env %s, errno %d, rand %d, locale %s, optind %d\\n", getenv("LEFT") ? "left" : "none", errno, rand(),
         setlocale(LC_ALL, 0), optind);
  int open_count = 0;
  for (int fd = 0; fd < 256; fd++) open_count += fcntl(fd, F_GETFD) != -1;
  printf("descriptors %d\\n", open_count);
  struct sigaction old;
  sigaction(SIGUSR1, 0, &old);
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, 0, &blocked);
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  printf("handler %d, blocked %d, name %s, files %d\\n", old.sa_handler != SIG_DFL, sigismember(&blocked, SIGUSR2), name,
         (int)files.rlim_cur);
  FILE *file = fopen("/tmp/left", "r");
  printf("file %s\\n", file ? "there" : "none");
  int byte = argc > 2 ? getchar() : -1;
  printf("input %d\\n", byte);
  fflush(stdout);

  zero = 5; one = 6; own = 8; text[0] = "changed"; kept = malloc(100); constructed = 9;
  srand(99); rand(); setlocale(LC_ALL, "C.UTF-8"); optind = 44; errno = 13;
  setenv("LEFT", "x", 1);
  atexit(says);
  signal(SIGUSR1, SIG_IGN);
  sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR2); sigprocmask(SIG_BLOCK, &set, 0);
  prctl(PR_SET_NAME, "left");
  files.rlim_cur = 5; setrlimit(RLIMIT_NOFILE, &files);
  umask(0);
  dup(1);
  open("/tmp/left", O_CREAT | O_RDWR, 0666);
  open("/left", O_CREAT | O_RDWR, 0666);
  shm_open("/left", O_CREAT | O_RDWR, 0666);
  shmget(7, 4096, IPC_CREAT | 0666);
  mmap((void *)0x700000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_t made; pthread_create(&made, 0, thread, 0);
  printf("never flushed");
  if (argc > 1 && strcmp(argv[1], "trap") == 0) *(volatile int *)0 = 1;
  if (argc > 1 && strcmp(argv[1], "kill") == 0) raise(SIGKILL);
  _exit(0);
}`;

const FOUND = /^0 1 as it was 7 \(nil\) 1 1\nenv none, errno 0, rand (\d+), locale C, optind 1\n/;

for (const where of ['its own executor', 'an executor elsewhere'])
  test(`a run finds nothing of what runs before it have left, with ${where}`, async (t) => {
    const options = where === 'its own executor' ? {} : { executor: { url: (await startServer(t)).url } };
    const { jit, printed } = await open(t, LEAVES, options);
    const program = await jit.program();
    await program.run({ argv: ['leaves'], stdin: 'unread' });
    const first = printed();
    t.regex(first, FOUND);
    for (const [how, exitCode] of [
      ['exit', 0],
      ['trap', 139],
      ['kill', 137],
      ['exit', 0],
    ] as const) {
      const result = await program.run({ argv: ['leaves', how], stdin: 'never read by this one' });
      // What a trap finds in stdout is told.
      t.is(printed().replace('never flushed', ''), first, how);
      t.is(result.exitCode, exitCode);
    }
    await program.run({ argv: ['leaves', 'exit', 'reads'], stdin: 'A' });
    t.is(printed(), first.replace('input -1', `input ${'A'.charCodeAt(0)}`));
  });

const COUNTS = `
#include <stdio.h>
int calls;
int bump(void) { return ++calls; }
int main(int argc, char **argv) {
  int c, sum = 0;
  while ((c = getchar()) != EOF) sum += c - '0';
  printf("%s %d %d;", argc > 1 ? argv[1] : "-", sum, bump());
  return 0;
}`;

test('runs are made in their order, each in a runner of its own, and nothing is compiled for them', async (t) => {
  const { jit, printed } = await open(t, COUNTS);
  const program = await jit.program({ entry: 'main' });
  const compiled = () => {
    const { modulesCompiled, piecesCompiled, functionsCompiled, wrappersCompiled } = jit.statistics();
    return [modulesCompiled, piecesCompiled, functionsCompiled, wrappersCompiled];
  };
  const first = await program.run({ argv: ['program', '0'], stdin: '1' });
  const before = compiled();
  const { runnersStarted } = jit.statistics();
  const runs = [1, 2, 3, 4].map((n) => program.run({ argv: ['program', `${n}`], stdin: `${n}${n}` }));
  for (const { report } of await Promise.all(runs)) {
    t.like(report, { functionsCompiled: 0, callbacks: 0, exitCode: 0 });
    t.is(report.functionsLinked, first.report.functionsLinked);
  }
  t.is(first.report.functionsLinked, 2);
  t.is(printed(), '0 1 1;1 2 1;2 4 1;3 6 1;4 8 1;');
  t.deepEqual(compiled(), before);
  t.is(jit.statistics().runnersStarted - runnersStarted, 4);
});

test('one more run takes five messages', async (t) => {
  const { jit } = await open(t, COUNTS);
  const program = await jit.program();
  await program.run({ stdin: '1' });
  const messages: string[] = [];
  jit.subscribe((event) => {
    if (event.type === 'frame') messages.push(`${event.direction} ${event.method}`);
  });
  for (let count = 0; count < 3; count++) t.like(await program.run({ stdin: '12' }), { exitCode: 0 });
  const ofOne = [
    'sent startRunner',
    'received startRunner',
    'sent runProgram',
    'received output',
    'received runProgram',
  ];
  t.deepEqual(messages, [...ofOne, ...ofOne, ...ofOne]);
});

test('what calls have left in their runner is not there, and what is added later is', async (t) => {
  const { jit, printed } = await open(t, COUNTS);
  const bump = await jit.lookup('bump', 'i32()');
  t.is(await bump(), 1);
  t.is(await bump(), 2);
  const program = await jit.program();
  await program.run();
  t.is(printed(), '- 0 1;');
  t.is(await bump(), 1);
  await program.run();
  t.is(printed(), '- 0 1;');
});

test('what is no program is refused when it is compiled, and what is no input when it is run', async (t) => {
  const { jit } = await open(t, `${COUNTS}\nvoid nowhere(void); int calls_it(void) { nowhere(); return 0; }`);
  await t.throwsAsync(jit.program({ entry: 'absent' }), { code: 'SYMBOLS_NOT_FOUND' });
  await t.throwsAsync(jit.program({ entry: 'calls' }), { message: /data, not a function/ });
  // All of it is linked, as by a linker.
  await t.throwsAsync(jit.program(), { message: /nowhere/ });
  const { jit: other } = await open(t, COUNTS);
  const program = await other.program();
  for (const wrong of [{ entry: 'bump' }, { eager: true }, { argv: 'x' }, null])
    t.throws(() => program.run(wrong as never), { code: 'BAD_ARGUMENT' }, JSON.stringify(wrong));
});

test('a run waits for a runProgram, which is refused while a run is under way', async (t) => {
  const { jit, printed } = await open(t, COUNTS);
  const program = await jit.program();
  const plain = jit.runProgram({ argv: ['p', 'plain'] });
  const run = program.run({ argv: ['p', 'run'] });
  await plain;
  const refused = jit.runProgram();
  await run;
  t.is(printed(), 'plain 0 1;run 0 1;');
  await refused.then(
    () => t.pass(),
    (error) => t.is(error.code, 'PROGRAM_RUNNING'),
  );
});

const ENDLESS = `
#include <stdio.h>
void asks(void);
int main(int argc, char **argv) {
  puts("begun");
  fflush(stdout);
  if (argc > 1) asks();
  for (;;);
}`;

/** Milliseconds between an order to end and the end, the least of several: a machine that is busy makes them longer. */
async function endsWithin(
  t: ExecutionContext,
  limitMs: number,
  measure: () => Promise<number>,
): Promise<void> {
  const taken: number[] = [];
  for (let attempt = 0; attempt < 8 && !taken.some((ms) => ms <= limitMs); attempt++)
    taken.push(await measure());
  t.true(Math.min(...taken) <= limitMs, `${taken.map(Math.round)} ms`);
}

for (const where of ['in code', 'in a function in JavaScript'])
  test(`a signal, a deadline and the end of its process end a run at once ${where}`, async (t) => {
    const { jit } = await open(t, ENDLESS);
    jit.define({ asks: { signature: 'void()', call: () => new Promise(() => {}) } });
    const program = await jit.program();
    const argv = where === 'in code' ? ['p'] : ['p', 'asks'];
    const begun = async (run: RunningProgram) => {
      for await (const { content } of run.output()) if (Buffer.from(content).includes('begun')) return;
    };
    const settled = (run: RunningProgram) =>
      run.then(
        () => performance.now(),
        () => performance.now(),
      );
    await endsWithin(t, 100, async () => {
      const stop = new AbortController();
      const run = program.run({ argv, signal: stop.signal });
      await begun(run);
      const startMs = performance.now();
      stop.abort();
      const endMs = await settled(run);
      await t.throwsAsync(run, { code: 'CANCELLED' });
      return endMs - startMs;
    });
    await endsWithin(t, 100, async () => {
      const run = program.run({ argv, deadlineMs: 200 });
      await begun(run);
      await t.throwsAsync(run, { code: 'DEADLINE_EXCEEDED' });
      return ((await run.report)?.wallMs ?? 1e9) - 200;
    });
    await endsWithin(t, 100, async () => {
      const run = program.run({ argv });
      await begun(run);
      const { processId } = await jit.executorStatus();
      const startMs = performance.now();
      process.kill(processId, 'SIGKILL');
      const { signal } = await run;
      t.is(signal, 'SIGKILL');
      return performance.now() - startMs;
    });
    const after = program.run({ argv, deadlineMs: 50 });
    await t.throwsAsync(after, { code: 'DEADLINE_EXCEEDED' });
  });

test('a run that is given up while it waits is not begun', async (t) => {
  const { jit, printed } = await open(t, ENDLESS);
  jit.define({ asks: { signature: 'void()', call: () => {} } });
  const program = await jit.program();
  const stop = new AbortController();
  const first = program.run({ signal: stop.signal });
  const second = program.run({ signal: AbortSignal.timeout(50) });
  await t.throwsAsync(second, { code: 'CANCELLED' });
  t.is(await second.report, undefined);
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 1, 'the first runs');
  stop.abort();
  await t.throwsAsync(first, { code: 'CANCELLED' });
  t.is(printed().split('begun').length - 1 <= 1, true);
});
