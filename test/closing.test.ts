import { type CallOptions, DeadlineExceededError, JIT, JITPool, SessionClosedError } from '@farjit/compiler';
import { AbortError, ConnectionClosedError, FarJITError } from '@farjit/protocol/errors';
import test, { type ExecutionContext } from 'ava';
import { gate } from '#compiler/test/gate.js';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { eventually, holdCompilations, openJIT } from './jit-fixture.js';
import { isAlive } from './proc.js';

/** What a promise rejected with. */
async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  const [result] = await Promise.allSettled([promise]);
  return result?.status === 'rejected' ? result.reason : undefined;
}

test('closing while calls run rejects them, and leaves no process', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def spin(x) for i = 0, 1 in x;');
  const spin = await jit.lookup('spin');
  const processes = [jit.localExecutorProcessId ?? 0, jit.runner.processId];
  const calls = Array.from({ length: 4 }, (_, i) => spin(i));
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 4, 'they run');
  const reasons = Promise.all(calls.map(reasonOf));
  await jit.close();
  for (const reason of await reasons) t.true(reason instanceof FarJITError, String(reason));
  t.deepEqual(processes.filter(isAlive), []);
  t.true((await reasonOf(spin(1))) instanceof SessionClosedError);
  t.true(
    (await reasonOf(
      jit.addSource('1;').then(([result]) => {
        if (result?.status === 'rejected') throw result.reason;
      }),
    )) instanceof SessionClosedError,
  );
});

for (const when of ['inside a callback', 'before a call'] as const)
  test(`closing while something is compiled ${when} rejects the call, and compiling ends in peace`, async (t) => {
    const held = when === 'inside a callback' ? 'slow' : '__anon_expr';
    const { reached, open, transforms } = holdCompilations((name) => name === held);
    const { jit } = await openJIT(t, { transforms });
    const results = jit.addSource('def slow(x) x; slow(1);');
    await reached;
    await jit.close();
    open();
    const [result] = await results;
    t.true(result?.status === 'rejected' && result.reason instanceof FarJITError);
    if (result?.status === 'rejected' && when === 'before a call')
      t.true(
        result.reason instanceof SessionClosedError || result.reason instanceof ConnectionClosedError,
        String(result.reason),
      );
  });

test('closing twice, and side by side', async (t) => {
  const { jit } = await openJIT(t);
  await Promise.all([jit.close(), jit.close()]);
  await jit.close();
  t.false(isAlive(jit.localExecutorProcessId ?? 0));
});

test('what is left to do after closing is refused with words, and nothing hangs', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) x;');
  const f = await jit.lookup('f');
  await jit.close();
  for (const attempt of [f(1), jit.lookup('f'), jit.findSymbol('sin'), jit.stubs()])
    t.true((await reasonOf(attempt)) instanceof SessionClosedError);
  t.true((await reasonOf(jit.executorStatus())) instanceof ConnectionClosedError);
  t.notThrows(() => jit.parse('def g(x) x;'));
  t.regex((await jit.closed).message, /connection closed/);
});

test('an executor that does not answer does not hold up closing', async (t) => {
  const { jit } = await openJIT(t);
  const executor = jit.localExecutorProcessId ?? 0;
  process.kill(executor, 'SIGSTOP');
  await jit.close();
  t.false(isAlive(executor));
  // Its runner ends with it.
  await eventually(() => !isAlive(jit.runner.processId), 'the runner is gone');
});

test('what waits for a compilation that does not end is rejected when the session is closed', async (t) => {
  const { reached, transforms } = holdCompilations((name) => name !== 'f');
  const { jit } = await openJIT(t, { transforms });
  const results = jit.addSource('1 + 1;');
  await reached;
  await jit.close();
  const [result] = await results;
  t.is(result?.status, 'rejected');
  t.regex(String(result?.status === 'rejected' && result.reason), /closed/);
});

/** A program and a function that print a line, and go on for ever. */
const PRINTING = `
@line = private constant [6 x i8] c"line\\0A\\00"
declare i64 @write(i32, i8*, i64)
define i32 @main() {
entry:
  %printed = call i64 @write(i32 1, i8* getelementptr ([6 x i8], [6 x i8]* @line, i64 0, i64 0), i64 5)
  br label %on
on:
  br label %on
}`;

/** A JIT with an `onOutput` that is never done with the first that it gets, and when it has got that. */
async function openStuck(t: ExecutionContext) {
  const { reached: printed, wait } = gate();
  const jit = await JIT.create({ onOutput: wait });
  t.teardown(() => jit.close({ atOnce: true }));
  await jit.addIR(assemble(PRINTING));
  return { jit, printed };
}

test('what deals with output for ever keeps no closing waiting', async (t) => {
  const { jit, printed } = await openStuck(t);
  const processes = [jit.localExecutorProcessId ?? 0, jit.runner.processId];
  const main = await jit.lookup('main');
  const call = reasonOf(main());
  await printed;
  await jit.close();
  t.true((await call) instanceof FarJITError);
  t.deepEqual(processes.filter(isAlive), []);
});

for (const [how, run] of Object.entries({
  'a call': async (jit: JIT, options: CallOptions) => (await jit.lookup('main')).call([], options),
  'a program': (jit: JIT, options: CallOptions) => jit.runProgram(options),
}))
  test(`what deals with output for ever keeps ${how} that is interrupted or late from ending no longer`, async (t) => {
    const { jit: late } = await openStuck(t);
    t.true((await reasonOf(run(late, { deadlineMs: 200 }))) instanceof DeadlineExceededError);
    await late.close();
    const { jit, printed } = await openStuck(t);
    const abort = new AbortController();
    const reason = reasonOf(run(jit, { signal: abort.signal }));
    await printed;
    abort.abort();
    t.true((await reason) instanceof AbortError);
    await jit.close();
  });

test('what deals with the output of a pool for ever keeps no closing waiting', async (t) => {
  const { reached: printed, wait } = gate();
  const pool = await JITPool.connect(['local'], { onOutput: wait });
  t.teardown(() => pool.close());
  await pool.addIR(assemble(PRINTING));
  const main = await pool.lookup('main');
  const call = reasonOf(main());
  await printed;
  await pool.close();
  t.true((await call) instanceof FarJITError);
});

test.serial('one signal may be for any number of calls, and Node warns of nothing', async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) x + 1;');
  const f = await jit.lookup('f');
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 20 }, (_, index) => f.call([index], { signal })));
  t.deepEqual(warnings, []);
});
