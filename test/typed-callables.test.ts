import { ArgumentError, type JIT } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { openJIT } from './jit-fixture.js';

// The compiler looks at what is given and what comes back; where it expects an error, calling is one.

async function withC(t: ExecutionContext): Promise<JIT> {
  const { jit } = await openJIT(t);
  await jit.addC(
    `struct point { double x; long n; };
     int add(int a, int b) { return a + b; }
     unsigned long wide(unsigned long x) { return x + 1; }
     char *same(char *p) { return p; }
     void one(unsigned char *p) { *p = 1; }
     struct point next(struct point p) { return (struct point){p.x + 1, p.n + 1}; }`,
    { name: 'typed.c' },
  );
  return jit;
}

test('a callable takes and gives what the words of its signature say', async (t) => {
  const jit = await withC(t);
  const add: (a: number, b: number) => Promise<number> = await jit.lookup('add', 'i32(i32, i32)');
  const sum: number = await add(1, 2);
  t.is(sum, 3);
  const wide = await jit.lookup('wide', 'u64(u64)');
  const results: bigint[] = [await wide(1), await wide.call([2n], { deadlineMs: 60_000 })];
  t.deepEqual(results, [2n, 3n]);
  const same = await jit.lookup('same', 'ptr(ptr)');
  const addresses: bigint[] = [
    await same(null),
    await same(7n),
    await same('text'),
    await same(new Uint8Array(1)),
  ];
  t.deepEqual(addresses.slice(0, 2), [0n, 7n]);
  const one = await jit.lookup('one', 'void(inout ptr)');
  const bytes = new Uint8Array(1);
  const nothing: undefined = await one(bytes);
  t.is(nothing, undefined);
  t.is(bytes[0], 1);
  const next = await jit.lookup('next', '{double, i64}({double, i64})');
  const [x, n]: readonly [number, bigint] = await next([0.5, 1]);
  t.deepEqual([x, n], [1.5, 2n]);
});

test('a call that the types refuse is refused when it is made, too', async (t) => {
  const jit = await withC(t);
  const refused = { instanceOf: ArgumentError };
  const add = await jit.lookup('add', 'i32(i32, i32)');
  // @ts-expect-error
  await t.throwsAsync(add(1), refused);
  // @ts-expect-error
  await t.throwsAsync(add(1, '2'), refused);
  // @ts-expect-error
  await t.throwsAsync(add.call([1], {}), refused);
  const one = await jit.lookup('one', 'void(inout ptr)');
  // @ts-expect-error
  await t.throwsAsync(one('text'), refused);
  const next = await jit.lookup('next', '{double, i64}({double, i64})');
  // @ts-expect-error
  await t.throwsAsync(next([1]), refused);
});

test('words that are known only when the program runs leave types open', async (t) => {
  const jit = await withC(t);
  const words: string = 'i32(i32, i32)';
  const add = await jit.lookup('add', words);
  const sum = await add(1n, 2);
  // @ts-expect-error
  const number: number = sum;
  t.is(number, 3);
});
