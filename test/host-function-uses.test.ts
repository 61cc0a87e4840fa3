import test from 'ava';
import { evaluateAll, openJIT } from './jit-fixture.js';

test('its address is a function pointer: qsort sorts by it', async (t) => {
  const { jit } = await openJIT(t);
  let count = 0;
  jit.define({
    compare: {
      signature: 'i32(ptr, ptr)',
      call: async (run, a, b) => {
        count++;
        const [x = 0] = await run.readArray(Int32Array, a, 1);
        const [y = 0] = await run.readArray(Int32Array, b, 1);
        return y - x;
      },
    },
  });
  await jit.addC(`
    #include <stdlib.h>
    int compare(const void *, const void *);
    void sort(int *numbers, long count) { qsort(numbers, count, sizeof *numbers, compare); }
  `);
  const sort = await jit.lookup('sort', 'void(inout ptr, i64)');
  const numbers = Int32Array.of(3, -7, 20, 0, 5, 5, 1);
  await sort(numbers, numbers.length);
  t.deepEqual([...numbers], [20, 5, 5, 3, 1, 0, -7]);
  t.true(count > 6);
});

test('a generator supplies it when a name is first needed, and a dylib reexports it', async (t) => {
  const { jit } = await openJIT(t);
  const asked: string[][] = [];
  jit.mainDylib.addGenerator(async (names, dylib) => {
    asked.push([...names]);
    for (const name of names.filter((one) => one.startsWith('js_')))
      dylib.define({ [name]: { signature: 'i32()', call: () => name.length } });
  });
  const other = jit.createDylib('other');
  other.reexport({ length: { dylib: jit.mainDylib, name: 'js_abc' } });
  await jit.addC('int js_abc(void); int f(void) { return js_abc(); }');
  await other.addC('int length(void); int g(void) { return length(); }');
  t.is(await (await jit.lookup('f', 'i32()'))(), 6);
  t.is(await (await other.lookup('g', 'i32()'))(), 6);
  t.is(asked.flat().filter((name) => name === 'js_abc').length, 1);
});

test('it takes the place of a function of the process that code has been compiled for', async (t) => {
  const { jit } = await openJIT(t);
  t.deepEqual(await evaluateAll(jit, 'extern cos(x); def f(x) cos(x) + cos(0); f(0);'), [2]);
  const tracker = jit.define({ cos: { signature: 'double(double)', call: (_run, x) => x + 10 } });
  t.deepEqual(await evaluateAll(jit, 'f(1);'), [21]);
  tracker.remove();
  t.deepEqual(await evaluateAll(jit, 'f(0);'), [2]);
});

test('threads that are cancelled while they wait for it give their slots back, and signals come afterwards', async (t) => {
  const { jit } = await openJIT(t);
  let count = 0;
  jit.define({
    wait: {
      signature: 'void()',
      call: async () => {
        count++;
      },
    },
  });
  await jit.addC(`
    #include <pthread.h>
    #include <signal.h>
    #include <stdatomic.h>
    void wait(void);
    static atomic_int handled;
    static void handle(int signal) { handled++; }
    static void *run(void *x) {
      for (;;) {
        wait();
        pthread_testcancel();
      }
      return x;
    }
    /* More threads, one after the other, than there are slots. */
    int f(void) {
      for (int i = 0; i < 300; i++) {
        pthread_t thread;
        void *result;
        if (pthread_create(&thread, 0, run, 0) != 0) return -1;
        pthread_cancel(thread);
        pthread_join(thread, &result);
        if (result != PTHREAD_CANCELED) return -2;
      }
      return 1;
    }
    int g(void) {
      signal(SIGUSR1, handle);
      for (int i = 0; i < 20; i++) {
        raise(SIGUSR1);
        wait();
      }
      return handled;
    }
  `);
  t.is(await (await jit.lookup('f', 'i32()'))(), 1);
  t.true(count > 0);
  t.is(await (await jit.lookup('g', 'i32()'))(), 20);
  t.is(jit.statistics().runnersLost, 0);
});

test('all that is called is compiled ahead where a program is eager, and by hot code it is reached as ever', async (t) => {
  const { jit, printed } = await openJIT(t, { hotThreshold: 100 });
  let sum = 0;
  const add = (x: number) => {
    sum += x;
    return sum;
  };
  jit.define({ add: { signature: 'i32(i32)', call: (_run, x) => add(x) } });
  await jit.addC(`
    #include <stdio.h>
    int add(int);
    int main(void) { int last = 0; for (int i = 1; i <= 300; i++) last = add(i); printf("%d\\n", last); return 0; }
  `);
  t.is((await jit.runProgram({ eager: true })).exitCode, 0);
  t.is(printed(), `${(300 * 301) / 2}\n`);
  await evaluateAll(jit, 'extern note(x);');
  let notes = 0;
  const note = (x: number) => {
    notes++;
    return x;
  };
  jit.define({ note: { signature: 'double(double)', call: (_run, x) => note(x) } });
  t.deepEqual(await evaluateAll(jit, 'def loop(n) for i = 0, i < n in note(i); loop(500); note(7);'), [0, 7]);
  t.is(notes, 502);
});

test('a function that is called as one of the runner’s own is called is not taken for it', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({ plus: { signature: 'i32(i32)', call: (_run, x) => x + 1 } });
  await jit.addC(`
    int plus(int);
    static int stolen;
    void call(long number, long *words, long count) __asm__("farjit$callHost");
    void call(long number, long *words, long count) { stolen++; }
    void count(void *counter) __asm__("farjit$count");
    void count(void *counter) { stolen++; }
    int f(int x) { return plus(x) + 1; }
    int thefts(void) { return stolen; }
  `);
  const f = await jit.lookup('f', 'i32(i32)');
  for (let i = 0; i < 20; i++) t.is(await f(i), i + 2);
  const thefts = await jit.lookup('thefts', 'i32()');
  t.is(await thefts(), 0);
});
