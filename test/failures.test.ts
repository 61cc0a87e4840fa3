import {
  DeadlineExceededError,
  Diagnostic,
  ExecutionTrapError,
  LinkError,
  MaterializationError,
  RunnerLostError,
} from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { parseAssembly } from './ir-module.js';
import { evaluateAll, eventually, holdCompilations, openJIT } from './jit-fixture.js';

/** The next expression works, and no thread is left blocked. */
async function stillWorks(
  t: ExecutionContext,
  jit: Awaited<ReturnType<typeof openJIT>>['jit'],
): Promise<void> {
  t.deepEqual(await evaluateAll(jit, '1 + 2;'), [3]);
  t.deepEqual((await jit.executorStatus()).blocked, []);
}

const CRASHES = `
define void @store(i64 %address) {
  %p = inttoptr i64 %address to i32*
  store volatile i32 1, i32* %p
  ret void
}
define i32 @divide(i32 %a, i32 %b) {
  %q = sdiv i32 %a, %b
  ret i32 %q
}
declare void @llvm.trap()
define void @illegal() {
  call void @llvm.trap()
  unreachable
}
declare void @exit(i32)
define void @leave(i32 %status) {
  call void @exit(i32 %status)
  ret void
}
declare void @abort()
define void @giveUp() {
  call void @abort()
  ret void
}
define void @jump(i64 %address) {
  %f = inttoptr i64 %address to void ()*
  call void %f()
  ret void
}
`;

test('a compile error inside a callback rejects that call with name and position', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def inner(x)\n  x + nowhere(x);\ndef outer(x) inner(x);', { name: 'program.ks' });
  const outer = await jit.lookup('outer');
  const error = await t.throwsAsync(outer(1), { instanceOf: MaterializationError });
  t.is(error.symbol, 'inner');
  t.true(error.cause instanceof Diagnostic);
  if (error.cause instanceof Diagnostic) {
    t.deepEqual([error.cause.file, error.cause.line, error.cause.column], ['program.ks', 2, 7]);
    t.regex(error.cause.message, /nowhere/);
  }
  await stillWorks(t, jit);
  // The same function works once what it misses is there.
  await jit.addSource('def nowhere(x) x * 2;');
  t.is(await outer(3), 9);
  t.is(jit.runner.generation, 1);
});

test('a missing external inside a callback rejects that call with its name', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('extern nosuchfunction(x); def f(x) nosuchfunction(x);');
  const f = await jit.lookup('f');
  const error = await t.throwsAsync(f(1), { instanceOf: MaterializationError });
  t.true(error.cause instanceof LinkError);
  if (error.cause instanceof LinkError) t.deepEqual(error.cause.details.names, ['nosuchfunction']);
  await stillWorks(t, jit);
  t.is(jit.runner.generation, 1);
});

test('many threads in a failing callback are all rejected', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) nowhere(x);');
  const f = await jit.lookup('f');
  const results = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => f(i)));
  for (const result of results)
    t.true(result.status === 'rejected' && result.reason instanceof MaterializationError);
  await stillWorks(t, jit);
});

test('a failing expression does not keep later ones from running', async (t) => {
  const { jit } = await openJIT(t);
  const results = await jit.addSource('1; nowhere(2); 3;');
  t.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed')),
    [1, 'failed', 3],
  );
});

for (const [name, args, signal, symbol] of [
  ['store', [8n], 'SIGSEGV', 'store'],
  ['divide', [1, 0], 'SIGFPE', 'divide'],
  ['illegal', [], 'SIGILL', 'illegal'],
] as const) {
  test(`${signal} rejects the call with where it happened, and a new runner needs no compilation`, async (t) => {
    const { jit } = await openJIT(t);
    await jit.addSource('def f(x) x + 1;');
    await jit.addModule(parseAssembly(CRASHES));
    const f = await jit.lookup('f');
    t.is(await f(1), 2);
    const crash = await jit.lookup(name);
    const error = await t.throwsAsync(crash(...args), { instanceOf: ExecutionTrapError });
    t.is(error.signal, signal);
    t.is(error.symbol, symbol);
    if (name === 'store') t.is(error.faultAddress, 8n);
    const before = jit.statistics();
    t.is(await f(41), 42);
    const after = jit.statistics();
    t.is(after.functionsCompiled, before.functionsCompiled);
    t.is(after.modulesCompiled, before.modulesCompiled);
    t.is(after.wrappersCompiled, before.wrappersCompiled);
    t.is(jit.runner.generation, 2);
    await stillWorks(t, jit);
  });
}

test('a wild jump is a trap outside JIT code with its caller in the backtrace', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly(CRASHES));
  const jump = await jit.lookup('jump');
  const error = await t.throwsAsync(jump(0x10n), { instanceOf: ExecutionTrapError });
  t.is(error.signal, 'SIGSEGV');
  t.is<bigint, bigint>(error.trap.programCounter, 0x10n);
  await stillWorks(t, jit);
});

