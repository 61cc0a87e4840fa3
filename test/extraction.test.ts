import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionEvent } from '@farjit/compiler';
import { CodegenPool } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { openJIT } from './jit-fixture.js';

/** Functions that share what only they can name: data, a literal, a table of functions, each other. */
const PROGRAM = `
@shared = internal global i32 40
@text = private unnamed_addr constant [3 x i8] c"ab\\00"
@table = internal constant [2 x i32 (i32)*] [i32 (i32)* @twice, i32 (i32)* @chosen]
@seen = global i32 0
define internal i32 @twice(i32 %x) { %y = mul i32 %x, 2 ret i32 %y }
define internal i32 @chosen(i32 %x) {
  switch i32 %x, label %other [ i32 0, label %a
                                i32 1, label %b
                                i32 2, label %c
                                i32 3, label %d
                                i32 4, label %e ]
a: %ra = call i32 @twice(i32 11) ret i32 %ra
b: %rb = call i32 @next() ret i32 %rb
c: ret i32 33
d: ret i32 %x
e: store i32 7, i32* @seen ret i32 5
other: ret i32 -1
}
define i32 @next() {
  %a = load i32, i32* @shared
  %b = add i32 %a, 1
  store i32 %b, i32* @shared
  ret i32 %b
}
define i32 @by_table(i32 %which, i32 %x) {
  %p = getelementptr [2 x i32 (i32)*], [2 x i32 (i32)*]* @table, i32 0, i32 %which
  %f = load i32 (i32)*, i32 (i32)** %p
  %r = call i32 %f(i32 %x)
  ret i32 %r
}
define i32 @is_twice(i32 %which) {
  %p = getelementptr [2 x i32 (i32)*], [2 x i32 (i32)*]* @table, i32 0, i32 %which
  %f = load i32 (i32)*, i32 (i32)** %p
  %is = icmp eq i32 (i32)* %f, @twice
  %r = zext i1 %is to i32
  ret i32 %r
}
define i8* @one() { ret i8* getelementptr ([3 x i8], [3 x i8]* @text, i32 0, i32 0) }
define i8* @other() { ret i8* getelementptr ([3 x i8], [3 x i8]* @text, i32 0, i32 0) }
define internal i32 @factorial(i32 %n) {
  %small = icmp slt i32 %n, 2
  br i1 %small, label %done, label %more
more:
  %m = sub i32 %n, 1
  %f = call i32 @factorial(i32 %m)
  %r = mul i32 %f, %n
  ret i32 %r
done: ret i32 1
}
declare void @abort()
define void @die() { call void @abort() ret void }
define i32 @fact(i32 %n) { %r = call i32 @factorial(i32 %n) ret i32 %r }`;

async function openPieces(t: ExecutionContext, options: Parameters<typeof openJIT>[1] = {}) {
  const pieces: (readonly string[] | undefined)[] = [];
  const onEvent = (event: SessionEvent) => {
    if (event.type === 'compiled' && event.kind === 'piece') pieces.push(event.functions?.toSorted());
  };
  const { jit } = await openJIT(t, { extraction: 'on', speculate: 'off', onEvent, ...options });
  await jit.addIR(PROGRAM, { name: 'program.ll' });
  return { jit, pieces };
}

for (const optLevel of [0, 1, 2] as const)
  test(`pieces of a module share all that only it can name: -O${optLevel}`, async (t) => {
    const { jit } = await openPieces(t, { optLevel });
    const [next, byTable, isTwice, one, other, fact] = await Promise.all([
      jit.lookup('next', 'i32()'),
      jit.lookup('by_table', 'i32(i32, i32)'),
      jit.lookup('is_twice', 'i32(i32)'),
      jit.lookup('one', 'i64()'),
      jit.lookup('other', 'i64()'),
      jit.lookup('fact', 'i32(i32)'),
    ]);
    t.is(await next(), 41);
    t.is(await byTable(1, 1), 42);
    t.deepEqual(
      [await byTable(0, 8), await byTable(1, 0), await byTable(1, 2), await byTable(1, 9)],
      [16, 22, 33, -1],
    );
    t.is(await byTable(1, 4), 5);
    t.deepEqual([await isTwice(0), await isTwice(1)], [1, 0]);
    t.is(await one(), await other());
    t.is(await fact(6), 720);
    t.is(await next(), 43);
    const { modulesCompiled, piecesCompiled } = jit.statistics();
    t.deepEqual([modulesCompiled, piecesCompiled > 3], [0, true]);
  });

test('of a module that is compiled in pieces only what is called is compiled', async (t) => {
  const { jit, pieces } = await openPieces(t);
  const fact = await jit.lookup('fact', 'i32(i32)');
  t.is(await fact(5), 120);
  t.deepEqual(pieces, [['fact'], ['factorial']]);
  const one = await jit.lookup('one', 'i64()');
  await one();
  t.deepEqual(pieces.slice(2), [['one'], []]);
});

/** Calls all functions of the program, those last that others call. */
async function callAll(t: ExecutionContext, { jit }: Awaited<ReturnType<typeof openPieces>>) {
  const fact = await jit.lookup('fact', 'i32(i32)');
  t.is(await fact(5), 120);
  const [byTable, isTwice] = [
    await jit.lookup('by_table', 'i32(i32, i32)'),
    await jit.lookup('is_twice', 'i32(i32)'),
  ];
  t.deepEqual([await byTable(0, 8), await byTable(1, 0), await byTable(1, 1)], [16, 22, 41]);
  t.deepEqual([await isTwice(0), await isTwice(1)], [1, 0]);
  const [one, other] = [await jit.lookup('one', 'i64()'), await jit.lookup('other', 'i64()')];
  t.is(await one(), await other());
  const next = await jit.lookup('next', 'i32()');
  t.is(await next(), 42);
}

