import { LinkError } from '@farjit/compiler';
import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const ATOMICS = `#include <stdatomic.h>
  struct pair { long a, b; };
  static _Atomic struct pair value;
  long swap(long a) {
    struct pair next = { a, 0 };
    struct pair before = atomic_exchange(&value, next);
    struct pair now = atomic_load(&value);
    return before.a * 100 + before.b * 10 + now.a + now.b;
  }`;

test('16-byte atomics and what else libgcc and libatomic have is linked when it is called', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC(ATOMICS, { name: 'atomics.c', flags: ['-w'] });
  const swap = await jit.lookup('swap');
  t.is(await swap(7n), 7n);
  t.is(await swap(3n), 703n);
  t.true(jit.definedNames().some((name) => name.startsWith('__atomic_')));
  // The process has it: libgcc_s is always there.
  await jit.addC(
    '__int128 d(__int128 a, __int128 b) { return a / b; } long q(long a) { return d((__int128)a << 64, 3) >> 62; }',
  );
  t.is(await (await jit.lookup('q'))(9n), 12n);
  t.false(jit.definedNames().includes('__divti3'));
});

test('an object of decimals finds its arithmetic in libgcc.a, as each dylib does for itself', async (t) => {
  const { jit } = await openJIT(t);
  const object = compile('double half(int x) { _Decimal64 d = x; return d / 2; }', ['-O1', '-fPIC']);
  for (const name of ['one', 'two']) {
    const dylib = jit.createDylib(name);
    await dylib.addObject(object, { name: 'decimals.o' });
    t.is(await (await dylib.lookup('half', 'double(i32)'))(5), 2.5);
    t.true(dylib.definedNames().includes('__bid_divdd3'));
  }
  t.deepEqual(jit.definedNames(), []);
});

test('what CPU it runs on is found out before a program begins', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC('int main(void) { __builtin_cpu_init(); return __builtin_cpu_supports("sse2") ? 3 : 4; }', {
    name: 'cpu.c',
  });
  t.is((await jit.runProgram()).exitCode, 3);
});

test('without a program, initialize() finds it out', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC('int f(void) { return __builtin_cpu_supports("sse2") ? 3 : 4; }', { name: 'cpu.c' });
  await jit.initialize();
  t.is(await (await jit.lookup('f'))(), 3);
});

test('what nobody has is missing, in words that say who may have it', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addC('int __fixnothingsi(int); int f(int x) { return __fixnothingsi(x); }', { name: 'f.c' });
  const error = await t.throwsAsync((await jit.lookup('f'))(1));
  t.true(error?.cause instanceof LinkError);
  t.regex(
    String(error?.cause),
    /no definition of "__fixnothingsi".* compiler-rt .* may have it, and are looked in/,
  );
});