test('a stack overflow says so and names the function', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def deep(x) deep(x + 1) + 1;');
  const deep = await jit.lookup('deep');
  const error = await t.throwsAsync(deep(1), { instanceOf: ExecutionTrapError });
  t.is(error.signal, 'SIGSEGV');
  t.true(error.trap.stackOverflow);
  t.is(error.symbol, 'deep');
  t.regex(error.message, /stack overflow/);
  await stillWorks(t, jit);
});

test('exit(7) ends the runner, and the error says so', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) x + 1;');
  const f = await jit.lookup('f');
  t.is(await f(1), 2);
  await jit.addModule(parseAssembly(CRASHES));
  const leave = await jit.lookup('leave');
  const error = await t.throwsAsync(leave(7), { instanceOf: RunnerLostError });
  t.deepEqual(error.end, { kind: 'exit', status: 7 });
  const { functionsCompiled } = jit.statistics();
  t.is(await f(2), 3);
  t.is(jit.statistics().functionsCompiled, functionsCompiled);
});

test('abort() ends the runner, and the error says so', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly(CRASHES));
  const giveUp = await jit.lookup('giveUp');
  const error = await t.throwsAsync(giveUp(), { instanceOf: RunnerLostError });
  t.deepEqual(error.end, { kind: 'signal', signal: 'SIGABRT' });
  await stillWorks(t, jit);
});

test('a SIGKILL of the runner in mid-callback rejects the call; the next one needs no compilation', async (t) => {
  const { reached, open, transforms } = holdCompilations((name) => name === 'slow');
  const { jit } = await openJIT(t, { transforms });
  await jit.addSource('def f(x) x + 1; def slow(x) f(x) * 2;');
  const f = await jit.lookup('f');
  t.is(await f(1), 2);
  const slow = await jit.lookup('slow');
  const call = slow(1);
  await reached;
  process.kill(jit.runner.processId, 'SIGKILL');
  const error = await t.throwsAsync(call, { instanceOf: RunnerLostError });
  t.deepEqual(error.end, { kind: 'signal', signal: 'SIGKILL' });
  open();
  const compiledBefore = jit.statistics().functionsCompiled;
  t.is(await f(2), 3);
  t.is(await slow(2), 6);
  // `slow` was being compiled when its runner died: that one compilation serves the new runner.
  t.true(jit.statistics().functionsCompiled <= compiledBefore + 1);
  t.is(jit.statistics().functionsCompiled, 2);
});

test('other calls of a session that traps reject with the trap as cause', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly(CRASHES));
  await jit.addSource('def spin(x) for i = 0, 1 in x; def noop(x) x;');
  const spin = await jit.lookup('spin');
  const endless = spin(1);
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 1, 'the call runs');
  const store = await jit.lookup('store');
  const [bystander, culprit] = await Promise.allSettled([endless, store(8n)]);
  t.true(culprit.status === 'rejected' && culprit.reason instanceof ExecutionTrapError);
  t.true(bystander.status === 'rejected' && bystander.reason instanceof RunnerLostError);
  if (bystander.status === 'rejected') t.true(bystander.reason.cause instanceof ExecutionTrapError);
  await stillWorks(t, jit);
});

test('a deadline ends an endless loop', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def spin(x) for i = 0, 1 in x;');
  const spin = await jit.lookup('spin');
  await t.throwsAsync(spin.call([1], { deadlineMs: 100 }), { instanceOf: DeadlineExceededError });
  await stillWorks(t, jit);
});

test('an aborted signal interrupts a call', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def spin(x) for i = 0, 1 in x;');
  const spin = await jit.lookup('spin');
  const controller = new AbortController();
  const call = spin.call([1], { signal: controller.signal });
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 1, 'the call runs');
  controller.abort();
  await t.throwsAsync(call, { code: 'CANCELLED' });
  await stillWorks(t, jit);
});

test('a duplicate definition by a module is refused and changes nothing', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(parseAssembly('define i32 @f() { ret i32 1 }'));
  const error = await t.throwsAsync(jit.addModule(parseAssembly('define i32 @f() { ret i32 2 }')), {
    instanceOf: LinkError,
  });
  t.is(error.reason, 'duplicate-definition');
  t.is(await (await jit.lookup('f'))(), 1);
});

test('a fatal error of LLVM fails the call that reached the function, and no other; nothing else is lost', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
declare void @llvm.aarch64.hint(i32)
define double @hint(double %x) {
  call void @llvm.aarch64.hint(i32 1)
  ret double %x
}`),
  );
  await jit.addSource('def f(x) x + 1; def reaches(x) hint(x);');
  const [f, reaches] = [await jit.lookup('f'), await jit.lookup('reaches')];
  t.is(await f(1), 2);
  const runnerBefore = jit.runner.processId;
  for (let attempt = 0; attempt < 2; attempt++) {
    const error = await t.throwsAsync(reaches(1), { instanceOf: MaterializationError });
    t.is(error.symbol, 'hint');
    t.is((error.cause as Error & { code: string }).code, 'CODEGEN_LOST');
  }
  t.is(await f(2), 3);
  t.is(jit.runner.processId, runnerBefore);
});
