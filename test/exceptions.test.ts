import { InitializationError, RunnerLostError } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const INT = { result: 'i32', parameters: ['i32'] } as const;

async function openCxx(t: ExecutionContext, source: string, flags: readonly string[] = ['-O1']) {
  const opened = await openJIT(t, { local: { preload: ['libstdc++.so.6'] } });
  await opened.jit.addObject(compile(source, [...flags, '-fPIC', '-ffunction-sections'], 'c++'));
  return opened;
}

test('a call that ends with an exception rejects with its type and what(), and the next one is right', async (t) => {
  const { jit, printed } = await openCxx(
    t,
    `#include <stdexcept>
     namespace app { struct Failure : std::runtime_error { using std::runtime_error::runtime_error; }; }
     static int deep(int n) { if (n == 0) throw app::Failure("nobody catches"); return deep(n - 1) + 1; }
     extern "C" int fails(int n) { return deep(n); }
     extern "C" int number(int n) { throw n; }
     extern "C" int strict(int n) noexcept { return deep(n); }
     extern "C" int caught(int n) { try { return deep(n); } catch (std::exception &) { return 7; } }`,
  );
  const lossOf = async (name: string) =>
    t.throwsAsync((await jit.lookup(name, INT))(3), { instanceOf: RunnerLostError });
  const failure = { type: 'app::Failure', what: 'nobody catches' };
  for (const name of ['fails', 'strict']) {
    const { message, end, uncaught } = await lossOf(name);
    t.deepEqual([end, uncaught], [{ kind: 'signal', signal: 'SIGABRT' }, failure]);
    t.is(message, 'the runner ended: killed by SIGABRT: nobody caught app::Failure, what(): nobody catches');
  }
  const { message, uncaught } = await lossOf('number');
  t.deepEqual(uncaught, { type: 'int' });
  t.is(message, 'the runner ended: killed by SIGABRT: nobody caught int');
  t.is(await (await jit.lookup('caught', INT))(3), 7);
  t.regex(
    printed(),
    /^terminate called after throwing an instance of 'app::Failure'\n {2}what\(\): {2}nobody catches\n/,
  );
});

test('an initialiser that throws is told with the type and what()', async (t) => {
  const { jit } = await openCxx(
    t,
    `#include <stdexcept>
     static int boom() { throw std::logic_error("too early"); }
     int value = boom();`,
  );
  const error = await t.throwsAsync(jit.initialize(), { instanceOf: InitializationError });
  t.regex(error.message, /nobody caught std::logic_error, what\(\): too early/);
});

test('a function that cannot be linked is no exception: no handler sees it, and cleanups run where there is none', async (t) => {
  const { jit, printed } = await openCxx(
    t,
    `#include <cstdio>
     #include <mutex>
     extern "C" int nowhere(int);
     __attribute__((noipa)) static int missing(int n) { return nowhere(n) + 1; }
     static void say(const char *words) { std::puts(words); std::fflush(stdout); }
     struct Loud { ~Loud() { say("cleaned up"); } };
     struct Slow { int n; Slow(int n) : n(missing(n)) {} };
     static std::mutex mutex;
     extern "C" int cleans(int n) { Loud l; return missing(n); }
     extern "C" int locks(int n) { std::lock_guard<std::mutex> guard(mutex); return n ? missing(n) : 5; }
     extern "C" int once(int n) { static Slow slow(n); return slow.n; }
     extern "C" int all(int n) { try { return missing(n); } catch (...) { say("caught"); return 7; } }
     extern "C" int below(int n) { Loud l; return all(n); }
     extern "C" int strict(int n) noexcept { Loud l; return missing(n); }
     extern "C" int typed(int n) { try { return missing(n); } catch (int) { say("caught"); return 7; } }
     extern "C" int plain(int n) { return n + 1; }`,
  );
  const call = async (name: string, n: number) => (await jit.lookup(name, INT))(n);
  const fails = (name: string) =>
    t.throwsAsync(call(name, 1), { code: 'MATERIALIZATION_FAILED', message: /nowhere/ }, name);
  // A second time finds what the first has left: locks and guards that are free.
  for (const name of ['cleans', 'locks', 'once', 'once', 'typed']) await fails(name);
  t.is(await call('locks', 0), 5);
  t.is(printed(), 'cleaned up\n');
  t.is(jit.statistics().runnersLost, 0);
  // The runner goes, and what comes next finds another.
  for (const name of ['all', 'below', 'strict', 'all']) {
    await fails(name);
    t.is(await call('plain', 1), 2);
  }
  t.is(printed(), 'cleaned up\n');
  t.is(jit.statistics().runnersLost, 4);
});

test('a function that cannot be linked fails a call through code without unwind information', async (t) => {
  const flags = ['-O2', '-fno-asynchronous-unwind-tables', '-fPIC', '-ffunction-sections'];
  const { jit } = await openJIT(t);
  await jit.addObject(
    compile(
      `int nowhere(int);
       __attribute__((noipa)) static int missing(int n) { return nowhere(n) + 1; }
       int f(int n) { return n ? missing(n) * 2 : 5; }`,
      flags,
    ),
  );
  const f = await jit.lookup('f', INT);
  await t.throwsAsync(f(1), { code: 'MATERIALIZATION_FAILED', message: /nowhere/ });
  t.is(await f(0), 5);
  t.is(jit.statistics().runnersLost, 1);
});

test('a thread that cannot go on below a handler fails the calls that run', async (t) => {
  const { jit, printed } = await openCxx(
    t,
    `#include <cstdio>
     #include <pthread.h>
     extern "C" int nowhere(int);
     __attribute__((noipa)) static int missing(int n) { return nowhere(n) + 1; }
     static void *work(void *) { try { missing(1); } catch (...) { std::puts("caught"); } return nullptr; }
     extern "C" int f(int) { pthread_t t; pthread_create(&t, nullptr, work, nullptr); pthread_join(t, nullptr); return 1; }`,
  );
  const f = await jit.lookup('f', INT);
  await t.throwsAsync(f(1), { code: 'MATERIALIZATION_FAILED', message: /nowhere/ });
  t.is(printed(), '');
});
