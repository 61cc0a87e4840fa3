import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExecutorPoolOptions, JITPool } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { archiveOf } from './archive-of.js';
import { kill, startExecutor } from './executor-process.js';
import { eventually } from './jit-fixture.js';
import { doubles } from './pool-fixture.js';

/** Adds `base`, which is 0 before its constructor has run, and says when that and the destructor run. */
const SOURCE = `#include <stdio.h>
  static double base;
  __attribute__((constructor)) static void up(void) { base += 10; puts("up"); }
  __attribute__((destructor)) static void down(void) { puts("down"); }
  double above(double x) { return base + x; }
  double fall(double x) { __builtin_trap(); return x; }`;

/** Executors that have the C++ library, and a pool of them. */
async function open(t: ExecutionContext, count: number, options: ExecutorPoolOptions = {}) {
  const start = () => startExecutor(t, undefined, ['--preload=libstdc++.so.6']);
  const executors = await Promise.all(Array.from({ length: count }, start));
  const printed = new Map<string, string>();
  const pool = await JITPool.connect(
    executors.map(({ url }) => url),
    {
      speculate: 'off',
      onOutput: (_stream, content, url) => {
        printed.set(url, (printed.get(url) ?? '') + Buffer.from(content).toString());
      },
      ...options,
    },
  );
  t.teardown(() => pool.close());
  return { pool, executors, printed, start };
}

const data = doubles(4000);
const above = data.map((x) => 10 + x);

test('each executor of a pool runs initialisers once before its first work, one that joins later too, and finalisers at the end', async (t) => {
  const { pool, executors, printed, start } = await open(t, 2);
  await pool.addC(SOURCE, { name: 'above.c' });
  t.is(printed.size, 0);
  // Each executor has two chunks at a time.
  t.deepEqual(await pool.map('above', data, { chunk: 100 }), above);
  const later = await start();
  await pool.add(later.url);
  t.deepEqual(await pool.map('above', data, { chunk: 100 }), above);
  t.true(pool.executors.every(({ chunks }) => chunks > 0));
  const urls = [...executors, later].map(({ url }) => url);
  t.deepEqual(
    urls.map((url) => printed.get(url)),
    ['up\n', 'up\n', 'up\n'],
  );
  await pool.remove(later.url);
  t.is(printed.get(later.url), 'up\ndown\n');
  await pool.close();
  t.deepEqual(
    urls.map((url) => printed.get(url)),
    ['up\ndown\n', 'up\ndown\n', 'up\ndown\n'],
  );
});

test('in the next runner of an executor, and in an executor that is there again, they run anew', async (t) => {
  const { pool, executors, printed } = await open(t, 1);
  await pool.addC(SOURCE, { name: 'above.c' });
  const [call, fall] = [await pool.lookup('above'), await pool.lookup('fall')];
  t.is(await call(1), 11);
  await t.throwsAsync(fall(1), { code: 'EXECUTION_TRAP' });
  t.is(await call(2), 12);
  t.deepEqual(await pool.map('above', data, { chunk: 100 }), above);
  const [first] = executors;
  if (!first) return t.fail('there is no executor');
  t.is(printed.get(first.url), 'up\nup\n');
  await kill(first.child);
  const again = await startExecutor(t, first.url, ['--preload=libstdc++.so.6']);
  t.is(again.url, first.url);
  t.is(await call(3), 13);
  t.is(printed.get(first.url), 'up\nup\nup\n');
  // What is lost has nothing to be ended.
  await kill(again.child);
  await t.notThrowsAsync(pool.close());
});

test('what is added later is initialised by itself, and what is initialised is removed from all executors or from none', async (t) => {
  const { pool, executors, printed } = await open(t, 2);
  const source = (name: string) => `#include <stdio.h>
    __attribute__((constructor)) static void up(void) { puts("${name} up"); }
    __attribute__((destructor)) static void down(void) { puts("${name} down"); }
    double ${name}(double x) { return x; }`;
  const a = await pool.addC(source('a'), { name: 'a.c' });
  const b = await pool.addC(source('b'), { name: 'b.c' });
  await pool.map('a', data, { chunk: 100 });
  t.throws(() => a.remove(), { code: 'INITIALIZED' });
  t.deepEqual(await pool.map('a', data, { chunk: 100 }), data);
  await pool.deinitialize();
  a.remove();
  await t.throwsAsync(pool.map('a', data), { code: 'SYMBOLS_NOT_FOUND' });
  await pool.addC(source('c'), { name: 'c.c' });
  await pool.map('c', data, { chunk: 100 });
  t.throws(() => b.checkRemovable(), { code: 'INITIALIZED' });
  const said = 'a up\nb up\nb down\na down\nb up\nc up\n';
  t.deepEqual(
    executors.map(({ url }) => printed.get(url)),
    [said, said],
  );
});

