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
