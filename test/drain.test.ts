import { once } from 'node:events';
import { ConnectError, ExecutorDrainingError, KaleidoscopeJIT } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { startExecutor } from './executor-process.js';
import { eventually, holdCompilations, openJIT } from './jit-fixture.js';
import { isAlive } from './proc.js';

/** `twice(f)` needs the compiler once more when the gate opens, long after it was called. */
async function openWaiting(t: ExecutionContext, executor: { url: string; token: string }) {
  const { open, transforms } = holdCompilations((name) => name === 'first');
  const { jit } = await openJIT(t, { executor, transforms, speculate: 'off', optLevel: 0 });
  await jit.addSource('def second(x) x + 1; def first(x) second(x) * 2; def other(x) x;');
  return { jit, open };
}

test('SIGTERM: a call in flight has all that it still needs compiled, and ends; then the executor does', async (t) => {
  const { child, ...executor } = await startExecutor(t, 'ws://127.0.0.1:0');
  const { jit, open } = await openWaiting(t, executor);
  const { jit: idle } = await openJIT(t, { executor });
  const other = await jit.lookup('other');
  const result = (await jit.lookup('first'))(20);
  await eventually(async () => (await jit.executorStatus()).blocked.length === 1, 'it waits');
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  t.regex((await idle.closed).message, /1001: the executor is draining/);
  const refused = await t.throwsAsync(other(1), { instanceOf: ExecutorDrainingError });
  t.is(refused?.message, 'other was not called: the executor is draining; use another');
  await t.throwsAsync(KaleidoscopeJIT.create({ executor }), { instanceOf: ConnectError, message: /503/ });
  open();
  t.is(await result, 42);
  t.regex((await jit.closed).message, /1001: the executor is draining/);
  t.deepEqual(await exited, [0, null]);
  await t.throwsAsync(other(1), { code: 'SESSION_CLOSED' });
});

test('a program with initialisers that is refused leaves nothing in memory', async (t) => {
  const { child, ...executor } = await startExecutor(t, 'ws://127.0.0.1:0');
  const { jit, open } = await openWaiting(t, executor);
  const { jit: idle } = await openJIT(t, { executor });
  const program = jit.createDylib('program');
  await program.addIR(
    assemble(`
@llvm.global_ctors = appending global [1 x { i32, void ()*, i8* }] [{ i32, void ()*, i8* } { i32 1, void ()* @begin, i8* null }]
define void @begin() { ret void }
define i32 @main() { ret i32 0 }`),
  );
  const result = (await jit.lookup('first'))(20);
  await eventually(async () => (await jit.executorStatus()).blocked.length === 1, 'it waits');
  child.kill('SIGTERM');
  await idle.closed;
  const refusedBytes: number[] = [];
  for (let i = 0; i < 2; i++) {
    await t.throwsAsync(program.runProgram(), { instanceOf: ExecutorDrainingError });
    refusedBytes.push(jit.allocatedBytes);
  }
  t.is(refusedBytes[1], refusedBytes[0]);
  open();
  await result;
});

for (const [first, second] of [
  ['SIGTERM', 'SIGTERM'],
  ['SIGTERM', 'SIGINT'],
] as const)
  test(`${second} after ${first} ends it at once`, async (t) => {
    const { child, ...executor } = await startExecutor(t, 'ws://127.0.0.1:0', ['--drain-timeout', '3600']);
    const { jit } = await openWaiting(t, executor);
    const { jit: idle } = await openJIT(t, { executor });
    const result = (await jit.lookup('first'))(20);
    await eventually(async () => (await jit.executorStatus()).blocked.length === 1, 'it waits');
    const runner = jit.runner.processId;
    const exited = once(child, 'exit');
    child.kill(first);
    await idle.closed;
    t.true(isAlive(runner));
    child.kill(second);
    await t.throwsAsync(result, {
      code: 'CONNECTION_CLOSED',
      message: /1001: the executor is shutting down/,
    });
    t.deepEqual(await exited, [0, null]);
    t.false(isAlive(runner));
  });

test('the time to drain ends it, and what is left', async (t) => {
  const { child, ...executor } = await startExecutor(t, 'ws://127.0.0.1:0', ['--drain-timeout', '0.2']);
  const { jit } = await openWaiting(t, executor);
  const result = (await jit.lookup('first'))(20);
  await eventually(async () => (await jit.executorStatus()).blocked.length === 1, 'it waits');
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await t.throwsAsync(result, { code: 'CONNECTION_CLOSED', message: /the executor is shutting down/ });
  t.deepEqual(await exited, [0, null]);
});

for (const [signal, args] of [
  ['SIGINT', []],
  ['SIGTERM', ['--drain-timeout=0']],
] as const)
  test(`${signal} ${args.join()} does not wait`, async (t) => {
    const { child, ...executor } = await startExecutor(t, 'ws://127.0.0.1:0', args);
    const { jit } = await openWaiting(t, executor);
    const result = (await jit.lookup('first'))(20);
    await eventually(async () => (await jit.executorStatus()).blocked.length === 1, 'it waits');
    const exited = once(child, 'exit');
    child.kill(signal);
    await t.throwsAsync(result, { code: 'CONNECTION_CLOSED', message: /the executor is shutting down/ });
    t.deepEqual(await exited, [0, null]);
  });