test('a constructor that traps fails what was to be done, which names it, and a finaliser that does fails closing', async (t) => {
  const { pool } = await open(t, 2);
  const bad = await pool.addC(
    `static void fall(void) { __builtin_trap(); }
    __attribute__((constructor)) void begin(void) { fall(); }
    double same(double x) { return x; }`,
    { name: 'bad.c' },
  );
  await t.throwsAsync(pool.map('same', data, { chunk: 100 }), {
    code: 'MAP_FAILED',
    message: /^same failed in chunk \d+ .*cannot initialise main: begin: /,
  });
  await t.throwsAsync(pool.lookup('same'), { code: 'INITIALIZATION_FAILED' });
  bad.remove();
  await pool.addC(
    '__attribute__((destructor)) void end(void) { __builtin_trap(); } double last(double x) { return x; }',
    { name: 'end.c' },
  );
  t.is(await (await pool.lookup('last'))(1), 1);
  await t.throwsAsync(pool.close(), {
    code: 'INITIALIZATION_FAILED',
    message: /^cannot deinitialise main: end: /,
  });
});

test('objects of C++, thread-local ones, and members of archives are constructed in every executor', async (t) => {
  const { pool, executors, printed } = await open(t, 2);
  const member = `__attribute__((constructor)) static void up(void) { extern double offset; offset = 1; }
    double offset; double shifted(double x) { return x + offset; }`;
  const archive = archiveOf(t, { 'shifted.o': compile(member, ['-O1', '-fPIC', '-ffunction-sections']) });
  await pool.addArchive(archive, { name: 'libshifted.a' });
  await pool.addC(
    `#include <iostream>
    #include <vector>
    extern "C" double shifted(double);
    static std::vector<double> powers{1, 2, 4};
    struct Counter { double count = 100; ~Counter() { std::cout << "counted " << (count > 100) << std::endl; } };
    static Counter counter;
    thread_local double started = powers.at(2);
    extern "C" double sum(double x) { counter.count++; return shifted(x) + powers[1] + started; }`,
    { name: 'sum.cpp', language: 'c++' },
  );
  t.deepEqual(
    await pool.map('sum', data, { chunk: 100 }),
    data.map((x) => x + 7),
  );
  await pool.close();
  t.deepEqual(
    executors.map(({ url }) => printed.get(url)),
    ['counted 1\n', 'counted 1\n'],
  );
});

test('an executor that is lost while it has work to do costs no initialiser elsewhere', async (t) => {
  const { pool, executors, printed } = await open(t, 2);
  await pool.addC(
    `#include <unistd.h>
    ${SOURCE}
    double slow(double x) { usleep(2000); return above(x); }`,
    { name: 'slow.c' },
  );
  const [first, second] = executors;
  if (!first || !second) return t.fail('there are no executors');
  const few = data.subarray(0, 400);
  const mapped = pool.map('slow', few, { chunk: 20 });
  await eventually(() => pool.executors.every(({ chunks }) => chunks > 0), 'both have done something');
  await kill(first.child);
  t.deepEqual(await mapped, above.subarray(0, 400));
  t.is(printed.get(second.url), 'up\n');
});

test('what clang has made of a source is kept for pools as for a JIT', async (t) => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-pool-cache-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true, force: true }));
  const hitsOf = async (source: string) => {
    const { pool } = await open(t, 1, { cacheDir });
    await pool.addC(source, { name: 'three.cpp', language: 'c++' });
    const hits = pool.statistics()?.cacheDiskHits;
    t.is(await (await pool.lookup('three'))(1), 3);
    await pool.close();
    return hits;
  };
  const source = '#include <vector>\nextern "C" double three(double x) { return 3 * x; }';
  t.is(await hitsOf(source), 0);
  t.is(await hitsOf(source), 1);
  t.is(await hitsOf(source.replace('3 * x', 'x + 2')), 0);
});
