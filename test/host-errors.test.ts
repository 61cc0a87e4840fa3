import { HostFunctionError } from '@farjit/compiler';
import test from 'ava';
import { openJIT } from './jit-fixture.js';

const CPP_LIBRARY = { local: { preload: ['libstdc++.so.6'] } };

test('what it throws, or its promise is rejected with, rejects the call that its thread was in', async (t) => {
  const { jit } = await openJIT(t);
  const thrown: unknown[] = [
    new RangeError('too far'),
    undefined,
    'a text',
    null,
    { toString: () => 'an object' },
    Object.create(null),
  ];
  jit.define({
    fail: {
      signature: 'void(i32)',
      call: (_run, index) => {
        throw thrown[index];
      },
    },
    reject: { signature: 'void(i32)', call: (_run, index) => Promise.reject(thrown[index]) },
  });
  await jit.addC(`
    void fail(int); void reject(int);
    int f(int x) { fail(x); return 1; }
    int g(int x) { reject(x); return 1; }
    int h(void) { return 2; }
  `);
  const h = await jit.lookup('h', 'i32()');
  const processId = jit.runner.processId;
  for (const [name, callee] of [
    ['f', 'fail'],
    ['g', 'reject'],
  ] as const) {
    const call = await jit.lookup(name, 'i32(i32)');
    for (const [index, cause] of thrown.entries()) {
      const words =
        index === 5 ? 'something without words' : cause instanceof Error ? cause.message : String(cause);
      const message = `${callee} has thrown: ${words}`;
      const error = await t.throwsAsync(call(index), {
        instanceOf: HostFunctionError,
        code: 'HOST_FUNCTION_FAILED',
        message,
      });
      t.true(error !== undefined && 'cause' in error);
      t.is(error?.cause, cause);
      t.is(error?.symbol, callee);
      t.is(await h(), 2);
    }
  }
  t.is(jit.runner.processId, processId, 'the runner is the same');
});

test('what it throws is no exception of C++, and ends a program', async (t) => {
  const { jit, printed } = await openJIT(t, CPP_LIBRARY);
  const cause = new Error('no more');
  jit.define({
    fail: {
      signature: 'void()',
      call: () => {
        throw cause;
      },
    },
  });
  await jit.addC(
    `
    #include <cstdio>
    extern "C" void fail(void);
    extern "C" int f(void) {
      try { fail(); } catch (...) { std::printf("caught\\n"); std::fflush(stdout); }
      return 1;
    }
    extern "C" int g(void) noexcept { fail(); return 1; }
    int main() {
      std::printf("begun\\n");
      try { return f(); } catch (...) { std::printf("caught\\n"); }
    }
  `,
    { language: 'c++' },
  );
  for (const name of ['f', 'g']) {
    const call = await jit.lookup(name, 'i32()');
    const error = await t.throwsAsync(call(), { code: 'HOST_FUNCTION_FAILED' });
    t.is(error?.cause, cause);
  }
  t.is(printed(), '');
  const error = await t.throwsAsync(jit.runProgram(), {
    code: 'HOST_FUNCTION_FAILED',
    message: 'fail has thrown: no more',
  });
  t.is(error?.cause, cause);
  t.is(printed(), 'begun\n');
  const g = await jit.lookup('g', 'i32()');
  await t.throwsAsync(g(), { code: 'HOST_FUNCTION_FAILED' });
});

test('on a thread of the program it ends the program, from whichever thread', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ fail: { signature: 'void()', call: () => Promise.reject(new Error('in a thread')) } });
  await jit.addC(`
    #include <pthread.h>
    void fail(void);
    static void *run(void *x) { fail(); return x; }
    int main(void) {
      pthread_t thread;
      pthread_create(&thread, 0, run, 0);
      pthread_join(thread, 0);
      return 0;
    }
  `);
  await t.throwsAsync(jit.runProgram(), {
    code: 'HOST_FUNCTION_FAILED',
    message: 'fail has thrown: in a thread',
  });
});
