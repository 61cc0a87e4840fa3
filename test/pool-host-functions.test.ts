import { JIT, JITPool } from '@farjit/compiler';
import test from 'ava';
import { kill, startExecutor, startExecutors } from './executor-process.js';
import { startVersion2Executor } from './frozen-protocol.js';
import { eventually } from './jit-fixture.js';
import { countingCodegen, doubles, openPool } from './pool-fixture.js';

test('a function in JavaScript is the compiler’s on all executors, now and later, and compiled once', async (t) => {
  const executors = await startExecutors(t, 2);
  const codegen = countingCodegen(t);
  const pool = await JITPool.connect(
    executors.map(({ url }) => url),
    { codegen, speculate: 'off' },
  );
  t.teardown(() => pool.close());
  let count = 0;
  const tracker = pool.define({
    next: {
      signature: 'double(double)',
      call: async (_run, x) => {
        count++;
        return x + 1;
      },
    },
  });
  t.deepEqual(tracker.names, ['next']);
  await pool.addC('double next(double); double f(double x) { return next(x) / 2; }');
  const later = await startExecutor(t);
  await pool.add(later.url);
  const f = await pool.lookup('f');
  const next = await pool.lookup('next');
  t.deepEqual(
    await Promise.all(Array.from({ length: 60 }, (_, i) => f(i))),
    Array.from({ length: 60 }, (_, i) => (i + 1) / 2),
  );
  t.is(await next(1), 2);
  t.is(count, 61);
  t.is(codegen.compiled.filter((name) => name.startsWith('call of next')).length, 1);
  t.true(pool.executors.every(({ statistics }) => (statistics?.roundTrips.callHost ?? 0) > 0));
  tracker.remove();
  await t.throwsAsync(f(1), { code: 'MATERIALIZATION_FAILED' });
});

test('map refuses where a function in JavaScript could be called again, unless that is allowed', async (t) => {
  const executors = await startExecutors(t, 2);
  const pool = await JITPool.connect(
    executors.map(({ url }) => url),
    { speculate: 'off' },
  );
  t.teardown(() => pool.close());
  const heard = new Set<number>();
  const tracker = pool.define({
    note: {
      signature: 'double(double)',
      call: (_run, x) => {
        heard.add(x);
        return 2 * x;
      },
    },
  });
  await pool.addC(
    'double note(double); double f(double x) { return note(x); } double g(double x) { return x + 1; }',
  );
  const data = doubles(400);
  const refused = { code: 'BAD_ARGUMENT', message: /^f may call note, a function in JavaScript, and again/ };
  await t.throwsAsync(pool.map('f', data), refused);
  for await (const result of pool.map('f', [data]))
    t.like(result, { chunk: 0, status: 'rejected', reason: { code: 'BAD_ARGUMENT' } });
  t.is(heard.size, 0);
  const allowed = { chunk: 20, callsJavaScript: true };
  const mapping = pool.map('f', data, allowed);
  await eventually(() => heard.size > 50, 'chunks are under way');
  const [first] = executors;
  if (first) await kill(first.child);
  t.deepEqual(
    await mapping,
    data.map((x) => 2 * x),
  );
  t.is(heard.size, 400);
  tracker.remove();
  t.deepEqual(
    await pool.map('g', data),
    data.map((x) => x + 1),
  );
});

/** A pool that finds an executor of an earlier release at a URL. */
class MixedPool extends JITPool {
  static async withEarlier(urls: readonly string[], earlierUrl: string): Promise<MixedPool> {
    const pool = new MixedPool({ speculate: 'off' }, async ({ executor, ...options }) => {
      const isEarlier = typeof executor === 'object' && 'url' in executor && executor.url === earlierUrl;
      return JIT.create({
        ...options,
        ...(isEarlier ? { executor: startVersion2Executor().transport } : executor && { executor }),
      });
    });
    return pool.open(urls);
  }
}

