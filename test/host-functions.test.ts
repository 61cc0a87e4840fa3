import { JIT } from '@farjit/compiler';
import test from 'ava';
import { startVersion2Executor } from './frozen-protocol.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

test('code calls a function in JavaScript by its name, in one round trip a call', async (t) => {
  const { jit } = await openJIT(t);
  const heard: unknown[] = [];
  jit.define({
    add: {
      signature: 'i32(i32, i32)',
      call: (_run, a, b) => {
        heard.push(a, b);
        return a + b;
      },
    },
  });
  await jit.addC('int add(int, int); int twice(int x) { return add(x, x) + add(0, 1); }');
  const twice = await jit.lookup('twice', 'i32(i32)');
  t.is(await twice(20), 41);
  t.deepEqual(heard, [20, 20, 0, 1]);
  const { roundTrips: before } = jit.statistics();
  t.is(before.callHost, 2);
  t.is(await twice(-7), -13);
  const { roundTrips: after } = jit.statistics();
  t.deepEqual(after, { ...before, callHost: 4, call: (before.call ?? 0) + 1 });
});

test('Kaleidoscope reaches it by extern, by its name alone too, and is told when it takes something else', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({
    half: { signature: 'double(double)', call: async (_run, x) => x / 2 },
    whole: { signature: 'i32(i32)', call: (_run, x) => x },
  });
  t.deepEqual(await evaluateAll(jit, 'extern half(x); def f(x) half(x) + half(half(x)); f(8);'), [6]);
  const results = await jit.addSource('extern whole(x); whole(1);');
  t.is(results[0]?.status, 'rejected');
  t.regex(
    String((results[0] as PromiseRejectedResult).reason),
    /'whole' is i32\(i32\), and only functions of doubles/,
  );
});

test('it is called from outside as any other function', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ triple: { signature: 'i64(i64)', call: (_run, x) => 3n * x } });
  const triple = await jit.lookup('triple');
  t.deepEqual(triple.signature, { result: 'i64', parameters: ['i64'] });
  t.is(await triple(14), 42n);
  await t.throwsAsync(jit.lookup('triple', 'i64(i64, i64)'), { message: /triple is i64\(i64\)/ });
});

test('an executor that calls none is told of when one is defined', async (t) => {
  const { transport, ended } = startVersion2Executor();
  t.teardown(() => ended);
  const { jit } = await openJIT(t, { executor: transport });
  t.throws(() => jit.define({ f: { signature: 'void()', call: () => {} } }), {
    code: 'FEATURE_MISSING',
    message:
      /^f is not defined: the executor \(farjit-executor [\d.]+\) is of a release that calls no functions in JavaScript$/,
  });
});

test('what the program has flushed before is heard before', async (t) => {
  const order: string[] = [];
  const { jit } = await openJIT(t, {
    onOutput: (_stream, content) => {
      order.push(Buffer.from(content).toString());
    },
  });
  jit.define({ say: { signature: 'void(i32)', call: (_run, x) => void order.push(`${x}`) } });
  await jit.addC(`
    #include <unistd.h>
    void say(int);
    void f(void) { for (int i = 0; i < 3; i++) { write(1, "written", 7); say(i); } }
  `);
  await (await jit.lookup('f', 'void()'))();
  t.deepEqual(order, ['written', '0', 'written', '1', 'written', '2']);
});

test('dylibs have their own of a name', async (t) => {
  const { jit } = await openJIT(t);
  const other = jit.createDylib('other');
  jit.define({ which: { signature: 'i32()', call: () => 1 } });
  other.define({ which: { signature: 'i32()', call: () => 2 } });
  for (const dylib of [jit.mainDylib, other])
    await dylib.addC('int which(void); int f(void) { return which(); }');
  t.is(await (await jit.lookup('f', 'i32()'))(), 1);
  t.is(await (await other.lookup('f', 'i32()'))(), 2);
});

test('a `this` and a state of its own: the object that it is of', async (t) => {
  const jit = await JIT.create();
  t.teardown(() => jit.close());
  class Counter {
    readonly signature = 'i32(i32)';
    #sum = 0;
    call(_run: unknown, x: number) {
      this.#sum += x;
      return this.#sum;
    }
  }
  jit.define({ count: new Counter() });
  const count = await jit.lookup('count', 'i32(i32)');
  await count(1);
  t.is(await count(2), 3);
});
