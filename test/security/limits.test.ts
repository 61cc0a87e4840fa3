import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ExecutionTrapError,
  type KaleidoscopeJIT,
  type KaleidoscopeJITOptions,
  RunnerLostError,
} from '@farjit/compiler';
import type { Limit } from '@farjit/protocol/limits';
import test, { type ExecutionContext } from 'ava';
import { parseAssembly } from '../ir-module.js';
import { evaluateAll, openJIT } from '../jit-fixture.js';

const MIB = 1024 ** 2;
type Local = NonNullable<KaleidoscopeJITOptions['local']>;

const ASSEMBLY = `
declare i8* @malloc(i64)
declare i8* @memset(i8*, i32, i64)
declare i8* @mmap(i8*, i64, i32, i32, i32, i64)
declare i64 @write(i32, i8*, i64)
declare i32 @open(i8*, i32, i32)
declare i32 @dup(i32)
declare i8* @signal(i32, i8*)
declare i32 @usleep(i32)
declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
@path = global [256 x i8] zeroinitializer
@text = global [4096 x i8] zeroinitializer

; How many blocks of a size malloc gives, each of them used.
define i64 @fill(i64 %bytes) {
entry:
  br label %loop
loop:
  %count = phi i64 [ 0, %entry ], [ %next, %more ]
  %block = call i8* @malloc(i64 %bytes)
  %none = icmp eq i8* %block, null
  br i1 %none, label %out, label %more
more:
  %used = call i8* @memset(i8* %block, i32 1, i64 %bytes)
  %next = add i64 %count, 1
  br label %loop
out:
  ret i64 %count
}
; Uses that much, and keeps it.
define void @fillAndSpin(i64 %bytes) {
  %block = call i8* @malloc(i64 %bytes)
  %used = call i8* @memset(i8* %block, i32 1, i64 %bytes)
  call void @spin()
  ret void
}
; The same without a look at what malloc answers.
define void @fillBlindly(i64 %bytes) {
entry:
  br label %loop
loop:
  %block = call i8* @malloc(i64 %bytes)
  store volatile i8 1, i8* %block
  br label %loop
}
; How many maps of a size without rights there can be.
define i64 @reserve(i64 %bytes) {
entry:
  br label %loop
loop:
  %count = phi i64 [ 0, %entry ], [ %next, %more ]
  %map = call i8* @mmap(i8* null, i64 %bytes, i32 0, i32 16418, i32 -1, i64 0)
  %value = ptrtoint i8* %map to i64
  %none = icmp eq i64 %value, -1
  br i1 %none, label %out, label %more
more:
  %next = add i64 %count, 1
  br label %loop
out:
  ret i64 %count
}
define void @spin() {
entry:
  br label %loop
loop:
  br label %loop
}
define void @spinStubbornly() {
  %ignored = call i8* @signal(i32 24, i8* inttoptr (i64 1 to i8*))
  call void @spin()
  ret void
}
define void @print(i64 %times) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %p = getelementptr [4096 x i8], [4096 x i8]* @text, i64 0, i64 0
  %written = call i64 @write(i32 1, i8* %p, i64 4096)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %times
  br i1 %more, label %loop, label %out
out:
  ret void
}
define i8* @sleeper(i8* %argument) {
  %slept = call i32 @usleep(i32 60000000)
  ret i8* null
}
; How many threads there can be.
define i64 @startThreads() {
entry:
  %id = alloca i64
  br label %loop
loop:
  %count = phi i64 [ 0, %entry ], [ %next, %more ]
  %error = call i32 @pthread_create(i64* %id, i8* null, i8* (i8*)* @sleeper, i8* null)
  %failed = icmp ne i32 %error, 0
  br i1 %failed, label %out, label %more
more:
  %next = add i64 %count, 1
  br label %loop
out:
  ret i64 %count
}
; How many descriptors there can be besides those there are.
define i64 @duplicate() {
entry:
  br label %loop
loop:
  %count = phi i64 [ 0, %entry ], [ %next, %more ]
  %descriptor = call i32 @dup(i32 1)
  %failed = icmp slt i32 %descriptor, 0
  br i1 %failed, label %out, label %more
more:
  %next = add i64 %count, 1
  br label %loop
out:
  ret i64 %count
}
define i64 @writeFile(i8* %path) {
  %file = call i32 @open(i8* %path, i32 66, i32 384)
  %p = getelementptr [4096 x i8], [4096 x i8]* @text, i64 0, i64 0
  %written = call i64 @write(i32 %file, i8* %p, i64 10)
  ret i64 %written
}
define i64 @deep(i64 %n) {
  %more = add i64 %n, 1
  %r = call i64 @deep(i64 %more)
  %sum = add i64 %r, %n
  ret i64 %sum
}
define i8* @deepThread(i8* %argument) {
  %r = call i64 @deep(i64 0)
  ret i8* null
}
define void @deepOnThread() {
  %id = alloca i64
  %error = call i32 @pthread_create(i64* %id, i8* null, i8* (i8*)* @deepThread, i8* null)
  %slept = call i32 @usleep(i32 60000000)
  ret void
}
`;

