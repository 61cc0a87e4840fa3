import { setTimeout as delay } from 'node:timers/promises';
import type { HostRun } from '@farjit/compiler';
import test from 'ava';
import { eventually, openJIT } from './jit-fixture.js';

test('texts, bytes and numbers are read wherever a pointer leads: stack, heap, constants, data', async (t) => {
  const { jit } = await openJIT(t);
  const said: string[] = [];
  const sums: number[] = [];
  jit.define({
    log: {
      signature: 'void(ptr, i64)',
      call: async (run, address, length) => void said.push(await run.readString(address, length)),
    },
    say: {
      signature: 'void(ptr)',
      call: async (run, address) => void said.push(await run.readString(address)),
    },
    sum: {
      signature: 'double(ptr, u32)',
      call: async (run, address, count) => {
        const numbers = await run.readArray(Float64Array, address, count);
        sums.push(numbers.length);
        return numbers.reduce((total, number) => total + number, 0);
      },
    },
  });
  await jit.addC(`
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    void log(const char *, long); void say(const char *); double sum(const double *, unsigned);
    static char data[] = "data";
    double f(void) {
      char stack[32];
      snprintf(stack, sizeof stack, "stack %d \\xc3\\xa4", 7);
      char *heap = strdup("heap");
      say(stack); say(heap); say(data); say("constant"); say("");
      log(stack + 1, 4);
      free(heap);
      double *numbers = malloc(300000 * sizeof *numbers);
      for (int i = 0; i < 300000; i++) numbers[i] = i;
      double total = sum(numbers, 300000) + sum(0, 0);
      free(numbers);
      return total;
    }
  `);
  const f = await jit.lookup('f', 'double()');
  t.is(await f(), (299_999 * 300_000) / 2);
  t.deepEqual(said, ['stack 7 ä', 'heap', 'data', 'constant', '', 'tack']);
  t.deepEqual(sums, [300_000, 0]);
  const { callHost, readRunnerMemory } = jit.statistics().roundTrips;
  t.is(callHost, 8);
  // One for each text, and 2,400,000 bytes in pieces of a megabyte.
  t.is(readRunnerMemory, 6 + 3);
});

test('what a function writes is what the program finds', async (t) => {
  const { jit } = await openJIT(t);
  jit.define({
    ask: {
      signature: 'i32(ptr, i64)',
      call: async (run, address, room) => {
        await run.writeString(address, 'Grüße', room);
        return 7;
      },
    },
    fill: {
      signature: 'void(ptr, i32)',
      call: (run, address, count) =>
        run.write(
          address,
          Int32Array.from({ length: count }, (_, index) => index),
        ),
    },
  });
  await jit.addC(`
    #include <string.h>
    #include <stdlib.h>
    int ask(char *, long); void fill(int *, int);
    static int numbers[1000];
    int f(void) {
      char stack[8];
      if (ask(stack, sizeof stack) != 7 || strcmp(stack, "Gr\\xc3\\xbc\\xc3\\x9f" "e") != 0) return -1;
      int *heap = malloc(400000 * sizeof *heap);
      fill(heap, 400000);
      fill(numbers, 1000);
      int is_right = heap[399999] == 399999 && heap[1] == 1 && numbers[999] == 999;
      free(heap);
      return is_right;
    }
    int g(void) { char stack[7]; stack[0] = 'x'; ask(stack, sizeof stack); return stack[0]; }
  `);
  t.is(await (await jit.lookup('f', 'i32()'))(), 1);
  const error = await t.throwsAsync((await jit.lookup('g', 'i32()'))(), { code: 'HOST_FUNCTION_FAILED' });
  const message = 'text takes 8 bytes with its NUL, and there is room for 7';
  t.like(error?.cause, { code: 'BAD_ARGUMENT', message });
});

test('memory that is not there, or that the program may not write, is refused, and the program goes on', async (t) => {
  const { jit } = await openJIT(t);
  const codes: string[] = [];
  const attempt = async (work: Promise<unknown>) => {
    const code = await work.then(
      () => 'done',
      (error: { code?: string }) => error.code ?? String(error),
    );
    codes.push(code);
  };
  let look: (run: HostRun, address: bigint) => Promise<void> = async () => {};
  jit.define({
    look: { signature: 'i32(ptr)', call: (run, address) => look(run, address).then(() => 1) },
  });
  await jit.addC(`
    #include <sys/mman.h>
    int look(const void *);
    static const char constant[] = "constant";
    int f(const char *at) { return look(at) + 1; }
    int g(void) { return look(constant) + 1; }
    static char *two_pages(void) {
      return mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    int h(void) {
      char *pages = two_pages();
      munmap(pages + 4096, 4096);
      for (int i = 0; i < 4096; i++) pages[i] = 'x';
      pages[4000] = 0;
      return look(pages + 3990);
    }
    int i(void) {
      char *pages = two_pages();
      mprotect(pages + 4096, 4096, PROT_READ);
      return look(pages);
    }
  `);
  const f = await jit.lookup('f', 'i32(ptr)');
  look = async (run, address) => {
    for (const size of [1, 4096n, 2 ** 20]) await attempt(run.readBytes(address, size));
    await attempt(run.readString(address));
    await attempt(run.write(address, new Uint8Array(1)));
  };
  for (const address of [0n, 8n, 2n ** 47n - 1n, 2n ** 47n, 2n ** 63n, 2n ** 64n - 1n]) {
    codes.length = 0;
    t.is(await f(address), 2);
    t.deepEqual(codes, new Array(5).fill('INVALID_ADDRESS'), `${address}`);
  }
  // Constants and code can be read and not be written, by the function as little as by the program.
  look = async (run, address) => {
    const before = await run.readBytes(address, 8);
    await attempt(run.write(address, Uint8Array.of(1)));
    t.deepEqual(await run.readBytes(address, 8), before);
  };
  codes.length = 0;
  t.is(await (await jit.lookup('g', 'i32()'))(), 2);
  for (const name of ['f', 'strlen', 'strtoul'])
    t.is(await f((await jit.findSymbol(name))?.address ?? 0n), 2);
  t.deepEqual(codes, new Array(4).fill('INVALID_ADDRESS'));
  codes.length = 0;
  look = async (run, address) => {
    t.is(await run.readString(address), 'xxxxxxxxxx');
    await attempt(run.readString(address + 11n));
    await attempt(run.readBytes(address, 4096));
    t.is((await run.readBytes(address, 106)).byteLength, 106);
    await attempt(run.readString(address, undefined, { maxBytes: 10 }));
  };
  t.is(await (await jit.lookup('h', 'i32()'))(), 1);
  t.deepEqual(codes, ['INVALID_ADDRESS', 'INVALID_ADDRESS', 'BAD_ARGUMENT']);
  codes.length = 0;
  look = async (run, address) => {
    await attempt(run.write(address + 4095n, new Uint8Array(2)));
    await attempt(run.write(address + 4095n, new Uint8Array(1)));
    await attempt(run.write(address, new Uint8Array(0)));
    t.is((await run.readBytes(address, 8192)).byteLength, 8192);
  };
  t.is(await (await jit.lookup('i', 'i32()'))(), 1);
  t.deepEqual(codes, ['INVALID_ADDRESS', 'done', 'done']);
});

