import { LinkError, MaterializationError, OutOfExecutorMemoryError } from '@farjit/compiler';
import test from 'ava';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

const MIB = 1024 * 1024;

test('hundreds of functions removed and added in one go fit into no single message, and all work', async (t) => {
  const { jit } = await openJIT(t, { optLevel: 0, speculate: 'off' });
  const count = 300;
  const text = (offset: number) =>
    Array.from(
      { length: count },
      (_, i) => `def f${i}(x) ${i === 0 ? 'x' : `f${i - 1}(x)`} + ${offset};`,
    ).join('\n');
  const add = (offset: number) =>
    jit.parse(text(offset)).map((item) => {
      if (item.kind !== 'definition') throw new Error('only definitions');
      return jit.addFunctionAST(item.function);
    });
  for (let round = 1; round <= 3; round++) {
    const trackers = add(round);
    t.deepEqual(await evaluateAll(jit, `f${count - 1}(0.5);`), [0.5 + count * round]);
    // All of them have unwind tables that the runner knows: more to take back than one message carries.
    for (const tracker of trackers) tracker.remove();
  }
  await evaluateAll(jit, '1;');
  await jit.flush();
  t.deepEqual(await jit.stubs(), []);
  t.is(jit.runner.generation, 1);
  // Linking needed no message of its own but those.
  const { commitMemory = 0 } = jit.statistics().roundTrips;
  t.true(commitMemory < 12, `${commitMemory} commits`);
});

test('hundreds of expressions linked at once are all right', async (t) => {
  const { jit } = await openJIT(t, { optLevel: 0 });
  await jit.addSource('def f(x) x * 2;');
  const values = await Promise.all(Array.from({ length: 300 }, (_, i) => evaluateAll(jit, `f(${i}) + 0.5;`)));
  t.deepEqual(
    values.flat(),
    Array.from({ length: 300 }, (_, i) => 2 * i + 0.5),
  );
});

test('data that the executor has no room for is a clear error, and the session goes on', async (t) => {
  const { jit } = await openJIT(t);
  const module = (name: string, sizeBytes: number) =>
    jit.addModule(
      parseAssembly(`
@${name}Bytes = global [${sizeBytes} x i8] zeroinitializer
define i32 @${name}() {
  %p = getelementptr [${sizeBytes} x i8], [${sizeBytes} x i8]* @${name}Bytes, i64 0, i64 ${sizeBytes - 1}
  store volatile i8 7, i8* %p
  %v = load volatile i8, i8* %p
  %r = zext i8 %v to i32
  ret i32 %r
}`),
    );
  const tooBig = await module('tooBig', 200 * MIB);
  const error = await t.throwsAsync((await jit.lookup('tooBig'))(), { instanceOf: MaterializationError });
  t.true(error.cause instanceof OutOfExecutorMemoryError);
  t.regex(error.message, /no \d+ bytes of data memory left in the executor; remove modules/);
  await t.throwsAsync(jit.findSymbol('tooBigBytes'), { instanceOf: OutOfExecutorMemoryError });

  const first = await module('first', 64 * MIB);
  t.is(await (await jit.lookup('first'))(), 7);
  await module('second', 64 * MIB);
  const second = await jit.lookup('second');
  await t.throwsAsync(second(), {
    instanceOf: MaterializationError,
    message: /no \d+ bytes of data memory left/,
  });
  // Room is made, and it is used.
  first.remove();
  tooBig.remove();
  t.is(await second(), 7);
  t.deepEqual(await evaluateAll(jit, '1 + 2;'), [3]);
  t.is(jit.runner.generation, 1);
  t.deepEqual((await jit.executorStatus()).blocked, []);
});

test('data larger than a message is written in pieces, every byte of it', async (t) => {
  const { jit } = await openJIT(t, { optLevel: 0 });
  const sizeBytes = 20 * MIB + 3;
  const text = 'abcdefghijklmnopqrstuvwxyzA'.repeat(Math.ceil(sizeBytes / 27)).slice(0, sizeBytes);
  await jit.addModule(
    parseAssembly(`
@blob = global [${sizeBytes} x i8] c"${text}"
define i64 @sum() {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %total = phi i64 [ 0, %entry ], [ %sum, %loop ]
  %p = getelementptr [${sizeBytes} x i8], [${sizeBytes} x i8]* @blob, i64 0, i64 %i
  %c = load i8, i8* %p
  %wide = zext i8 %c to i64
  %weight = and i64 %i, 1023
  %weighed = mul i64 %wide, %weight
  %sum = add i64 %total, %weighed
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, ${sizeBytes}
  br i1 %more, label %loop, label %out
out:
  ret i64 %sum
}`),
  );
  const bytes = Buffer.from(text);
  let expected = 0;
  for (let i = 0; i < sizeBytes; i++) expected += (bytes[i] ?? 0) * (i & 1023);
  t.is(await (await jit.lookup('sum'))(), BigInt(expected));
  t.is(jit.runner.generation, 1);
});

test('a name that no symbol has is not found, and one that none can have is refused', async (t) => {
  const { jit } = await openJIT(t);
  t.is(await jit.findSymbol('x'.repeat(10_000)), undefined);
  for (const name of ['', 'a\0b']) {
    await t.throwsAsync(jit.findSymbol(name), { code: 'BAD_ARGUMENT' });
    await t.throwsAsync(jit.lookup(name), { code: 'BAD_ARGUMENT' });
  }
});

test('a group whose last member is missing a name leaves nothing behind', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
@table = external global [2 x i8*]
define i8* @first() {
  %p = getelementptr [2 x i8*], [2 x i8*]* @table, i64 0, i64 0
  %v = load i8*, i8** %p
  ret i8* %v
}`),
  );
  await jit.addModule(
    parseAssembly(`
@missing = external global i8
@other = global i8* @missing
@table = global [2 x i8*] [i8* bitcast (i8** @other to i8*), i8* null]`),
  );
  const first = await jit.lookup('first');
  const error = await t.throwsAsync(first(), { instanceOf: MaterializationError });
  t.true(error.cause instanceof LinkError);
  if (error.cause instanceof LinkError) t.deepEqual(error.cause.details.names, ['missing']);
  await jit.addModule(parseAssembly('@missing = global i8 3'));
  t.not(await first(), 0n);
  t.is(jit.runner.generation, 1);
});