/** A JIT with limits, its calls by name, and the limits that were reached without ending the runner. */
async function limited(t: ExecutionContext, limits: Local['limits'], sandbox: Local['sandbox'] = 'default') {
  const { jit, printed } = await openJIT(t, {
    local: { sandbox, ...(limits ? { limits } : {}) },
    optLevel: 0,
  });
  await jit.addModule(parseAssembly(ASSEMBLY));
  await jit.addSource('def before(x) x + 1;');
  t.deepEqual(await evaluateAll(jit, 'before(1);'), [2]);
  const reached: Limit[] = [];
  jit.subscribe((event) => {
    if (event.type === 'limit-reached') reached.push(event.limit);
  });
  const call = async (name: string, ...args: bigint[]) => (await jit.lookup(name))(...args);
  return { jit, call, reached, printed };
}

/** A new runner serves the next call, and nothing is compiled again for it. */
async function stillWorks(t: ExecutionContext, jit: KaleidoscopeJIT): Promise<void> {
  const { functionsCompiled, modulesCompiled } = jit.statistics();
  t.is(await (await jit.lookup('before'))(41), 42);
  const after = jit.statistics();
  t.deepEqual([after.functionsCompiled, after.modulesCompiled], [functionsCompiled, modulesCompiled]);
}

async function endsAtLimit(
  t: ExecutionContext,
  limits: Local['limits'],
  expected: Limit,
  how: { call: string; args?: bigint[]; sandbox?: Local['sandbox'] },
): Promise<void> {
  const { jit, call } = await limited(t, limits, how.sandbox);
  const error = await t.throwsAsync(call(how.call, ...(how.args ?? [])), { instanceOf: RunnerLostError });
  t.deepEqual(error.end, { kind: 'limit', limit: expected });
  t.true(error.message.includes(`its limit ${expected.name}=`), error.message);
  await stillWorks(t, jit);
}

test('cpu: a loop is ended', (t) => endsAtLimit(t, { cpu: 1 }, { name: 'cpu', value: 1 }, { call: 'spin' }));

test('cpu: a loop that ignores the signal is ended too', (t) =>
  endsAtLimit(t, { cpu: 1 }, { name: 'cpu', value: 1 }, { call: 'spinStubbornly' }));

test('call: one that takes longer than the executor allows is ended, whatever the caller allows', async (t) => {
  const { jit } = await limited(t, { call: 3000 });
  const spin = await jit.lookup('spin');
  const calls = await Promise.allSettled([spin(), spin.call([], { deadlineMs: 60_000 })]);
  for (const call of calls) {
    if (call.status !== 'rejected' || !(call.reason instanceof RunnerLostError)) return t.fail();
    t.deepEqual(call.reason.end, { kind: 'limit', limit: { name: 'call', value: 3000 } });
  }
  // A caller that asks for less gets that.
  await t.throwsAsync(spin.call([], { deadlineMs: 100 }), { code: 'DEADLINE_EXCEEDED' });
  await stillWorks(t, jit);
});

test('output: a program that prints without end is ended', (t) =>
  endsAtLimit(
    t,
    { output: 4 * MIB },
    { name: 'output', value: 4 * MIB },
    { call: 'print', args: [1_000_000n] },
  ));

test('output: what is printed counts for each call by itself', async (t) => {
  const { jit, call, printed } = await limited(t, { output: MIB });
  for (let round = 0; round < 3; round++) await call('print', 200n);
  t.is(printed().length, 3 * 200 * 4096);
  t.is(jit.runner.generation, 1);
});

test('memory: what is really used is counted by the host, where more may be asked for', (t) =>
  endsAtLimit(
    t,
    { memory: 64 * MIB, data: 256 * MIB },
    { name: 'memory', value: 64 * MIB },
    { call: 'fillAndSpin', args: [BigInt(96 * MIB)] },
  ));

test('data: it follows memory, so that a program is refused before it is ended', async (t) => {
  const { jit, call, reached } = await limited(t, { memory: 64 * MIB });
  const count = Number(await call('fill', BigInt(MIB)));
  t.true(count > 20 && count < 64, String(count));
  t.deepEqual(reached, [{ name: 'data', value: 64 * MIB }]);
  t.deepEqual(await evaluateAll(jit, 'before(2);'), [3]);
  t.is(jit.runner.generation, 1);
});

test('data: malloc answers null, the program goes on, and the limit is named once', async (t) => {
  const { jit, call, reached } = await limited(t, { data: 64 * MIB });
  const count = Number(await call('fill', BigInt(MIB)));
  t.true(count > 20 && count < 64, String(count));
  t.is(await call('fill', BigInt(MIB)), 0n);
  t.deepEqual(reached, [{ name: 'data', value: 64 * MIB }]);
  t.is(jit.runner.generation, 1);
  t.deepEqual(await evaluateAll(jit, 'before(2);'), [3]);
});