test('what a program says of a size is not believed, and arguments that are none are refused', async (t) => {
  const { jit } = await openJIT(t);
  const looks: ((run: HostRun, address: bigint) => Promise<unknown>)[] = [
    (run, address) => run.readBytes(address, -1n),
    (run, address) => run.readBytes(address, 2n ** 62n),
    (run, address) => run.readString(address, 2 ** 40),
    (run, address) => run.readString(address, undefined, { maxBytes: 2 ** 40 }),
    (run, address) => run.readArray(Float64Array, address, 2 ** 24),
    (run, address) => run.readArray(Object as never, address, 1),
    (run) => run.readBytes(5 as unknown as bigint, 1),
    (run) => run.readBytes(2n ** 64n, 1),
    (run, address) => run.write(address, 'text' as unknown as Uint8Array),
    (run, address) => run.writeString(address, 5 as unknown as string, 8),
  ];
  jit.define({
    look: {
      signature: 'void(ptr)',
      call: async (run, address) => {
        for (const look of looks)
          await t.throwsAsync(look(run, address), { code: 'BAD_ARGUMENT' }, String(look));
      },
    },
  });
  await jit.addC('void look(void *); void f(void) { char x[8]; look(x); }');
  await t.notThrowsAsync((await jit.lookup('f', 'void()'))());
});

test('when the function has ended, its run is of no more use', async (t) => {
  const { jit } = await openJIT(t);
  const runs: [HostRun, bigint][] = [];
  jit.define({
    now: { signature: 'void(ptr)', call: (run, address) => void runs.push([run, address]) },
    later: {
      signature: 'void(ptr)',
      call: async (run, address) => {
        await delay(1);
        runs.push([run, address]);
      },
    },
    fail: {
      signature: 'void(ptr)',
      call: (run, address) => {
        runs.push([run, address]);
        throw new Error('failed');
      },
    },
  });
  await jit.addC(`
    void now(void *); void later(void *); void fail(void *);
    static char x[8];
    void f(void) { now(x); later(x); fail(x); }
  `);
  await t.throwsAsync((await jit.lookup('f', 'void()'))(), { code: 'HOST_FUNCTION_FAILED' });
  t.is(runs.length, 3);
  const ended = { code: 'HOST_CALL_ENDED', message: /^(now|later|fail) has ended/ };
  for (const [run, address] of runs) {
    await t.throwsAsync(run.readBytes(address, 1), ended);
    await t.throwsAsync(run.write(address, new Uint8Array(1)), ended);
  }
});

test('when its runner has ended, its run says so, whoever has heard of it first', async (t) => {
  const { jit } = await openJIT(t);
  const looks: Promise<void>[] = [];
  jit.define({
    look: {
      signature: 'void(ptr)',
      call: async (run, address) => {
        await t.throwsAsync(run.call(trap, []), { code: 'RUNNER_LOST' });
        const ended = { code: 'HOST_CALL_ENDED', message: /^nobody waits for look any more/ };
        const seen = [
          t.throwsAsync(run.readBytes(address, 1), ended),
          t.throwsAsync(run.readString(address), ended),
          t.throwsAsync(run.write(address, new Uint8Array(1)), ended),
        ];
        looks.push(...seen.map((look) => look.then(() => {})));
        await Promise.all(seen);
        looks.push(t.throwsAsync(run.readBytes(address, 1), ended).then(() => {}));
      },
    },
  });
  await jit.addC(`
    void look(void *);
    void f(void) { char x[8]; look(x); }
    void trap(void) { __builtin_trap(); }
  `);
  const trap = await jit.lookup('trap', 'void()');
  await t.throwsAsync((await jit.lookup('f', 'void()'))(), { code: 'EXECUTION_TRAP' });
  await eventually(() => looks.length === 4, 'all have been tried');
  await Promise.all(looks);
});
