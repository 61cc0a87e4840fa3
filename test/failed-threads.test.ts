import type { RunnerLostError } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { eventually, openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: ['i32'] } as const;

/** Threads that call what nobody defines: at once, or when they are told to. */
const THREADS = `
  #include <pthread.h>
  #include <threads.h>
  #include <unistd.h>
  int nowhere(int);
  __attribute__((noipa)) static int missing(int n) { return nowhere(n) + 1; }
  __attribute__((noipa)) static int other_missing(int n) { return nowhere(n) + 2; }
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  static int done, go;
  static void *work(void *unused) { missing(1); return &done; }
  static int c11_work(void *unused) { return missing(1); }
  static void *tell(void *unused) {
    int result = missing(1);
    pthread_mutex_lock(&mutex), done = result, pthread_cond_signal(&condition), pthread_mutex_unlock(&mutex);
    return 0;
  }
  static void *later(void *unused) {
    pthread_mutex_lock(&mutex);
    while (!go) pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    missing(1);
    return 0;
  }
  static void *other_work(void *unused) { other_missing(1); return &done; }
  static void *later_too(void *unused) {
    pthread_mutex_lock(&mutex);
    while (!go) pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    other_missing(1);
    return 0;
  }
  int sleeps(int n) { for (;;) pause(); }
  static pthread_t start(void *(*f)(void *)) { pthread_t t; pthread_create(&t, 0, f, 0); return t; }
  int joins(int n) { void *result; pthread_join(start(work), &result); return result == 0 ? n : 0; }
  int joins_c11(int n) { thrd_t t; int result; thrd_create(&t, c11_work, 0); thrd_join(t, &result); return n; }
  int waits(int n) {
    start(tell);
    pthread_mutex_lock(&mutex);
    while (!done) pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    return n;
  }
  int two_wait(int n) { start(work), start(other_work); return sleeps(n); }
  int two_begin(int n) { pthread_detach(start(later)), pthread_detach(start(later_too)); return n; }
  int begins(int n) { pthread_detach(start(later)); return n; }
  int says(int n) { pthread_mutex_lock(&mutex), go = 1, pthread_cond_broadcast(&condition), pthread_mutex_unlock(&mutex); return n; }
  static int kept;
  int adds(int n) { return kept += n; }
  int main(void) { return joins(0); }`;

async function openThreads(t: ExecutionContext) {
  const { jit } = await openJIT(t);
  await jit.addObject(compile(THREADS, ['-O1', '-fPIC', '-ffunction-sections'], 'c'));
  const call = async (name: string, n: number) => (await jit.lookup(name, INT))(n);
  return { jit, call };
}

for (const name of ['joins', 'joins_c11', 'waits'])
  test(`a thread that cannot go on rejects the call that ${name.replace('_', ' with ')}`, async (t) => {
    const { jit, call } = await openThreads(t);
    await t.throwsAsync(call(name, 1), {
      code: 'MATERIALIZATION_FAILED',
      message: /cannot .*missing.*nowhere/,
    });
    t.is(await call('adds', 2), 2);
    t.is(jit.statistics().runnersLost, 1);
  });

test('a thread that cannot go on rejects every call that runs', async (t) => {
  const { jit, call } = await openThreads(t);
  await call('adds', 1);
  const sleeping = [call('sleeps', 1), call('sleeps', 2)];
  await call('begins', 1);
  const outcomes = Promise.all(
    sleeping.map((each) => t.throwsAsync(each, { code: 'MATERIALIZATION_FAILED', message: /nowhere/ })),
  );
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 2, 'two calls run');
  await call('says', 1).catch(() => {
    // It may still run.
  });
  await outcomes;
  t.is(await call('adds', 2), 2);
});

test('what a thread could not do after its call had returned is told to the next call, once', async (t) => {
  const { jit, call } = await openThreads(t);
  const told: string[] = [];
  jit.subscribe((event) => {
    if (event.type === 'callback' && event.outcome === 'failed') told.push(event.name);
    if (event.type === 'runner-lost') told.push(event.end.kind);
  });
  t.is(await call('adds', 5), 5);
  t.is(await call('begins', 1), 1);
  t.is(await call('says', 1), 1);
  await eventually(() => jit.statistics().runnersLost === 1, 'the runner ends');
  t.deepEqual(told, ['missing', 'unwind-failed']);
  const error = await t.throwsAsync<RunnerLostError>(call('adds', 1), { code: 'RUNNER_LOST' });
  t.regex(error.message, /^the runner ended: a thread could not go on .*missing.*nowhere/);
  t.is((error.cause as { code?: string }).code, 'MATERIALIZATION_FAILED');
  // In another runner, where all is as at first.
  t.is(await call('adds', 1), 1);
});

test('when two threads cannot go on, the call that runs is rejected, and no later one', async (t) => {
  const { jit, call } = await openThreads(t);
  for (let round = 1; round <= 3; round++) {
    await t.throwsAsync(call('two_wait', 1), { code: 'MATERIALIZATION_FAILED', message: /nowhere/ });
    t.is(await call('adds', round), round);
    t.is(await call('adds', 0), round);
    t.is(jit.statistics().runnersLost, round);
  }
});

test('when two threads cannot go on after their call, one call is told', async (t) => {
  const { jit, call } = await openThreads(t);
  await call('two_begin', 1);
  await call('says', 1).catch(() => {
    // It may still run.
  });
  await eventually(() => jit.statistics().runnersLost === 1, 'the runner ends');
  await call('adds', 1).catch(() => {
    // Unless that one was told.
  });
  for (let count = 1; count <= 5; count++) t.true(Number(await call('adds', 1)) >= count);
  t.is(jit.statistics().runnersLost, 1);
});

test('the next call is told of it whenever it comes', async (t) => {
  const { call } = await openThreads(t);
  await call('begins', 1);
  await call('says', 1);
  const outcomes: string[] = [];
  while (outcomes.at(-1) !== 'RUNNER_LOST' && outcomes.at(-1) !== 'MATERIALIZATION_FAILED')
    outcomes.push(await call('adds', 1).then(String, ({ code }) => code));
  t.deepEqual(
    outcomes.slice(0, -1).map(Number),
    outcomes.slice(0, -1).map((_, index) => index + 1),
  );
  t.is(await call('adds', 1), 1);
});

test('a program is not begun after a thread could not go on', async (t) => {
  const { jit, call } = await openThreads(t);
  await call('begins', 1);
  await call('says', 1);
  await eventually(() => jit.statistics().runnersLost === 1, 'the runner ends');
  await t.throwsAsync(jit.runProgram(), { code: 'RUNNER_LOST', message: /nowhere/ });
});

test('a thread of a program that cannot go on ends the program with the error', async (t) => {
  const { jit } = await openThreads(t);
  await t.throwsAsync(jit.runProgram(), {
    code: 'MATERIALIZATION_FAILED',
    message: /cannot .*missing.*nowhere/,
  });
});