test('data: the limit is named for small blocks, too', async (t) => {
  const { call, reached } = await limited(t, { data: 64 * MIB });
  const count = Number(await call('fill', 1000n));
  t.true(count > 20_000 && count < 64_000, String(count));
  t.deepEqual(reached, [{ name: 'data', value: 64 * MIB }]);
});

test('data: a program that does not look at what malloc answers traps, and the error names the limit', async (t) => {
  const { jit, call } = await limited(t, { data: 64 * MIB });
  const error = await t.throwsAsync(call('fillBlindly', BigInt(MIB)), { instanceOf: ExecutionTrapError });
  t.is(error.signal, 'SIGSEGV');
  t.is(error.symbol, 'fillBlindly');
  t.deepEqual(error.limits, [{ name: 'data', value: 64 * MIB }]);
  t.regex(error.message, /the program had reached its limit data=64M$/);
  await stillWorks(t, jit);
});

test('address-space: reserving more is refused, and the limit is named', async (t) => {
  const { call, reached, jit } = await limited(t, { 'address-space': 1024 * MIB });
  const count = Number(await call('reserve', BigInt(16 * MIB)));
  t.true(count > 8 && count < 64, String(count));
  t.deepEqual(reached, [{ name: 'address-space', value: 1024 * MIB }]);
  t.is(jit.runner.generation, 1);
});

test('threads: exactly as many as allowed, and the limit is named', async (t) => {
  const { call, reached, jit } = await limited(t, { threads: 12 });
  t.is(await call('startThreads'), 12n);
  t.deepEqual(reached, [{ name: 'threads', value: 12 }]);
  t.is((await jit.executorStatus()).programThreads, 12);
});

for (const [where, call] of [
  ['a call', 'deep'],
  ['a thread that the program made', 'deepOnThread'],
] as const)
  test(`stack: an overflow in ${where} names the limit`, async (t) => {
    const { jit, call: callOf } = await limited(t, { stack: MIB });
    const error = await t.throwsAsync(callOf(call, ...(call === 'deep' ? [0n] : [])), {
      instanceOf: call === 'deep' ? ExecutionTrapError : RunnerLostError,
    });
    const trap = error instanceof RunnerLostError ? error.cause : error;
    if (!(trap instanceof ExecutionTrapError)) return t.fail(String(trap));
    t.true(trap.trap.stackOverflow);
    t.is(trap.symbol, 'deep');
    t.deepEqual(trap.limits, [{ name: 'stack', value: MIB }]);
    t.regex(trap.message, /stack overflow\); the program had reached its limit stack=1M$/);
    await stillWorks(t, jit);
  });

test('descriptors: no more than allowed, where anything makes descriptors at all', async (t) => {
  const { call } = await limited(t, { descriptors: 10 }, 'off');
  // Standard input, output, error, the doorbell and the input of a program that may begin are there.
  t.is(await call('duplicate'), 5n);
  const confined = await limited(t, {});
  t.is(await confined.call('duplicate'), 0n);
});

test('file-size: nothing is written to a file, where one can be opened at all', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-limits-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const { jit, call } = await limited(t, {}, 'off');
  const file = join(directory, 'file');
  await jit.addModule(parseAssembly(`@file = global [${file.length + 1} x i8] c"${file}\\00"`));
  const symbol = await jit.findSymbol('file');
  const error = await t.throwsAsync(call('writeFile', symbol?.address ?? 0n), {
    instanceOf: RunnerLostError,
  });
  t.deepEqual(error.end, { kind: 'limit', limit: { name: 'file-size', value: 0 } });
  t.true(existsSync(file));
  await stillWorks(t, jit);
});

test('none lifts a limit, and that on data with that on memory', async (t) => {
  const { jit } = await limited(t, { cpu: null, call: null, output: null, memory: null, threads: null });
  t.deepEqual(jit.runner.confinement.limits.map(({ name }) => name).sort(), [
    'address-space',
    'descriptors',
    'file-size',
    'stack',
  ]);
});

test('functions of a preloaded library can be called', async (t) => {
  const at = (path: string) => fileURLToPath(new URL(path, import.meta.resolve('@farjit/executor')));
  const sources = at('../../runner');
  // Tests of the executor build it too, perhaps now.
  execFileSync('flock', [sources, 'make', '-C', sources, 'test-driver']);
  const library = at('../runner/preloaded.so');
  const { jit } = await openJIT(t, { local: { preload: [library] } });
  await jit.addModule(
    parseAssembly(`
declare i32 @farjit_test_first_byte()
define i32 @first() {
  %r = call i32 @farjit_test_first_byte()
  ret i32 %r
}`),
  );
  t.is(await (await jit.lookup('first'))(), 0x7f);
});