for (const optLevel of [0, 1] as const)
  test(`pieces come with what their functions call, and others ahead with what follows: -O${optLevel}`, async (t) => {
    const program = await openPieces(t, { optLevel, speculate: 'auto' });
    await callAll(t, program);
    // `die` is the only one that nobody has called.
    const made = program.pieces.flat().sort();
    t.deepEqual(
      made.filter((name) => name !== 'die'),
      ['by_table', 'chosen', 'fact', 'factorial', 'is_twice', 'next', 'one', 'other', 'twice'],
    );
    t.true(program.pieces.length <= 4, JSON.stringify(program.pieces));
  });

test('a guess over which LLVM fails costs a second try, and there are no more of them', async (t) => {
  const tried: number[] = [];
  class FaultyPool extends CodegenPool {
    override async compile(input: Parameters<CodegenPool['compile']>[0]) {
      if (input.piece?.kind !== 'functions') return super.compile(input);
      const isGuess = input.piece.most > 1 || input.piece.asked.length > 1;
      if (isGuess) throw new Error('LLVM gave up');
      tried.push(input.piece.asked.length);
      return super.compile(input);
    }
  }
  const codegen = new FaultyPool();
  t.teardown(() => codegen.stop());
  const program = await openPieces(t, { codegen, speculate: 'auto' });
  await callAll(t, program);
  t.deepEqual(tried, Array(9).fill(1));
  t.is(program.pieces.flat().length, 9);
});

test('what a module is asked for at once is compiled once', async (t) => {
  const { jit, pieces } = await openPieces(t);
  const next = await jit.lookup('next', 'i32()');
  const sums = await Promise.all([next(), next(), next()]);
  t.deepEqual(sums.toSorted(), [41, 42, 43]);
  t.deepEqual(
    pieces.filter((functions) => functions?.includes('next')),
    [['next']],
  );
});

test('another session finds the pieces that one has kept, and compiles what they lack', async (t) => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true }));
  for (const isFirst of [true, false]) {
    const { jit, pieces } = await openPieces(t, { cacheDir });
    const byTable = await jit.lookup('by_table', 'i32(i32, i32)');
    t.deepEqual([await byTable(1, 1), await byTable(1, 0), await byTable(1, 2)], [41, 22, 33]);
    if (isFirst) t.true(pieces.length > 0);
    else {
      t.deepEqual(pieces, []);
      const fact = await jit.lookup('fact', 'i32(i32)');
      t.is(await fact(4), 24);
      t.deepEqual(pieces, [['fact'], ['factorial']]);
    }
    await jit.close();
  }
});

test('a module that is compiled in pieces is removed, and is linked again in a new runner', async (t) => {
  const { jit } = await openJIT(t, { extraction: 'on' });
  const tracker = await jit.addIR(PROGRAM, { name: 'program.ll' });
  const next = await jit.lookup('next', 'i32()');
  t.is(await next(), 41);
  const die = await jit.lookup('die', 'void()');
  await t.throwsAsync(die());
  const again = await jit.lookup('next', 'i32()');
  t.is(await again(), 41);
  tracker.remove();
  await t.throwsAsync(jit.lookup('next', 'i32()'));
  await jit.addIR(PROGRAM, { name: 'program.ll' });
  t.is(await (await jit.lookup('next', 'i32()'))(), 41);
});

test('small modules and those that pieces are not for are compiled as a whole', async (t) => {
  for (const [extraction, ir] of [
    ['auto', PROGRAM],
    ['off', PROGRAM],
    ['on', `${PROGRAM}\nmodule asm "nop"`],
  ] as const) {
    const { jit } = await openJIT(t, { extraction });
    await jit.addIR(ir, { name: 'program.ll' });
    t.is(await (await jit.lookup('fact', 'i32(i32)'))(4), 24);
    const { modulesCompiled, piecesCompiled } = jit.statistics();
    t.deepEqual([modulesCompiled, piecesCompiled], [1, 0]);
  }
});

test('a large module is compiled in pieces at levels whose passes look at one function at a time, unless all of it is asked for', async (t) => {
  const large = `${PROGRAM}\n@ballast = constant [300000 x i8] c"${'\\F0'.repeat(300_000)}"`;
  for (const [options, isWhole] of [
    [{}, false],
    [{ optLevel: 0 }, false],
    [{ optLevel: 1 }, false],
    [{ optLevel: 2 }, true],
    [{ optLevel: 2, extraction: 'on' }, false],
    [{ extraction: 'off' }, true],
    [{ transforms: [(bitcode: Uint8Array) => bitcode] }, true],
  ] as const) {
    const { jit } = await openJIT(t, options);
    await jit.addIR(large, { name: 'program.ll' });
    t.is(await (await jit.lookup('fact', 'i32(i32)'))(4), 24);
    const { modulesCompiled, piecesCompiled } = jit.statistics();
    t.deepEqual([modulesCompiled, piecesCompiled > 0], [isWhole ? 1 : 0, !isWhole], JSON.stringify(options));
    await jit.close();
  }
});