test('an executor of an earlier release is told of by name, and is not used as long as there are some', async (t) => {
  const { url } = await startExecutor(t);
  const earlierUrl = 'ws://127.0.0.1:9';
  const pool = await MixedPool.withEarlier([url], earlierUrl);
  t.teardown(() => pool.close());
  const earlier = () => pool.executors.find((executor) => executor.url === earlierUrl);
  const functions = { note: { signature: 'double(double)', call: (_run: unknown, x: number) => x + 1 } };
  await pool.add(earlierUrl);
  await eventually(() => earlier()?.state === 'connected', 'it is used');
  const refusal = {
    code: 'FEATURE_MISSING',
    message:
      /^note is not defined: the executor \(farjit-executor [\d.]+\) is of a release that calls no functions in JavaScript$/,
  };
  t.throws(() => pool.define(functions), refusal);
  // None has been told, so that it may be defined by others.
  const own = await pool.addC(
    'double note(double x) { return x + 2; } double f(double x) { return note(x); }',
  );
  const f = await pool.lookup('f');
  t.deepEqual(await Promise.all([f(1), f(2), f(3)]), [3, 4, 5]);
  own.remove();
  await pool.remove(earlierUrl);
  const tracker = pool.define(functions);
  await pool.addC('double note(double); double f(double x) { return note(x); }');
  await pool.add(earlierUrl);
  const { code, message } = refusal;
  await eventually(() => earlier()?.error !== undefined, 'it is refused');
  t.like(earlier(), { state: 'connecting', error: { code }, sessionCount: 1 });
  t.regex(earlier()?.error?.message ?? '', message);
  t.deepEqual(
    await Promise.all(Array.from({ length: 20 }, (_, i) => f(i))),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  // When there are none any more, it is tried again.
  tracker.remove();
  await eventually(() => earlier()?.state === 'connected', 'it is used again');
});

test('map takes a function that reaches none, and names the one that it reaches', async (t) => {
  const { url } = await startExecutor(t);
  const pool = await openPool(t, [url]);
  const data = doubles(8);
  const maps = async (name: string) =>
    t.deepEqual(
      await pool.map(name, data),
      data.map((x) => x + 1),
    );
  const refuses = async (name: string, reached: string) =>
    t.throwsAsync(pool.map(name, data), {
      code: 'BAD_ARGUMENT',
      message: new RegExp(`^${name} may call ${reached}, a function in JavaScript`),
    });
  const signature = 'double(double)';
  const plus = (_run: unknown, x: number) => x + 1;
  pool.define({ note: { signature, call: plus }, other: { signature, call: plus } });
  await pool.addSource(`
    extern sqrt(x);
    def same(x) x + 1 + 0 * outer(x) + 0 * sqrt(x * x);
    def outer(x) if 1000 < x then same(x - 1000) else x;
    def deep(x) if x < 1 then x else deep(x - 1) + last(x);
    def last(x) other(x);
    def unary ~ (x) note(x);
    def operator(x) ~x;
  `);
  await refuses('note', 'note');
  await refuses('deep', 'other');
  await refuses('operator', 'note');
  await maps('same');
  // What is in C, and refers to none of them.
  const plain = await pool.addC('double one(double x) { return x + 1; } double (*kept)(double);');
  await pool.addSource('def byC(x) one(x);');
  await maps('one');
  await maps('byC');
  // It may be called through what the other has kept.
  const keeper = await pool.addC(
    'double note(double); extern double (*kept)(double); void keep(void) { kept = note; }',
  );
  await refuses('one', 'note');
  await refuses('byC', 'note');
  await maps('same');
  keeper.remove();
  await maps('byC');
  // By a function of Kaleidoscope, whose address C has; weakly; by assembly, of which it is not known.
  const weak = '__attribute__((weak)) double other(double);';
  for (const [source, reached] of [
    ['double last(double); double by(double x) { return last(x); }', 'other'],
    [`${weak} double by(double x) { return other ? other(x) : x; }`, 'other'],
    ['__asm__(".globl by\\nby: jmp other"); double by(double);', 'note'],
  ] as const) {
    const tracker = await pool.addC(source);
    await refuses('one', reached);
    tracker.remove();
  }
  await maps('one');
  plain.remove();
  // Redefined, it is asked anew.
  await pool.addSource('def last(x) 0; def deep(x) last(x) + x + 1;');
  await maps('deep');
});

test('a Kaleidoscope pool has them too, and its expressions that reach one run in order', async (t) => {
  const executors = await startExecutors(t, 2);
  const pool = await openPool(
    t,
    executors.map(({ url }) => url),
  );
  const order: number[] = [];
  pool.define({ note: { signature: 'double(double)', call: async (_run, x) => order.push(x) } });
  const text = Array.from({ length: 20 }, (_, i) => `note(${i});`).join(' ');
  const results = await pool.addSource(text);
  t.deepEqual(
    order,
    Array.from({ length: 20 }, (_, i) => i),
  );
  t.deepEqual(
    results,
    order.map((i) => ({ status: 'fulfilled', value: i + 1 })),
  );
});
